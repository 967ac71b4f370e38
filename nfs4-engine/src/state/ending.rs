//! How opens, locks and delegations end.

use nfs4_proto::nfs4::status::Status;

use crate::slab::{Entry, Key, Slab};

/// Why an open, a lock or a delegation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client requested it.
    Asked,
    /// The server took it from the client.
    Lost,
}

/// The status for a stateid whose state has ended.
pub(super) fn gone<T: Entry>(table: &Slab<T>, key: Key<T::Kind>) -> Status {
    if table.was_lost(key) {
        Status::EXPIRED
    } else {
        Status::BAD_STATEID
    }
}
