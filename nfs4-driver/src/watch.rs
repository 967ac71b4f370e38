//! Timeouts of a connection, without reading the clock for every byte.

use std::time::Duration;

use nfs4_engine::Mono;

use crate::error::Closing;
use crate::limits::Limits;

/// The time since which a connection has moved no bytes, checked at every tick.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The last tick at which no record was incomplete, or bytes had arrived.
    read: Mono,
    /// The last tick at which nothing was unsent, or bytes had been sent.
    write: Mono,
    /// The last tick at which the connection was in use.
    active: Mono,
    received: bool,
    sent: bool,
    /// Number of times that bytes have moved.
    moves: u32,
}

impl Watch {
    pub(crate) fn new(now: Mono) -> Watch {
        Watch {
            read: now,
            write: now,
            active: now,
            received: false,
            sent: false,
            moves: 0,
        }
    }

    pub(crate) fn received(&mut self) {
        self.received = true;
        self.moves = self.moves.wrapping_add(1);
    }

    pub(crate) fn sent(&mut self) {
        self.sent = true;
        self.moves = self.moves.wrapping_add(1);
    }

    /// A number that changes whenever bytes have moved.
    pub(crate) fn moves(&self) -> u32 {
        self.moves
    }

    /// Returns the time until the next tick, or the timeout that has passed.
    pub(crate) fn tick(
        &mut self,
        now: Mono,
        limits: &Limits,
        mid_record: bool,
        unsent: bool,
        busy: bool,
    ) -> Result<Duration, Closing> {
        let received = std::mem::take(&mut self.received);
        let sent = std::mem::take(&mut self.sent);
        if received || !mid_record {
            self.read = now;
        }
        if sent || !unsent {
            self.write = now;
        }
        if received || sent || mid_record || unsent || busy {
            self.active = now;
        }
        let stall = limits.stall_timeout;
        if now.since(self.read) >= stall || now.since(self.write) >= stall {
            return Err(Closing::Stalled);
        }
        let idle = limits.idle_timeout;
        if idle.is_zero() {
            return Ok(stall);
        }
        if now.since(self.active) >= idle {
            return Err(Closing::Idle);
        }
        Ok(stall.min(idle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let stall_timeout = Duration::from_secs(10);
        Limits {
            stall_timeout,
            idle_timeout: Duration::from_secs(30),
            ..Limits::default()
        }
    }

    fn at(seconds: u64) -> Mono {
        Mono::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn idle_is_no_byte_and_no_call_for_the_whole_time() {
        let mut watch = Watch::new(at(0));
        let limits = limits();
        assert!(watch.tick(at(29), &limits, false, false, false).is_ok());
        watch.received();
        assert!(watch.tick(at(40), &limits, false, false, false).is_ok());
        assert!(watch.tick(at(60), &limits, false, false, true).is_ok());
        assert!(watch.tick(at(89), &limits, false, false, false).is_ok());
        let over = watch.tick(at(90), &limits, false, false, false);
        assert!(matches!(over, Err(Closing::Idle)));
        let never = Limits {
            idle_timeout: Duration::ZERO,
            ..limits
        };
        assert!(watch.tick(at(9_000), &never, false, false, false).is_ok());
    }

    #[test]
    fn a_stall_counts_from_when_it_was_seen_first() {
        let limits = limits();
        let mut watch = Watch::new(at(0));
        assert!(watch.tick(at(20), &limits, false, false, false).is_ok());
        assert!(watch.tick(at(29), &limits, false, true, false).is_ok());
        watch.received();
        let over = watch.tick(at(30), &limits, false, true, false);
        assert!(
            matches!(over, Err(Closing::Stalled)),
            "bytes from the peer are not bytes to it"
        );

        let mut watch = Watch::new(at(0));
        watch.received();
        assert!(watch.tick(at(9), &limits, true, false, false).is_ok());
        watch.sent();
        assert!(watch.tick(at(18), &limits, true, false, false).is_ok());
        assert!(matches!(
            watch.tick(at(19), &limits, true, false, false),
            Err(Closing::Stalled)
        ));
    }
}
