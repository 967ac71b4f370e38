//! Names that the engine and its driver give to things.

use core::fmt;
use core::num::NonZeroU64;

/// A connection, numbered when it is accepted; zero is never used, and no number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(NonZeroU64);

impl ConnId {
    /// The first connection.
    pub const FIRST: ConnId = ConnId(NonZeroU64::MIN);

    /// The connection of this number, none for zero.
    pub const fn new(number: u64) -> Option<ConnId> {
        match NonZeroU64::new(number) {
            Some(number) => Some(ConnId(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The connection after it.
    #[must_use]
    pub const fn next(self) -> ConnId {
        ConnId(self.0.saturating_add(1))
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A request: the connection that it arrived on, and its transaction id. A retransmission on that connection
/// has the same name, and is the same request. [RFC 8881 §2.10.6.2]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// The connection.
    pub conn: ConnId,
    /// The transaction id.
    pub xid: u32,
}

/// As log lines have it: `12.5f3a0001`, the xid in hexadecimal digits.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08x}", self.conn, self.xid)
    }
}

/// A connection that the engine wants to be made, numbered by the engine; no number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialId(u64);

impl DialId {
    /// The dial of this number.
    pub const fn new(number: u64) -> DialId {
        DialId(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Bytes as people write them: two lower-case hexadecimal digits each.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
