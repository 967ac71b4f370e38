//! How long leases are, when that has changed. [RFC 8881 §5.8.1.11]

use alloc::vec::Vec;
use core::time::Duration;

/// How long the lease of each client is.
///
/// A client goes by what it was once told of `lease_time`, and asks again only when it starts anew.
/// So a longer lease is for all at once, and a shorter one for those that come after it.
#[derive(Debug)]
pub(crate) struct Terms {
    now: Duration,
    /// For each time that it became shorter, the longest that it was then or later.
    before: Vec<Duration>,
}

/// Since when a client is there: how often leases had become shorter before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since(usize);

impl Terms {
    pub(crate) fn new(now: Duration) -> Terms {
        let before = Vec::new();
        Terms { now, before }
    }

    /// What a client that comes now is to remember.
    pub(crate) fn since(&self) -> Since {
        Since(self.before.len())
    }

    /// How long the lease of a client is.
    pub(crate) fn of(&self, since: Since) -> Duration {
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
        let mut terms = Terms::new(second(90));
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
