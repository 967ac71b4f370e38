//! Whether a callback takes long, and was reported for it.

use crate::slow_log::Reported;
use crate::time::Mono;

/// What is known of how long a callback takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slowness {
    accepted: Mono,
    /// Number of transmissions when it was last reported, or counted.
    seen: Option<u32>,
    /// It was reported at least once.
    reported: bool,
}

impl Slowness {
    /// Of a callback that is accepted now.
    pub(crate) const fn since_accepted(now: Mono) -> Slowness {
        Slowness {
            accepted: now,
            seen: None,
            reported: false,
        }
    }

    pub(crate) fn accepted(&self) -> Mono {
        self.accepted
    }

    /// When it was accepted, unless it was reported or counted after this number of transmissions.
    pub(crate) fn since(&self, attempts: u32) -> Option<Mono> {
        self.seen
            .is_none_or(|seen| attempts > seen)
            .then_some(self.accepted)
    }

    /// It is slow after this number of transmissions.
    pub(crate) fn note(&mut self, attempts: u32, reported: Reported) {
        self.seen = Some(attempts);
        self.reported |= reported == Reported::Yes;
    }

    /// Whether it was reported, so that its end is.
    pub(crate) fn was_reported(&self) -> bool {
        self.reported
    }
}
