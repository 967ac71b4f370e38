//! Byte-range locks and stateids.

use crate::nfs4::Status;
use crate::nfs4::basic::{LockType, Owner, Stateid};
use crate::xdr::{List, xdr};

xdr! {
    /// Results of LOCK [RFC 8881 §18.10].
    struct LockOk {
        lock_stateid: Stateid,
    }

    /// The conflicting lock: with `NFS4ERR_DENIED` from LOCK and LOCKT [RFC 8881 §18.10].
    struct LockDenied<'a> {
        offset: u64,
        length: u64,
        locktype: LockType,
        owner: Owner<'a>,
    }

    /// Results of LOCKU [RFC 8881 §18.12].
    struct LockUOk {
        lock_stateid: Stateid,
    }

    /// Results of TEST_STATEID [RFC 8881 §18.48].
    struct TestStateidOk<'a> {
        status_codes: List<'a, Status>,
    }
}
