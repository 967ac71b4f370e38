//! How long a client may be silent. [RFC 8881 §8.3]

use core::time::Duration;

use crate::time::Mono;

/// A client's lease. It does not run out while a request of the client is being executed, and
/// counts anew from its reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    renewed: Mono,
    running: u32,
}

impl Lease {
    pub(crate) fn new(now: Mono) -> Lease {
        Lease {
            renewed: now,
            running: 0,
        }
    }

    /// When it was last renewed.
    pub(crate) fn renewed(&self) -> Mono {
        self.renewed
    }

    pub(crate) fn renew(&mut self, now: Mono) {
        self.renewed = self.renewed.max(now);
    }

    /// A request begins, which renews.
    pub(crate) fn begin(&mut self, now: Mono) {
        self.renew(now);
        self.running += 1;
    }

    /// A request ends, which renews.
    pub(crate) fn end(&mut self, now: Mono) {
        self.renew(now);
        debug_assert!(self.running > 0, "what ends has begun");
        self.running = self.running.saturating_sub(1);
    }

    /// Adds what else was seen of the client: when it was last renewed, and by how many requests it
    /// is held.
    pub(crate) fn join(&mut self, renewed: Mono, running: u32) {
        self.renew(renewed);
        self.running += running;
    }

    /// The clock decides, not the moment of the check.
    pub(crate) fn is_expired(&self, now: Mono, length: Duration) -> bool {
        self.running == 0 && now > self.renewed.after(length)
    }

    /// How many requests hold it.
    pub(crate) fn running(&self) -> u32 {
        self.running
    }

    /// The first moment at which it can be expired.
    pub(crate) fn next_check(&self, now: Mono, length: Duration) -> Mono {
        let from = if self.running > 0 { now } else { self.renewed };
        from.after(length).after(Duration::from_nanos(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_request_holds_the_lease() {
        let length = Duration::from_nanos(10);
        let at = Mono::from_nanos;
        let mut lease = Lease::new(at(0));
        assert!(!lease.is_expired(at(10), length));
        assert!(lease.is_expired(at(11), length));
        lease.begin(at(5));
        assert!(!lease.is_expired(at(1_000), length));
        lease.end(at(1_000));
        assert!(!lease.is_expired(at(1_010), length));
        assert!(lease.is_expired(at(1_011), length));
        assert_eq!(lease.next_check(at(1_005), length), at(1_011));
    }
}
