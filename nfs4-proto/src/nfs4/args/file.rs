//! Filehandles, data and attributes of one object.

use crate::nfs4::attr::{Bitmap, FattrRaw};
use crate::nfs4::basic::{StableHow, Stateid};
use crate::nfs4::consts::NFS4_FHSIZE;
use crate::xdr::xdr;

xdr! {
    /// Arguments of PUTFH [RFC 8881 §18.19].
    struct PutFh<'a> {
        object: &'a [u8] [max NFS4_FHSIZE],
    }

    /// Arguments of ACCESS [RFC 8881 §18.1].
    struct Access {
        access: u32,
    }

    /// Arguments of GETATTR [RFC 8881 §18.7].
    struct GetAttr {
        attr_request: Bitmap,
    }

    /// Arguments of SETATTR [RFC 8881 §18.30].
    struct SetAttr<'a> {
        stateid: Stateid,
        obj_attributes: FattrRaw<'a>,
    }

    /// Arguments of VERIFY [RFC 8881 §18.31].
    struct Verify<'a> {
        obj_attributes: FattrRaw<'a>,
    }

    /// Arguments of NVERIFY [RFC 8881 §18.15].
    struct NVerify<'a> {
        obj_attributes: FattrRaw<'a>,
    }

    /// Arguments of READ [RFC 8881 §18.22].
    struct Read {
        stateid: Stateid,
        offset: u64,
        count: u32,
    }

    /// Arguments of WRITE [RFC 8881 §18.32].
    struct Write<'a> {
        stateid: Stateid,
        offset: u64,
        stable: StableHow,
        data: &'a [u8],
    }

    /// Arguments of COMMIT [RFC 8881 §18.3].
    struct Commit {
        offset: u64,
        count: u32,
    }
}
