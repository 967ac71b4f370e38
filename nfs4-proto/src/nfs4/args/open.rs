//! Opens [RFC 8881 §18.16].

use crate::limits::MAX_NAME;
use crate::nfs4::attr::FattrRaw;
use crate::nfs4::basic::{DelegationType, Owner, Stateid, Verifier};
use crate::nfs4::consts::{
    CLAIM_DELEG_CUR_FH, CLAIM_DELEG_PREV_FH, CLAIM_DELEGATE_CUR, CLAIM_DELEGATE_PREV, CLAIM_FH,
    CLAIM_NULL, CLAIM_PREVIOUS, EXCLUSIVE4, EXCLUSIVE4_1, GUARDED4, OPEN4_CREATE, OPEN4_NOCREATE,
    UNCHECKED4,
};
use crate::xdr::xdr;

xdr! {
    /// Arguments of OPEN [RFC 8881 §18.16].
    struct Open<'a> {
        seqid: u32,
        share_access: u32,
        share_deny: u32,
        owner: Owner<'a>,
        openhow: OpenFlag<'a>,
        claim: OpenClaim<'a>,
    }

    /// Whether OPEN creates [RFC 8881 §18.16].
    union OpenFlag<'a> {
        OPEN4_NOCREATE => NoCreate,
        OPEN4_CREATE => Create(how: CreateHow<'a>),
    }

    /// What OPEN does if the file is there already [RFC 8881 §18.16].
    union CreateHow<'a> {
        UNCHECKED4 => Unchecked(createattrs: FattrRaw<'a>),
        GUARDED4 => Guarded(createattrs: FattrRaw<'a>),
        EXCLUSIVE4 => Exclusive(createverf: Verifier),
        EXCLUSIVE4_1 => Exclusive41 {
            verf: Verifier,
            attrs: FattrRaw<'a>,
        },
    }

    /// By what right a file is opened [RFC 8881 §18.16].
    union OpenClaim<'a> {
        CLAIM_NULL => Null(file: &'a [u8] [max MAX_NAME]),
        CLAIM_PREVIOUS => Previous(delegate_type: DelegationType),
        CLAIM_DELEGATE_CUR => DelegateCur {
            delegate_stateid: Stateid,
            file: &'a [u8] [max MAX_NAME],
        },
        CLAIM_DELEGATE_PREV => DelegatePrev(file: &'a [u8] [max MAX_NAME]),
        CLAIM_FH => Fh,
        CLAIM_DELEG_CUR_FH => DelegCurFh(delegate_stateid: Stateid),
        CLAIM_DELEG_PREV_FH => DelegPrevFh,
    }

    /// Arguments of OPEN_DOWNGRADE [RFC 8881 §18.18].
    struct OpenDowngrade {
        open_stateid: Stateid,
        seqid: u32,
        share_access: u32,
        share_deny: u32,
    }

    /// Arguments of CLOSE [RFC 8881 §18.2].
    struct Close {
        seqid: u32,
        open_stateid: Stateid,
    }
}
