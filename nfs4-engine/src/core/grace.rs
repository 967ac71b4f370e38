//! The grace period: after a start, new opens and locks wait until clients have reclaimed theirs.
//! [RFC 8881 §8.4.2.1]

use core::time::Duration;

use crate::action::Outbox;
use crate::core::Core;
use crate::event::{Event, GraceEnd};
use crate::time::Mono;
use crate::timer::Due;

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
}

impl Core {
    /// Whether new opens get GRACE because other clients may still reclaim.
    pub(crate) fn in_grace(&self, now: Mono) -> bool {
        now < self.grace.until
    }

    /// What is left of the grace period.
    pub(crate) fn grace_left(&self, now: Mono) -> Duration {
        self.grace.until.since(now)
    }

    /// Sets the timer for the end of the grace period, if there is one.
    pub(crate) fn watch_grace(&mut self) {
        if !self.grace.has_ended {
            self.set_timer(self.grace.until, Due::Grace);
        }
    }

    /// The grace period has another length, counted from the start; one that is over stays over.
    pub(crate) fn change_grace(&mut self, length: Duration, now: Mono) {
        if self.in_grace(now) {
            self.grace.until = self.started.mono.after(length);
            self.watch_grace();
        }
    }

    /// The grace period may be over.
    pub(crate) fn on_grace_timer(&mut self, out: &mut Outbox) {
        if self.in_grace(out.now.mono) {
            self.watch_grace();
        } else {
            self.report_end_of_grace(GraceEnd::Over, out);
        }
    }

    /// Ends the grace period, if it runs.
    pub(crate) fn end_grace(&mut self, out: &mut Outbox) {
        if self.in_grace(out.now.mono) {
            self.grace.until = out.now.mono;
            self.report_end_of_grace(GraceEnd::Administrator, out);
        }
    }

    fn report_end_of_grace(&mut self, reason: GraceEnd, out: &mut Outbox) {
        if !self.grace.has_ended {
            self.grace.has_ended = true;
            out.event(Event::GraceEnded { reason });
        }
    }
}
