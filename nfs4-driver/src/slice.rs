//! The time for which a connection works before other connections on its thread do.

use std::time::Duration;

use nfs4_engine::Mono;

/// A connection's time without a pause.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeSlice {
    end: Option<Mono>,
    over: bool,
}

impl TimeSlice {
    /// Starts the time, unless it runs.
    pub(crate) fn begin(&mut self, now: Mono) {
        self.end.get_or_insert_with(|| now.after(LENGTH));
    }

    /// Whether the time is over now; it then stays over.
    pub(crate) fn is_over_at(&mut self, now: Mono) -> bool {
        self.over |= self.end.is_some_and(|end| now >= end);
        self.over
    }

    /// Whether [`TimeSlice::is_over_at`] found that it is over.
    pub(crate) fn is_over(self) -> bool {
        self.over
    }
}

/// Enough for some hundred short requests, or one or two listings of a megabyte.
const LENGTH: Duration = Duration::from_micros(400);
