//! How long leases are, when that has changed. [RFC 8881 §5.8.1.11]

use alloc::vec::Vec;
use core::time::Duration;

/// How long the lease of each client is.
///
/// A client keeps the `lease_time` that it once got, and asks again only when it starts anew.
/// So a longer lease is for all at once, and a shorter one for those that come after it.
#[derive(Debug)]
pub(crate) struct LeaseTerms {
    now: Duration,
    /// For each time that it became shorter, the longest that it was then or later.
    before: Vec<Duration>,
}

/// LeaseTermSince when a client is there: how often leases had become shorter before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseTermSince(usize);

impl LeaseTerms {
    pub(crate) fn new(now: Duration) -> LeaseTerms {
        let before = Vec::new();
        LeaseTerms { now, before }
    }

    /// What a client that comes now is to remember.
    pub(crate) fn since(&self) -> LeaseTermSince {
        LeaseTermSince(self.before.len())
    }

    /// How long the lease of a client is.
    pub(crate) fn of(&self, since: LeaseTermSince) -> Duration {
        let before = self.before.get(since.0).copied();
        before.map_or(self.now, |before| before.max(self.now))
    }

    pub(crate) fn change(&mut self, to: Duration) {
        let was = core::mem::replace(&mut self.now, to);
        if to < was {
            // By an operator, and so a short list.
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
    fn a_client_keeps_the_longest_that_it_can_have_been_told() {
        let second = Duration::from_secs;
        let mut terms = LeaseTerms::new(second(90));
        let first = terms.since();
        terms.change(second(10));
        let second_one = terms.since();
        assert_eq!(
            [first, second_one].map(|who| terms.of(who)),
            [90, 10].map(second)
        );
        terms.change(second(200));
        let third = terms.since();
        let all = [first, second_one, third];
        assert_eq!(all.map(|who| terms.of(who)), [200; 3].map(second));
        terms.change(second(20));
        assert_eq!(all.map(|who| terms.of(who)), [200; 3].map(second));
        assert_eq!(terms.of(terms.since()), second(20));
    }
}
