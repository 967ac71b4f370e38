//! The state machine.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::action::Outbox;
use crate::config::{Boot, Config, ConfigFault};
use crate::fs::Backend;
use crate::input::Input;
use crate::time::{Mono, Now};

/// An NFSv4 server without IO.
pub struct Engine {}

/// Why a timer is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerReason {
    /// A client's lease may have run out.
    Lease,
    /// The grace period ends.
    Grace,
}

impl Engine {
    /// A server of this file system, its only export, at "/".
    ///
    /// # Errors
    /// All settings that are out of range.
    pub fn new(
        _boot: Boot,
        _config: Config,
        _root: Arc<dyn Backend>,
        _now: Now,
    ) -> Result<Engine, Vec<ConfigFault>> {
        Ok(Engine {})
    }

    /// Takes one input; all that it causes is in `out` on return.
    pub fn handle(&mut self, _now: Now, _input: Input, _out: &mut Outbox) {}

    /// The earliest timer and why it is set.
    pub fn next_timeout(&self) -> Option<(Mono, TimerReason)> {
        None
    }

    /// Does what is due, at most `budget` steps of it; `true` if work is left.
    pub fn handle_timeout(&mut self, _now: Now, _budget: usize, _out: &mut Outbox) -> bool {
        false
    }
}
