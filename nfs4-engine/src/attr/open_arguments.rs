//! The arguments of OPEN that the server understands. [RFC 9754 §2]

use nfs4_proto::nfs4::attr::{Bitmap, OpenArguments};
use nfs4_proto::nfs4::consts::{
    CLAIM_DELEG_CUR_FH, CLAIM_DELEGATE_CUR, CLAIM_FH, CLAIM_NULL, CLAIM_PREVIOUS, EXCLUSIVE4,
    EXCLUSIVE4_1, GUARDED4, OPEN_ARGS_SHARE_ACCESS_WANT_ANY_DELEG,
    OPEN_ARGS_SHARE_ACCESS_WANT_CANCEL, OPEN_ARGS_SHARE_ACCESS_WANT_NO_DELEG,
    OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_ACCESS_WRITE,
    OPEN4_SHARE_DENY_BOTH, OPEN4_SHARE_DENY_NONE, OPEN4_SHARE_DENY_READ, OPEN4_SHARE_DENY_WRITE,
    UNCHECKED4,
};

/// The arguments of OPEN that the server understands: each value is a bit of its set.
pub(super) const fn open_arguments() -> OpenArguments {
    OpenArguments {
        share_access: Bitmap::of(&[
            OPEN4_SHARE_ACCESS_READ,
            OPEN4_SHARE_ACCESS_WRITE,
            OPEN4_SHARE_ACCESS_BOTH,
        ]),
        share_deny: Bitmap::of(&[
            OPEN4_SHARE_DENY_NONE,
            OPEN4_SHARE_DENY_READ,
            OPEN4_SHARE_DENY_WRITE,
            OPEN4_SHARE_DENY_BOTH,
        ]),
        // Other values are accepted and have no effect.
        share_access_want: Bitmap::of(&[
            OPEN_ARGS_SHARE_ACCESS_WANT_ANY_DELEG,
            OPEN_ARGS_SHARE_ACCESS_WANT_NO_DELEG,
            OPEN_ARGS_SHARE_ACCESS_WANT_CANCEL,
        ]),
        open_claim: Bitmap::of(&[
            CLAIM_NULL,
            CLAIM_PREVIOUS,
            CLAIM_DELEGATE_CUR,
            CLAIM_FH,
            CLAIM_DELEG_CUR_FH,
        ]),
        create_mode: Bitmap::of(&[UNCHECKED4, GUARDED4, EXCLUSIVE4, EXCLUSIVE4_1]),
    }
}
