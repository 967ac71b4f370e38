//! Which requests and callbacks that take long are reported: a few in some seconds, of each host and of
//! all.

use alloc::vec::Vec;
use core::time::Duration;

use crate::event::Event;
use crate::keys::PartyKey;
use crate::slab::{Entry, Key, Slab};
use crate::time::Mono;

/// What was reported lately, and where the search for more continues.
pub(crate) struct SlowLog {
    /// Time from which a request or callback is slow; [`Duration::MAX`] if none is.
    pub(crate) threshold: Duration,
    /// The same in nanoseconds.
    pub(crate) threshold_nanos: u64,
    /// A timer for the next search is set, or there is never one.
    pub(crate) armed: bool,
    /// When that timer is due, if there is one.
    pub(crate) next: Mono,
    pub(crate) search: Search,
    /// End of the interval that the counts are for.
    until: Mono,
    /// Number of reports in this interval.
    reports: u32,
    /// The same for each host that had one.
    hosts: Vec<(Option<PartyKey>, u32)>,
    /// Numbers of requests and callbacks that were not reported.
    unreported: (u64, u64),
}

/// A search through all that wait, a few at a time.
#[derive(Clone, Copy)]
pub(crate) struct Search {
    /// The place from which it continues in each table; none in a table that it has walked.
    from: [Option<u32>; 3],
    /// The earliest time at which something that it has seen becomes slow.
    earliest: Mono,
}

/// A table of what waits.
#[derive(Clone, Copy)]
pub(crate) enum Waiting {
    /// Parked COMPOUNDs.
    Compounds,
    /// Callbacks of sessions.
    Calls,
    /// Callbacks of minor version 0.
    PathCalls,
}

/// Whether something that waits was reported as slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It was not slow.
    No,
    /// It was counted only.
    Counted,
    Yes,
}

/// What is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    Request,
    Callback,
}

impl Search {
    pub(crate) const fn new() -> Search {
        Search {
            from: [Some(0); 3],
            earliest: Mono::NEVER,
        }
    }

    /// Walks over the next places of a table. `since` says when an entry began to wait, if it is to be
    /// reported once it is slow. Returns the entries that are.
    pub(crate) fn walk<T: Entry>(
        &mut self,
        table: Waiting,
        entries: &Slab<T>,
        threshold: Duration,
        now: Mono,
        since: impl Fn(&T) -> Option<Mono>,
    ) -> Vec<Key<T::Kind>> {
        let mut slow = Vec::new();
        let Some(next) = self.from.get_mut(table as usize) else {
            return slow;
        };
        let Some(from) = *next else {
            return slow;
        };
        let mut seen = 0;
        for (key, entry) in entries.places_from(from).take(LOOKED_AT as usize) {
            seen += 1;
            let Some(since) = entry.and_then(&since) else {
                continue;
            };
            let at = since.after(threshold);
            if at <= now {
                slow.push(key);
            } else {
                self.earliest = self.earliest.min(at);
            }
        }
        *next = (seen == LOOKED_AT).then_some(from + LOOKED_AT);
        slow
    }

    /// Whether all is walked.
    pub(crate) fn is_done(&self) -> bool {
        self.from.iter().all(Option::is_none)
    }
}

impl SlowLog {
    /// Reports what takes this long; zero is never.
    pub(crate) const fn new(threshold: Duration) -> SlowLog {
        let off = threshold.is_zero();
        let threshold = if off { Duration::MAX } else { threshold };
        SlowLog {
            threshold,
            threshold_nanos: nanos_of(threshold),
            armed: off,
            next: Mono::ZERO,
            search: Search::new(),
            until: Mono::ZERO,
            reports: 0,
            hosts: Vec::new(),
            unreported: (0, 0),
        }
    }

    /// Whether nothing is reported.
    pub(crate) fn is_off(&self) -> bool {
        self.threshold == Duration::MAX
    }

