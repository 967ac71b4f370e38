//! The body of a fuzz target.

use crate::log::Log;
use crate::replay::{Report, run};

/// Replays a log of any bytes: it is refused, or an engine is given what it says.
pub fn replay_log(data: &[u8]) {
    if let Ok(log) = Log::open(data) {
        let _ = run(log, &mut Report::default());
    }
}
