//! Byte-range locks, stateids and delegations that go back.

use crate::limits::MAX_TEST_STATEIDS;
use crate::nfs4::basic::{LockType, Owner, Stateid};
use crate::xdr::{List, xdr};

xdr! {
    /// Arguments of LOCK [RFC 8881 §18.10].
    struct Lock<'a> {
        locktype: LockType,
        reclaim: bool,
        offset: u64,
        length: u64,
        locker: Locker<'a>,
    }

    /// Whether the lock owner is new to the server [RFC 8881 §18.10].
    union Locker<'a> {
        1 => New(open_owner: OpenToLockOwner<'a>),
        0 => Existing(lock_owner: ExistLockOwner),
    }

    /// The lock owner that comes to an open [RFC 8881 §18.10].
    struct OpenToLockOwner<'a> {
        open_seqid: u32,
        open_stateid: Stateid,
        lock_seqid: u32,
        lock_owner: Owner<'a>,
    }

    /// A lock owner that has locks already [RFC 8881 §18.10].
    struct ExistLockOwner {
        lock_stateid: Stateid,
        lock_seqid: u32,
    }

    /// Arguments of LOCKT [RFC 8881 §18.11].
    struct LockT<'a> {
        locktype: LockType,
        offset: u64,
        length: u64,
        owner: Owner<'a>,
    }

    /// Arguments of LOCKU [RFC 8881 §18.12].
    struct LockU {
        locktype: LockType,
        seqid: u32,
        lock_stateid: Stateid,
        offset: u64,
        length: u64,
    }

    /// Arguments of FREE_STATEID [RFC 8881 §18.38].
    struct FreeStateid {
        stateid: Stateid,
    }

    /// Arguments of TEST_STATEID [RFC 8881 §18.48].
    struct TestStateid<'a> {
        stateids: List<'a, Stateid> [max MAX_TEST_STATEIDS],
    }

    /// Arguments of DELEGRETURN [RFC 8881 §18.6].
    struct DelegReturn {
        deleg_stateid: Stateid,
    }
}
