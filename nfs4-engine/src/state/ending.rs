//! How opens, locks and delegations end.

use nfs4_proto::nfs4::status::Status;

use crate::slab::{Entry, Key, Slab};

/// How an open or a lock comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its owner asked for it.
    Asked,
    /// It was taken from its owner.
    Lost,
}

/// What is said of a stateid that names nothing any more.
pub(super) fn gone<T: Entry>(table: &Slab<T>, key: Key<T::Kind>) -> Status {
    if table.was_lost(key) {
        Status::EXPIRED
    } else {
        Status::BAD_STATEID
    }
}
