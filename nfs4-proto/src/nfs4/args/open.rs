//! Opens [RFC 8881 §18.16].

use crate::limits::MAX_NAME;
use crate::nfs4::attr::FattrRaw;
use crate::nfs4::basic::{DelegationType, Owner, Stateid, Verifier};
use crate::xdr::xdr;

xdr! {
    /// Arguments of OPEN [RFC 8881 §18.16].
    struct Open<'a> {
        seqid: u32,
        share_access: u32,
        share_deny: u32,
        owner: Owner<'a>,
        openhow: OpenHow<'a>,
        claim: OpenClaim<'a>,
    }

    /// Whether OPEN creates [RFC 8881 §18.16].
    union OpenHow<'a> {
        0 => NoCreate,
        1 => Create(how: CreateHow<'a>),
    }

    /// What OPEN does if the file is there already [RFC 8881 §18.16].
    union CreateHow<'a> {
        0 => Unchecked(createattrs: FattrRaw<'a>),
        1 => Guarded(createattrs: FattrRaw<'a>),
        2 => Exclusive(createverf: Verifier),
        3 => Exclusive41 {
            verf: Verifier,
            attrs: FattrRaw<'a>,
        },
    }

    /// By what right a file is opened [RFC 8881 §18.16].
    union OpenClaim<'a> {
        0 => Null(file: &'a [u8] [max MAX_NAME]),
        1 => Previous(delegate_type: DelegationType),
        2 => DelegateCur {
            delegate_stateid: Stateid,
            file: &'a [u8] [max MAX_NAME],
        },
        3 => DelegatePrev(file: &'a [u8] [max MAX_NAME]),
        4 => Fh,
        5 => DelegCurFh(delegate_stateid: Stateid),
        6 => DelegPrevFh,
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
