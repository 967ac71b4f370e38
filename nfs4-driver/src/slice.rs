//! How long a connection works before others have their batch.

use std::time::Duration;

use nfs4_engine::Mono;

/// The time that a connection has at a stretch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slice {
    end: Option<Mono>,
    over: bool,
}

impl Slice {
    /// Begins now, unless it has begun.
    pub(crate) fn begin(&mut self, now: Mono) {
        self.end.get_or_insert_with(|| now.after(LENGTH));
    }

    /// Whether the time is over, for good.
    pub(crate) fn is_over_at(&mut self, now: Mono) -> bool {
        self.over |= self.end.is_some_and(|end| now >= end);
        self.over
    }

    /// Whether it was found to be over.
    pub(crate) fn is_over(self) -> bool {
        self.over
    }
}

/// Some hundred short requests, or one or two listings of a megabyte.
const LENGTH: Duration = Duration::from_micros(400);
