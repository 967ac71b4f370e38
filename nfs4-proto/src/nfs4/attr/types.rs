//! Types of attributes that nothing else has.

use super::Bitmap;
use crate::nfs4::basic::Time;
use crate::nfs4::consts::NFS4_OPAQUE_LIMIT;
use crate::xdr::{List, xdr};

xdr! {
    /// Where a file system or its replicas are [RFC 8881 §11.16].
    struct FsLocations<'a> {
        fs_root: List<'a, &'a [u8]>,
        locations: List<'a, FsLocation<'a>>,
    }

    /// Servers that have a file system under the same path [RFC 8881 §11.16].
    struct FsLocation<'a> {
        server: List<'a, &'a [u8]>,
        rootpath: List<'a, &'a [u8]>,
    }

    /// Where a file system or its replicas are, with what a client may expect there
    /// [RFC 8881 §11.17].
    struct FsLocationsInfo<'a> {
        flags: u32,
        valid_for: i32,
        fs_root: List<'a, &'a [u8]>,
        items: List<'a, FsLocationsItem<'a>>,
    }

    /// Servers that have a file system under the same path [RFC 8881 §11.17.2].
    struct FsLocationsItem<'a> {
        entries: List<'a, FsLocationsServer<'a>>,
        rootpath: List<'a, &'a [u8]>,
    }

    /// One server and what it is good for [RFC 8881 §11.17.1].
    struct FsLocationsServer<'a> {
        currency: i32,
        info: &'a [u8],
        server: &'a [u8] [max NFS4_OPAQUE_LIMIT],
    }

    /// How a file system came about [RFC 8881 §11.18].
    struct FsStatus<'a> {
        absent: bool,
        r#type: FsStatusType,
        source: &'a [u8],
        current: &'a [u8],
        age: i32,
        version: Time,
    }

    /// Whether a file system changes, and which party changes it [RFC 8881 §11.18].
    enum FsStatusType {
        Fixed = 1 "STATUS4_FIXED",
        Updated = 2 "STATUS4_UPDATED",
        Versioned = 3 "STATUS4_VERSIONED",
        Writable = 4 "STATUS4_WRITABLE",
        Referral = 5 "STATUS4_REFERRAL",
    }

    /// Something to compare: the policy by which a file system changed [RFC 8881 §3.3.6].
    struct ChangePolicy {
        major: u64,
        minor: u64,
    }

    /// When to go to the metadata server and when to the data servers [RFC 8881 §3.3.23].
    struct MdsThreshold<'a> {
        hints: List<'a, ThresholdItem<'a>>,
    }

    /// The thresholds of one layout type, in its own form [RFC 8881 §3.3.22].
    struct ThresholdItem<'a> {
        layout_type: u32,
        hintset: Bitmap,
        hintlist: &'a [u8],
    }

    /// How long a file is kept [RFC 8881 §5.13].
    struct RetentionGet {
        duration: u64,
        begin_time: Option<Time>,
    }

    /// What a client may conclude from two values of `change` [RFC 7862 §12.2.3].
    enum ChangeAttrType {
        MonotonicIncr = 0 "NFS4_CHANGE_TYPE_IS_MONOTONIC_INCR",
        VersionCounter = 1 "NFS4_CHANGE_TYPE_IS_VERSION_COUNTER",
        VersionCounterNoPnfs = 2 "NFS4_CHANGE_TYPE_IS_VERSION_COUNTER_NOPNFS",
        TimeMetadata = 3 "NFS4_CHANGE_TYPE_IS_TIME_METADATA",
        Undefined = 4 "NFS4_CHANGE_TYPE_IS_UNDEFINED",
    }

    /// Which arguments of OPEN a server understands [RFC 9754 §2].
    struct OpenArguments {
        share_access: Bitmap,
        share_deny: Bitmap,
        share_access_want: Bitmap,
        open_claim: Bitmap,
        create_mode: Bitmap,
    }
}
