//! The operations of 4.2 [RFC 7862 §15] and extended attributes [RFC 8276 §8.4].

use crate::limits::MAX_NAME;
use crate::nfs4::Status;
use crate::nfs4::args::NetLoc;
use crate::nfs4::attr::Bitmap;
use crate::nfs4::basic::{ChangeInfo, StableHow, Stateid, Time, Verifier};
use crate::xdr::{List, xdr};

xdr! {
    /// Results of COPY [RFC 7862 §15.2].
    struct CopyOk {
        response: WriteResponse,
        requirements: CopyRequirements,
    }

    /// What was written, or the stateid of what is being written [RFC 7862 §15.2].
    struct WriteResponse {
        callback_id: Option<Stateid>,
        count: u64,
        committed: StableHow,
        writeverf: Verifier,
    }

    /// How a copy is made; also with `NFS4ERR_OFFLOAD_NO_REQS` from COPY [RFC 7862 §15.2].
    struct CopyRequirements {
        consecutive: bool,
        synchronous: bool,
    }

    /// Results of COPY_NOTIFY [RFC 7862 §15.3].
    struct CopyNotifyOk<'a> {
        lease_time: Time,
        stateid: Stateid,
        source_server: List<'a, NetLoc<'a>>,
    }

    /// Results of IO_ADVISE [RFC 7862 §15.5].
    struct IoAdviseOk {
        hints: Bitmap,
    }

    /// Results of OFFLOAD_STATUS [RFC 7862 §15.9].
    struct OffloadStatusOk {
        count: u64,
        complete: Option<Status>,
    }

    /// Results of READ_PLUS [RFC 7862 §15.10].
    struct ReadPlusOk<'a> {
        eof: bool,
        contents: List<'a, ReadPlusContent<'a>>,
    }

    /// One piece of a file [RFC 7862 §15.10].
    union ReadPlusContent<'a> {
        0 => Data {
            offset: u64,
            data: &'a [u8],
        },
        1 => Hole {
            offset: u64,
            length: u64,
        },
        ; default Other
    }

    /// Results of SEEK [RFC 7862 §15.11].
    struct SeekOk {
        eof: bool,
        offset: u64,
    }

    /// Results of GETXATTR [RFC 8276 §8.4.1].
    struct GetXattrOk<'a> {
        value: &'a [u8],
    }

    /// Results of SETXATTR [RFC 8276 §8.4.2].
    struct SetXattrOk {
        info: ChangeInfo,
    }

    /// Results of LISTXATTRS [RFC 8276 §8.4.3].
    struct ListXattrsOk<'a> {
        cookie: u64,
        names: List<'a, XattrName<'a>>,
        eof: bool,
    }

    /// The name of an extended attribute [RFC 8276 §8.1].
    struct XattrName<'a> {
        name: &'a [u8] [max MAX_NAME],
    }

    /// Results of REMOVEXATTR [RFC 8276 §8.4.4].
    struct RemoveXattrOk {
        info: ChangeInfo,
    }
}
