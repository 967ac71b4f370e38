//! Opens [RFC 8881 §18.16].

use crate::nfs4::attr::Bitmap;
use crate::nfs4::basic::{Ace, ChangeInfo, Stateid};
use crate::nfs4::consts::{NFS_LIMIT_BLOCKS, NFS_LIMIT_SIZE, WND4_CONTENTION, WND4_RESOURCE};
use crate::xdr::xdr;

xdr! {
    /// Results of OPEN [RFC 8881 §18.16].
    struct OpenOk<'a> {
        stateid: Stateid,
        cinfo: ChangeInfo,
        rflags: u32,
        attrset: Bitmap,
        delegation: OpenDelegation<'a>,
    }

    /// The delegation that comes with an open, or why none does [RFC 8881 §18.16].
    union OpenDelegation<'a> {
        0 => None,
        1 => Read(read: ReadDelegation<'a>),
        2 => Write(write: WriteDelegation<'a>),
        3 => NoneExt(whynone: NoDelegation),
    }

    /// A read delegation [RFC 8881 §18.16].
    struct ReadDelegation<'a> {
        stateid: Stateid,
        recall: bool,
        permissions: Ace<'a>,
    }

    /// A write delegation [RFC 8881 §18.16].
    struct WriteDelegation<'a> {
        stateid: Stateid,
        recall: bool,
        space_limit: SpaceLimit,
        permissions: Ace<'a>,
    }

    /// How much a client may cache before it writes [RFC 8881 §18.16].
    union SpaceLimit {
        NFS_LIMIT_SIZE => Size(filesize: u64),
        NFS_LIMIT_BLOCKS => Blocks {
            num_blocks: u32,
            bytes_per_block: u32,
        },
    }

    /// Why there is no delegation; the reasons without a body are [`WhyNone`](Self::WhyNone)
    /// [RFC 8881 §18.16].
    union NoDelegation {
        WND4_CONTENTION => Contention(server_will_push_deleg: bool),
        WND4_RESOURCE => Resource(server_will_signal_avail: bool),
        ; default WhyNone
    }

    /// Results of OPEN_DOWNGRADE [RFC 8881 §18.18].
    struct OpenDowngradeOk {
        open_stateid: Stateid,
    }

    /// Results of CLOSE [RFC 8881 §18.2].
    struct CloseOk {
        open_stateid: Stateid,
    }
}
