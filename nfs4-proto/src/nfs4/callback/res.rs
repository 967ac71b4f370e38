//! The results of callback operations that succeeded, without the status.
//!
//! An operation without a type here has no results but its status.

use crate::nfs4::attr::FattrRaw;
use crate::nfs4::basic::SessionId;
use crate::xdr::xdr;

xdr! {
    /// Results of CB_GETATTR [RFC 8881 §20.1].
    struct CbGetAttrOk<'a> {
        obj_attributes: FattrRaw<'a>,
    }

    /// Results of CB_SEQUENCE [RFC 8881 §20.9].
    struct CbSequenceOk {
        sessionid: SessionId,
        sequenceid: u32,
        slotid: u32,
        highest_slotid: u32,
        target_highest_slotid: u32,
    }
}
