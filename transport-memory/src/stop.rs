//! The stop of a server.

use std::fmt;
use std::sync::Arc;

use crate::hub::{Hub, Phase};

/// Stops a [`Server`](crate::Server), from any thread. Clones stop the same.
#[derive(Clone)]
pub struct Stop(Arc<Hub>);

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.0.phase()).finish()
    }
}

impl Stop {
    pub(crate) fn new(hub: Arc<Hub>) -> Stop {
        Stop(hub)
    }

    /// Begins a graceful stop: no connection is accepted, calls that arrive get DELAY, and calls in
    /// flight are answered. Returns at once.
    pub fn stop(&self) {
        self.0.enter(Phase::Stopping);
    }
}
