//! Leases of clients. [RFC 8881 §8.3]

use core::time::Duration;

use crate::time::Mono;

/// A client's lease. It does not expire while a request of the client is in execution, and the reply
/// renews it.
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

    /// A request begins, which renews the lease.
    pub(crate) fn begin(&mut self, now: Mono) {
        self.renew(now);
        self.running += 1;
    }

    /// A request ends, which renews the lease.
    pub(crate) fn end(&mut self, now: Mono) {
        self.renew(now);
        debug_assert!(self.running > 0, "a request that ends has begun");
        self.running = self.running.saturating_sub(1);
    }

    /// Adds what one of the client's sessions knows: when it renewed the lease, and how many of its
    /// requests are in execution.
    pub(crate) fn join(&mut self, renewed: Mono, running: u32) {
        self.renew(renewed);
        self.running += running;
    }

    /// Whether the lease has expired at `now`, by the clock and not by when this is checked.
    pub(crate) fn is_expired(&self, now: Mono, length: Duration) -> bool {
        self.running == 0 && now > self.renewed.after(length)
    }

    /// Number of requests in execution, during which it does not expire.
    pub(crate) fn running(&self) -> u32 {
        self.running
    }

    /// The first time at which it can have expired.
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
