//! The grace period: after a start, new opens and locks wait until clients have reclaimed theirs.
//! [RFC 8881 §8.4.2.1]

use core::time::Duration;

use crate::action::Outbox;
use crate::core::Core;
use crate::event::{Event, GraceEnd};
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Whether new opens get GRACE because other clients may still reclaim.
    pub(crate) fn in_grace(&self, now: Mono) -> bool {
        self.grace.runs(now)
    }

    /// Sets the timer for the end of the grace period, if there is one.
    pub(crate) fn watch_grace(&mut self) {
        if let Some(until) = self.grace.due() {
            self.set_timer(until, Due::Grace);
        }
    }

    /// The grace period has another length, counted from the start; one that is over stays over.
    pub(crate) fn change_grace(&mut self, length: Duration, now: Mono) {
        self.grace.move_end(self.started.mono.after(length), now);
        self.watch_grace();
    }

    /// The grace period may be over.
    pub(crate) fn on_grace_timer(&mut self, out: &mut Outbox) {
        if self.in_grace(out.now.mono) {
            self.watch_grace();
        } else {
            self.end_grace(GraceEnd::Over, out);
        }
    }

    /// The administrator ends the grace period, if it runs.
    pub(crate) fn cut_grace(&mut self, out: &mut Outbox) {
        if self.in_grace(out.now.mono) {
            self.end_grace(GraceEnd::Administrator, out);
        }
    }

    /// Ends the grace period, and reports it if that has not been done.
    fn end_grace(&mut self, reason: GraceEnd, out: &mut Outbox) {
        if self.grace.end(out.now.mono) {
            out.event(Event::GraceEnded { reason });
        }
    }
}
