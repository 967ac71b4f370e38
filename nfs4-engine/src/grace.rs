//! When the grace period ends. [RFC 8881 §8.4.2.1]

use core::time::Duration;

use crate::time::Mono;

/// The grace period of this start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grace {
    until: Mono,
    /// Its end has been reported, or there was none.
    has_ended: bool,
}

impl Grace {
    pub(crate) fn new(started: Mono, length: Duration) -> Grace {
        Grace {
            until: started.after(length),
            has_ended: length.is_zero(),
        }
    }

    pub(crate) fn runs(&self, now: Mono) -> bool {
        now < self.until
    }

    /// What is left of it.
    pub(crate) fn left(&self, now: Mono) -> Duration {
        self.until.since(now)
    }

    /// When its end is due, unless that has been reported.
    pub(crate) fn due(&self) -> Option<Mono> {
        (!self.has_ended).then_some(self.until)
    }

    /// Moves its end, if it runs.
    pub(crate) fn move_end(&mut self, until: Mono, now: Mono) {
        if self.runs(now) {
            self.until = until;
        }
    }

    /// Ends it; `true` the first time.
    pub(crate) fn end(&mut self, now: Mono) -> bool {
        self.until = self.until.min(now);
        !core::mem::replace(&mut self.has_ended, true)
    }
}
