//! Names in directories.

use crate::limits::MAX_NAME;
use crate::nfs4::attr::{Bitmap, FattrRaw};
use crate::nfs4::basic::{SpecData, Verifier};
use crate::xdr::xdr;

xdr! {
    /// Arguments of LOOKUP [RFC 8881 §18.13].
    struct Lookup<'a> {
        objname: &'a [u8] [max MAX_NAME],
    }

    /// Arguments of CREATE [RFC 8881 §18.4].
    struct Create<'a> {
        objtype: CreateType<'a>,
        objname: &'a [u8] [max MAX_NAME],
        createattrs: FattrRaw<'a>,
    }

    /// What CREATE makes; a type that it cannot make is `NFS4ERR_BADTYPE` [RFC 8881 §18.4].
    union CreateType<'a> {
        3 => Block(devdata: SpecData),
        4 => Character(devdata: SpecData),
        5 => Symlink(linkdata: &'a [u8] [max MAX_NAME]),
        2 => Directory,
        6 => Socket,
        7 => Fifo,
        ; default Other
    }

    /// Arguments of REMOVE [RFC 8881 §18.25].
    struct Remove<'a> {
        target: &'a [u8] [max MAX_NAME],
    }

    /// Arguments of RENAME [RFC 8881 §18.26].
    struct Rename<'a> {
        oldname: &'a [u8] [max MAX_NAME],
        newname: &'a [u8] [max MAX_NAME],
    }

    /// Arguments of LINK [RFC 8881 §18.9].
    struct Link<'a> {
        newname: &'a [u8] [max MAX_NAME],
    }

    /// Arguments of READDIR [RFC 8881 §18.23].
    struct ReadDir {
        cookie: u64,
        cookieverf: Verifier,
        dircount: u32,
        maxcount: u32,
        attr_request: Bitmap,
    }

    /// Arguments of SECINFO [RFC 8881 §18.29].
    struct SecInfo<'a> {
        name: &'a [u8] [max MAX_NAME],
    }
}