    /// Reports what takes this long from now on; zero is never. Returns whether that is new. The search begins
    /// anew.
    pub(crate) fn change(&mut self, threshold: Duration) -> bool {
        let SlowLog {
            threshold,
            threshold_nanos,
            armed,
            search,
            ..
        } = SlowLog::new(threshold);
        if threshold == self.threshold {
            return false;
        }
        (self.threshold, self.threshold_nanos) = (threshold, threshold_nanos);
        (self.armed, self.search) = (armed, search);
        true
    }

    /// Whether something of this host that is slow is reported; if not, it is counted.
    pub(crate) fn admits(&mut self, what: Slow, host: Option<PartyKey>, now: Mono) -> Reported {
        if now >= self.until {
            self.until = now.after(INTERVAL);
            self.reports = 0;
            self.hosts.clear();
        }
        let known = self.hosts.iter_mut().find(|(known, _)| *known == host);
        let of_host = known.as_ref().map_or(0, |(_, reports)| *reports);
        if self.reports >= MOST || of_host >= MOST_OF_HOST {
            let (requests, callbacks) = &mut self.unreported;
            let count = match what {
                Slow::Request => requests,
                Slow::Callback => callbacks,
            };
            *count = count.saturating_add(1);
            return Reported::Counted;
        }
        self.reports += 1;
        match known {
            Some((_, reports)) => *reports += 1,
            None => self.hosts.push((host, 1)),
        }
        Reported::Yes
    }

    /// The report of those that were not reported, at the end of an interval.
    pub(crate) fn summary(&mut self, now: Mono) -> Option<Event> {
        if !self.owes_summary() || now < self.until {
            return None;
        }
        let (requests, callbacks) = core::mem::take(&mut self.unreported);
        Some(Event::SlowUnreported {
            requests,
            callbacks,
        })
    }

    /// Whether a summary is due at the end of the interval.
    pub(crate) fn owes_summary(&self) -> bool {
        self.unreported != (0, 0)
    }

    /// When the next search begins, the last one being over.
    pub(crate) fn next_search(&self, now: Mono) -> Mono {
        // What comes later than the last search becomes slow later than this.
        let next = self.search.earliest.min(now.after(self.threshold));
        next.max(now.after(PAUSE))
    }
}

const fn nanos_of(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}

/// Minimum time between two searches.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);
/// Time for which reports are counted.
const INTERVAL: Duration = Duration::from_secs(10);
/// Number of places of a table that one step of a search looks at.
const LOOKED_AT: u32 = 64;
/// Maximum number of reports in that time, and of those that concern one host.
const MOST: u32 = 20;
const MOST_OF_HOST: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u32) -> Option<PartyKey> {
        Some(PartyKey::new(number, 1))
    }

    #[test]
    fn a_host_and_all_hosts_have_a_number_of_reports_and_the_rest_is_counted() {
        let mut log = SlowLog::new(Duration::from_secs(1));
        let now = Mono::ZERO;
        let admitted = |log: &mut SlowLog, of, tries, now| {
            (0..tries)
                .filter(|_| log.admits(Slow::Request, host(of), now) == Reported::Yes)
                .count()
        };
        assert_eq!(admitted(&mut log, 0, 100, now), MOST_OF_HOST as usize);
        assert_eq!(admitted(&mut log, 1, 2, now), 2, "another host has its own");
        let others: usize = (2..100).map(|of| admitted(&mut log, of, 10, now)).sum();
        assert_eq!(others, MOST as usize - MOST_OF_HOST as usize - 2);
        let other = log.admits(Slow::Callback, host(200), now);
        assert_eq!(other, Reported::Counted);
        assert!(log.hosts.len() <= MOST as usize);
        assert_eq!(log.summary(now), None, "not before the end of the interval");
        let later = now.after(INTERVAL);
        let requests = 96 + 980 - others as u64;
        let callbacks = 1;
        let summary = Event::SlowUnreported {
            requests,
            callbacks,
        };
        assert_eq!(log.summary(later), Some(summary));
        assert_eq!(log.summary(later), None);
        assert_eq!(admitted(&mut log, 0, 100, later), MOST_OF_HOST as usize);
    }

    #[test]
    fn without_a_threshold_no_search_begins() {
        let log = SlowLog::new(Duration::ZERO);
        assert!(log.armed);
        assert_eq!(log.threshold, Duration::MAX);
    }
}
