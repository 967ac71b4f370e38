//! What a client or a session has done.

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

/// What is counted: as [`Traffic`], but the time in nanoseconds, of which short requests have few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountedTraffic {
    compounds: u64,
    operations: u64,
    read: u64,
    written: u64,
    busy_nanos: u64,
}

impl CountedTraffic {
    /// Counts a COMPOUND.
    #[inline]
    pub(crate) fn count(&mut self, operations: u32, moved: Moved, nanos: u64) {
        self.compounds += 1;
        self.operations += u64::from(operations);
        self.read += u64::from(moved.read);
        self.written += u64::from(moved.written);
        self.busy_nanos += nanos;
    }

    /// Adds what another has done.
    pub(crate) fn add(&mut self, other: CountedTraffic) {
        self.compounds += other.compounds;
        self.operations += other.operations;
        self.read += other.read;
        self.written += other.written;
        self.busy_nanos += other.busy_nanos;
    }
}

impl From<CountedTraffic> for Traffic {
    fn from(counted: CountedTraffic) -> Traffic {
        Traffic {
            compounds: counted.compounds,
            operations: counted.operations,
            bytes_read: counted.read,
            bytes_written: counted.written,
            busy_micros: counted.busy_nanos / 1_000,
        }
    }
}
