//! The operations of 4.2 [RFC 7862 §15] and extended attributes [RFC 8276 §8.4].

use super::LayoutUpdate;
use crate::limits::MAX_NAME;
use crate::nfs4::attr::Bitmap;
use crate::nfs4::basic::{DeviceId, NetAddr, StableHow, Stateid};
use crate::nfs4::consts::{NFS4_OPAQUE_LIMIT, NL4_NAME, NL4_NETADDR, NL4_URL};
use crate::nfs4::{OpNum, Status};
use crate::xdr::{List, xdr};

xdr! {
    /// Arguments of ALLOCATE [RFC 7862 §15.1].
    struct Allocate {
        stateid: Stateid,
        offset: u64,
        length: u64,
    }

    /// Arguments of COPY [RFC 7862 §15.2].
    struct Copy<'a> {
        src_stateid: Stateid,
        dst_stateid: Stateid,
        src_offset: u64,
        dst_offset: u64,
        count: u64,
        consecutive: bool,
        synchronous: bool,
        source_server: List<'a, NetLoc<'a>>,
    }

    /// Where another server is [RFC 7862 §4.7].
    union NetLoc<'a> {
        NL4_NAME => Name(name: &'a [u8] [max NFS4_OPAQUE_LIMIT]),
        NL4_URL => Url(url: &'a [u8] [max NFS4_OPAQUE_LIMIT]),
        NL4_NETADDR => NetAddr(addr: NetAddr<'a>),
    }

    /// Arguments of COPY_NOTIFY [RFC 7862 §15.3].
    struct CopyNotify<'a> {
        src_stateid: Stateid,
        destination_server: NetLoc<'a>,
    }

    /// Arguments of DEALLOCATE [RFC 7862 §15.4].
    struct Deallocate {
        stateid: Stateid,
        offset: u64,
        length: u64,
    }

    /// Arguments of IO_ADVISE; the bits of the hints are [`IoAdviseType`] [RFC 7862 §15.5].
    struct IoAdvise {
        stateid: Stateid,
        offset: u64,
        count: u64,
        hints: Bitmap,
    }

    /// How a file is going to be used [RFC 7862 §15.5].
    enum IoAdviseType {
        Normal = 0 "IO_ADVISE4_NORMAL",
        Sequential = 1 "IO_ADVISE4_SEQUENTIAL",
        SequentialBackwards = 2 "IO_ADVISE4_SEQUENTIAL_BACKWARDS",
        Random = 3 "IO_ADVISE4_RANDOM",
        WillNeed = 4 "IO_ADVISE4_WILLNEED",
        WillNeedOpportunistic = 5 "IO_ADVISE4_WILLNEED_OPPORTUNISTIC",
        DontNeed = 6 "IO_ADVISE4_DONTNEED",
        NoReuse = 7 "IO_ADVISE4_NOREUSE",
        Read = 8 "IO_ADVISE4_READ",
        Write = 9 "IO_ADVISE4_WRITE",
        InitProximity = 10 "IO_ADVISE4_INIT_PROXIMITY",
    }

    /// Arguments of LAYOUTERROR [RFC 7862 §15.6].
    struct LayoutError<'a> {
        offset: u64,
        length: u64,
        stateid: Stateid,
        errors: List<'a, DeviceError>,
    }

    /// What went wrong with a device [RFC 7862 §15.6].
    struct DeviceError {
        deviceid: DeviceId,
        status: Status,
        opnum: OpNum,
    }

    /// Arguments of LAYOUTSTATS [RFC 7862 §15.7].
    struct LayoutStats<'a> {
        offset: u64,
        length: u64,
        stateid: Stateid,
        read: IoInfo,
        write: IoInfo,
        deviceid: DeviceId,
        layoutupdate: LayoutUpdate<'a>,
    }

    /// How many requests and bytes [RFC 7862 §15.7].
    struct IoInfo {
        count: u64,
        bytes: u64,
    }

    /// Arguments of OFFLOAD_CANCEL [RFC 7862 §15.8].
    struct OffloadCancel {
        stateid: Stateid,
    }

    /// Arguments of OFFLOAD_STATUS [RFC 7862 §15.9].
    struct OffloadStatus {
        stateid: Stateid,
    }

    /// Arguments of READ_PLUS [RFC 7862 §15.10].
    struct ReadPlus {
        stateid: Stateid,
        offset: u64,
        count: u32,
    }

    /// Data or nothing [RFC 7862 §15.10].
    enum DataContent {
        Data = 0 "NFS4_CONTENT_DATA",
        Hole = 1 "NFS4_CONTENT_HOLE",
    }

    /// Arguments of SEEK; `what` is a [`DataContent`], or an unknown one is
    /// `NFS4ERR_UNION_NOTSUPP` [RFC 7862 §15.11].
    struct Seek {
        stateid: Stateid,
        offset: u64,
        what: u32,
    }

    /// Arguments of WRITE_SAME [RFC 7862 §15.12].
    struct WriteSame<'a> {
        stateid: Stateid,
        stable: StableHow,
        adb: AppDataBlock<'a>,
    }

    /// A pattern that is repeated [RFC 7862 §8.1.1].
    struct AppDataBlock<'a> {
        offset: u64,
        block_size: u64,
        block_count: u64,
        reloff_blocknum: u64,
        block_num: u32,
        reloff_pattern: u64,
        pattern: &'a [u8],
    }

    /// Arguments of CLONE [RFC 7862 §15.13].
    struct Clone {
        src_stateid: Stateid,
        dst_stateid: Stateid,
        src_offset: u64,
        dst_offset: u64,
        count: u64,
    }

    /// Arguments of GETXATTR [RFC 8276 §8.4.1].
    struct GetXattr<'a> {
        name: &'a [u8] [max MAX_NAME],
    }

    /// Whether SETXATTR may create or replace [RFC 8276 §8.4.2].
    enum SetXattrOption {
        Either = 0 "SETXATTR4_EITHER",
        Create = 1 "SETXATTR4_CREATE",
        Replace = 2 "SETXATTR4_REPLACE",
    }

    /// Arguments of SETXATTR [RFC 8276 §8.4.2].
    struct SetXattr<'a> {
        option: SetXattrOption,
        key: &'a [u8] [max MAX_NAME],
        value: &'a [u8],
    }

    /// Arguments of LISTXATTRS [RFC 8276 §8.4.3].
    struct ListXattrs {
        cookie: u64,
        maxcount: u32,
    }

    /// Arguments of REMOVEXATTR [RFC 8276 §8.4.4].
    struct RemoveXattr<'a> {
        name: &'a [u8] [max MAX_NAME],
    }
}
