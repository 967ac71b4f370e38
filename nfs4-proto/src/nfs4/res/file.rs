//! Filehandles, data and attributes of one object.

use crate::nfs4::attr::{Bitmap, FattrRaw};
use crate::nfs4::basic::{StableHow, Verifier};
use crate::nfs4::consts::NFS4_FHSIZE;
use crate::xdr::xdr;

xdr! {
    /// Results of GETFH [RFC 8881 §18.8].
    struct GetFhOk<'a> {
        object: &'a [u8] [max NFS4_FHSIZE],
    }

    /// Results of ACCESS [RFC 8881 §18.1].
    struct AccessOk {
        supported: u32,
        access: u32,
    }

    /// Results of GETATTR [RFC 8881 §18.7].
    struct GetAttrOk<'a> {
        obj_attributes: FattrRaw<'a>,
    }

    /// Results of SETATTR, whatever its status [RFC 8881 §18.30].
    struct SetAttrRes {
        attrsset: Bitmap,
    }

    /// Results of READ [RFC 8881 §18.22].
    struct ReadOk<'a> {
        eof: bool,
        data: &'a [u8],
    }

    /// Results of WRITE [RFC 8881 §18.32].
    struct WriteOk {
        count: u32,
        committed: StableHow,
        writeverf: Verifier,
    }

    /// Results of COMMIT [RFC 8881 §18.3].
    struct CommitOk {
        writeverf: Verifier,
    }
}
