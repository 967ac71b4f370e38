//! Calls that wait for others to be answered.

use std::collections::VecDeque;

use nfs4_engine::bytes::Bytes;

use crate::limits::Limits;

/// Records of calls that are read and may not start yet.
///
/// While a connection has as many calls in flight as it may, nothing is read from it. But a peer
/// that was called back on it owes a reply, which stands in the stream behind the calls it went on
/// sending. So as long as replies are owed, reading continues, and calls wait here, until one more than
/// may be in flight is found instead of a reply, or they have as many bytes as a record may.
#[derive(Debug)]
pub(crate) struct Backlog {
    records: VecDeque<Bytes>,
    bytes: usize,
    max_records: usize,
    max_bytes: usize,
    /// Callbacks that were sent and not replied to.
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

    /// This many callbacks leave.
    pub(crate) fn called(&mut self, callbacks: u32) {
        self.owed = self.owed.saturating_add(callbacks);
    }

    /// A reply came. It may be to no call of ours, so this is not exact; a peer that does so gets
    /// its own replies read late.
    pub(crate) fn replied(&mut self) {
        self.owed = self.owed.saturating_sub(1);
    }

    /// Whether reading continues although no call may start.
    pub(crate) fn looks_for_replies(&self) -> bool {
        self.owed > 0 && self.records.len() <= self.max_records && self.bytes < self.max_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the records that wait.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// A call that may not start, behind the others.
    pub(crate) fn push(&mut self, record: Bytes) {
        self.bytes += record.len();
        self.records.push_back(record);
    }

    /// The call that came first.
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
