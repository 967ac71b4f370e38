//! Whether a connection may start another call.

use crate::limits::Limits;

/// The calls of one connection that have started and are not answered.
///
/// Admission comes before execution: a call starts only if its reply is sure to fit within the
/// limit of unsent bytes.
#[derive(Debug)]
pub(crate) struct Admission {
    max_in_flight: u32,
    max_reply: u64,
    max_unsent: u64,
    started: u32,
    /// Number of calls for whose replies the node's budget has reserved room.
    granted: u32,
    /// Number of calls started since the grants were settled, and in the batch before.
    begun: u32,
    usual: u32,
    /// The limit of a connection whose client the engine knows.
    max_unsent_known: u64,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Admission {
        Admission {
            max_in_flight: limits.max_in_flight,
            max_reply: limits.max_reply.into(),
            max_unsent: limits.max_unsent.min(limits.max_unsent_by_strangers),
            started: 0,
            granted: 0,
            begun: 0,
            usual: 1,
            max_unsent_known: limits.max_unsent,
        }
    }

    /// Whether one more call may start while `unsent` bytes of replies are queued.
    pub(crate) fn is_open(&self, unsent: u64) -> bool {
        let promised = (u64::from(self.started) + 1) * self.max_reply;
        self.started < self.max_in_flight && unsent.saturating_add(promised) <= self.max_unsent
    }

    /// Notes that the engine knows the client.
    pub(crate) fn known(&mut self) {
        self.max_unsent = self.max_unsent_known;
    }

    /// Reserves room for one more call: `take` takes this many bytes of the node's budget, or
    /// refuses. Grants double while a batch continues and begin with what the last one used, so
    /// that most calls need no request of their own.
    pub(crate) fn grant(&mut self, take: impl Fn(u64) -> bool) -> bool {
        if self.started < self.granted {
            return true;
        }
        let most = self.max_in_flight.saturating_sub(self.granted).max(1);
        for calls in [self.granted.max(self.usual).clamp(1, most), 1] {
            if take(u64::from(calls) * self.max_reply) {
                self.granted += calls;
                return true;
            }
        }
        false
    }

    /// Bytes of the node's budget that one more call needs; zero while one is granted.
    pub(crate) fn need(&self) -> u64 {
        if self.started < self.granted {
            0
        } else {
            self.max_reply
        }
    }

    /// Returns the grants of calls that have not started; returns the bytes that the others hold.
    pub(crate) fn settle(&mut self) -> u64 {
        if self.begun > 0 {
            self.usual = std::mem::take(&mut self.begun);
        }
        self.granted = self.started;
        u64::from(self.granted) * self.max_reply
    }

    /// Notes that a call starts.
    pub(crate) fn start(&mut self) {
        self.started += 1;
        self.begun += 1;
    }

    /// Notes that this many calls were answered.
    pub(crate) fn answered(&mut self, calls: u32) {
        debug_assert!(calls <= self.started, "every reply answers one call");
        self.started = self.started.saturating_sub(calls);
    }

    /// Number of calls that have started and are not answered.
    pub(crate) fn in_flight(&self) -> u32 {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_flight_and_unsent_bytes_both_close_admission() {
        let limits = Limits {
            max_in_flight: 3,
            max_reply: 100,
            max_unsent: 250,
            ..Limits::default()
        };
        let mut admission = Admission::new(&limits);
        admission.known();
        assert!(admission.is_open(150));
        assert!(!admission.is_open(151));
        admission.start();
        assert!(admission.is_open(50));
        assert!(!admission.is_open(51));
        admission.start();
        assert!(!admission.is_open(0));
        admission.answered(2);
        assert_eq!(admission.in_flight(), 0);
        assert!(!admission.is_open(u64::MAX));

        let many = Limits {
            max_in_flight: 3,
            ..Limits::default()
        };
        let mut admission = Admission::new(&many);
        admission.known();
        for _ in 0..3 {
            assert!(admission.is_open(0));
            admission.start();
        }
        assert!(!admission.is_open(0));
    }
}
