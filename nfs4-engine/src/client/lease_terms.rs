//! The lease time, when the setting has changed. [RFC 8881 §5.8.1.11]

use alloc::vec::Vec;
use core::time::Duration;

/// The lease time of each client.
///
/// A client keeps the `lease_time` that it once got, and queries it again only when it starts anew.
/// So a longer lease time holds for all clients at once, and a shorter one for new clients.
#[derive(Debug)]
pub(crate) struct LeaseTerms {
    now: Duration,
    /// The shortest that it has been.
    shortest: Duration,
    /// For each time that the lease time became shorter, the longest that it was just before or later.
    before: Vec<Duration>,
}

/// When a client came: the number of times that the lease time had become shorter before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseTermSince(usize);

impl LeaseTerms {
    pub(crate) fn new(now: Duration) -> LeaseTerms {
        let before = Vec::new();
        LeaseTerms {
            now,
            shortest: now,
            before,
        }
    }

    /// The value to keep for a client that comes now.
    pub(crate) fn since(&self) -> LeaseTermSince {
        LeaseTermSince(self.before.len())
    }

    /// The lease time of a client.
    pub(crate) fn of(&self, since: LeaseTermSince) -> Duration {
        let before = self.before.get(since.0).copied();
        before.map_or(self.now, |before| before.max(self.now))
    }

    /// The shortest lease time that there has been: no client has a shorter one.
    pub(crate) fn shortest(&self) -> Duration {
        self.shortest
    }

    pub(crate) fn change(&mut self, to: Duration) {
        self.shortest = self.shortest.min(to);
        let was = core::mem::replace(&mut self.now, to);
        if to < was {
            // Administrators change it, so the list is short.
            for before in &mut self.before {
                *before = was.max(*before);
            }
            self.before.push(was);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_keeps_the_longest_lease_time_that_it_may_know() {
        let second = Duration::from_secs;
        let mut terms = LeaseTerms::new(second(90));
        let first = terms.since();
        terms.change(second(10));
        let second_one = terms.since();
        assert_eq!(
            [first, second_one].map(|since| terms.of(since)),
            [90, 10].map(second)
        );
        terms.change(second(200));
        let third = terms.since();
        let all = [first, second_one, third];
        assert_eq!(all.map(|since| terms.of(since)), [200; 3].map(second));
        terms.change(second(20));
        assert_eq!(all.map(|since| terms.of(since)), [200; 3].map(second));
        assert_eq!(terms.of(terms.since()), second(20));
    }
}
