//! When the grace period ends. [RFC 8881 §8.4.2.1]

use core::time::Duration;

use crate::event::GraceEnd;
use crate::time::Mono;

/// The grace period of this start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grace {
    until: Mono,
    phase: GracePhase,
    /// Its end is stored before it is one: records of clients are in force until then.
    is_stored: bool,
}

/// The phase of a grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GracePhase {
    /// It runs, or its end was not noticed yet.
    Runs,
    /// Nothing can be reclaimed any more, and nothing is granted before that is stored.
    Ends(GraceEnd),
    /// It is over, or there was none.
    Over,
}

impl Grace {
    pub(crate) fn new(started: Mono, length: Duration, is_stored: bool) -> Grace {
        let none = length.is_zero() && !is_stored;
        Grace {
            until: started.after(length),
            phase: if none {
                GracePhase::Over
            } else {
                GracePhase::Runs
            },
            is_stored,
        }
    }

    pub(crate) fn phase(&self) -> GracePhase {
        self.phase
    }

    /// Whether nothing new may be granted.
    pub(crate) fn runs(&self, now: Mono) -> bool {
        match self.phase {
            GracePhase::Runs => self.is_stored || now < self.until,
            GracePhase::Ends(_) => true,
            GracePhase::Over => false,
        }
    }

    /// Whether clients may reclaim.
    pub(crate) fn takes_reclaims(&self, now: Mono) -> bool {
        self.is_stored && self.phase == GracePhase::Runs && now < self.until
    }

    /// What is left of it.
    pub(crate) fn left(&self, now: Mono) -> Duration {
        match self.phase {
            GracePhase::Runs => self.until.since(now),
            GracePhase::Ends(_) | GracePhase::Over => Duration::ZERO,
        }
    }

    /// When its end is due.
    pub(crate) fn due(&self) -> Option<Mono> {
        (self.phase == GracePhase::Runs).then_some(self.until)
    }

    /// Moves its end, if it runs.
    pub(crate) fn move_end(&mut self, until: Mono, now: Mono) {
        if self.phase == GracePhase::Runs && now < self.until {
            self.until = until;
        }
    }

    /// Its end begins; `true` if that is to be stored first.
    pub(crate) fn begin_end(&mut self, reason: GraceEnd, now: Mono) -> bool {
        self.until = self.until.min(now);
        if self.phase == GracePhase::Runs && self.is_stored {
            self.phase = GracePhase::Ends(reason);
        }
        matches!(self.phase, GracePhase::Ends(_))
    }

    /// Ends it; `true` the first time.
    pub(crate) fn end(&mut self) -> bool {
        let before = core::mem::replace(&mut self.phase, GracePhase::Over);
        before != GracePhase::Over
    }
}
