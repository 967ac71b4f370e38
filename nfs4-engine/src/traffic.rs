//! What a client or a session has done.

use core::time::Duration;

/// What a client or a session has done since it was made: counts that only rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Traffic {
    /// COMPOUNDs executed; a retransmission is none.
    pub compounds: u64,
    /// Operations executed.
    pub operations: u64,
    /// Bytes that READ returned.
    pub bytes_read: u64,
    /// Bytes that WRITE wrote.
    pub bytes_written: u64,
    /// Time from the arrivals of the COMPOUNDs to their replies, in microseconds.
    pub busy_micros: u64,
}

/// Bytes that a COMPOUND has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    // A COMPOUND moves no more than its replies and its request hold.
    pub(crate) read: u32,
    pub(crate) written: u32,
}

impl Traffic {
    /// Counts a COMPOUND.
    #[inline]
    pub(crate) fn count(&mut self, operations: u32, moved: Moved, took: Duration) {
        self.compounds += 1;
        self.operations += u64::from(operations);
        self.bytes_read += u64::from(moved.read);
        self.bytes_written += u64::from(moved.written);
        self.busy_micros += took.as_micros() as u64;
    }

    /// Adds what another has done.
    pub(crate) fn add(&mut self, other: Traffic) {
        self.compounds += other.compounds;
        self.operations += other.operations;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.busy_micros += other.busy_micros;
    }
}
