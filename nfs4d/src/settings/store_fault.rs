//! Why stored settings are not read.

use std::io;

/// Why stored settings cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFault {
    /// The operating system refuses it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is longer than any that a server writes.
    #[error("it is longer than {} bytes, and none of nfs4d's", LONGEST)]
    TooLong,
    /// It is not JSON.
    #[error("it is no JSON: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is JSON of another form.
    #[error("{0}")]
    Form(&'static str),
    /// A later version has written it.
    #[error(
        "its version is {0}, and this nfs4d knows none after {VERSION}: a later nfs4d has written it"
    )]
    Newer(u64),
    /// Fields are wrong.
    #[error("{}", .0.join("; "))]
    Fields(Vec<String>),
}

/// The version of the form of stored settings.
pub(super) const VERSION: u64 = 1;
/// Their maximum length, in bytes: all settings with all operations blocked take a tenth of it.
pub(super) const LONGEST: u64 = 64 << 10;
