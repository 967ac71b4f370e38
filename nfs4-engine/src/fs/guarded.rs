//! What keeps other processes from files that are delegated.

use super::Backend;

/// What keeps processes that are no clients of this server from delegated files of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// Nothing: no file is delegated.
    Not,
    /// There are none, or they ask first.
    Private,
    /// The file system, as long as it leases the file.
    Leases,
}

impl Guarded {
    pub(crate) fn of(backend: &dyn Backend) -> Guarded {
        if backend.is_private() {
            Guarded::Private
        } else if backend.leases() {
            Guarded::Leases
        } else {
            Guarded::Not
        }
    }
}
