//! The share that an OPEN or an OPEN_DOWNGRADE asks for. [RFC 8881 §9.7]

use nfs4_proto::nfs4::consts::{
    OPEN4_SHARE_ACCESS_WANT_DELEG_MASK, OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS,
    OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION,
    OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED,
    OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL,
};
use nfs4_proto::nfs4::status::Status;

use crate::state::file::Share;

/// The access and deny bits, without the WANT flags.
///
/// # Errors
/// INVAL for no access, and for bits beyond read and write.
pub(super) fn share(access: u32, deny: u32) -> Result<Share, Status> {
    let share = Share {
        access: access & !WANT_BITS,
        deny,
    };
    if (1..=3).contains(&share.access) && share.deny <= 3 {
        Ok(share)
    } else {
        Err(Status::INVAL)
    }
}

/// The WANT flags in `share_access`. Bits beyond those that `open_arguments` lists are ignored.
pub(super) const WANT_BITS: u32 = OPEN4_SHARE_ACCESS_WANT_DELEG_MASK
    | OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL
    | OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED
    | OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS
    | OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION;
