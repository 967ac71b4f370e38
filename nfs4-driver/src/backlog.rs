//! Calls that have been read and wait for a free place in flight.

use std::collections::VecDeque;

use nfs4_engine::bytes::Bytes;

use crate::limits::Limits;

/// Records of calls that have been read and may not start yet.
///
/// While a connection has its maximum of calls in flight, nothing is read from it. But a peer that
/// was called back owes a reply, which stands in the stream behind the calls that it went on
/// sending. While replies are owed, reading continues, and calls wait here until one more than may
/// be in flight was found instead of a reply, or their bytes exceed the longest record.
#[derive(Debug)]
pub(crate) struct Backlog {
    records: VecDeque<Bytes>,
    bytes: usize,
    max_records: usize,
    max_bytes: usize,
    /// Number of callbacks that were sent and not replied to.
    owed: u32,
}

impl Backlog {
    pub(crate) fn new(limits: &Limits) -> Backlog {
        Backlog {
            records: VecDeque::new(),
            bytes: 0,
            max_records: limits.max_in_flight as usize,
            max_bytes: limits.max_record as usize,
            owed: 0,
        }
    }

    /// Notes that this many callbacks are sent.
    pub(crate) fn called(&mut self, callbacks: u32) {
        self.owed = self.owed.saturating_add(callbacks);
    }

    /// Notes a reply. It may belong to no callback, so the count is not exact; a peer that sends
    /// such replies has its own replies read late.
    pub(crate) fn replied(&mut self) {
        self.owed = self.owed.saturating_sub(1);
    }

    /// Whether reading continues although no further call may start.
    pub(crate) fn looks_for_replies(&self) -> bool {
        self.owed > 0 && self.records.len() <= self.max_records && self.bytes < self.max_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Total length of the records that wait.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// Appends a call that may not start.
    pub(crate) fn push(&mut self, record: Bytes) {
        self.bytes += record.len();
        self.records.push_back(record);
    }

    /// Removes the call that arrived first.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let record = self.records.pop_front()?;
        self.bytes -= record.len();
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_bytes_are_bounded() {
        let limits = Limits {
            max_in_flight: 2,
            max_record: 10,
            ..Limits::default()
        };
        let mut backlog = Backlog::new(&limits);
        assert!(!backlog.looks_for_replies(), "nothing is owed");
        backlog.called(2);
        for _ in 0..3 {
            assert!(backlog.looks_for_replies());
            backlog.push(Bytes::from_static(b"abc"));
        }
        assert!(!backlog.looks_for_replies(), "three records");
        assert_eq!(backlog.pop().unwrap(), "abc");
        assert!(backlog.looks_for_replies());
        backlog.push(Bytes::from_static(b"abcdefg"));
        assert!(
            backlog.pop().is_some() && !backlog.looks_for_replies(),
            "ten bytes"
        );
        assert!(backlog.pop().is_some() && backlog.looks_for_replies());
        backlog.replied();
        assert!(backlog.looks_for_replies());
        backlog.replied();
        backlog.replied();
        assert!(!backlog.looks_for_replies());
        assert!(backlog.pop().is_some() && backlog.is_empty());
    }
}
