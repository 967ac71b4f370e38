//! Status codes.

use core::fmt;

use crate::xdr::{Decode, Encode, Reader, Writer, XdrError};

/// The status of an operation or a COMPOUND; open, since a peer may know more of them than we do
/// [RFC 8881 §15.1, RFC 7862 §11.1, RFC 8276 §8.3].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Status(pub u32);

impl Status {
    /// Whether the operation succeeded.
    #[inline]
    pub const fn is_ok(self) -> bool {
        self.0 == Self::OK.0
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "NFS4ERR_{}", self.0),
        }
    }
}

impl Encode for Status {
    #[inline]
    fn encode(&self, w: &mut Writer) {
        w.u32(self.0);
    }
}

impl<'a> Decode<'a> for Status {
    const MIN: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        r.u32().map(Self)
    }
}

/// What cannot be decoded is the peer's fault, and has one status [RFC 8881 §15.1.1.1].
impl From<XdrError> for Status {
    fn from(_: XdrError) -> Self {
        Self::BADXDR
    }
}

macro_rules! statuses {
    ($($name:ident = $n:literal $rfc:literal,)*) => {
        impl Status {
            $(
                #[doc = concat!("`", $rfc, "`, ", stringify!($n), ".")]
                pub const $name: Self = Self($n);
            )*

            /// Every status that has a name, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in the RFC, `NFS4ERR_` included.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($n => Some($rfc),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    OK = 0 "NFS4_OK",
    PERM = 1 "NFS4ERR_PERM",
    NOENT = 2 "NFS4ERR_NOENT",
    IO = 5 "NFS4ERR_IO",
    NXIO = 6 "NFS4ERR_NXIO",
    ACCESS = 13 "NFS4ERR_ACCESS",
    EXIST = 17 "NFS4ERR_EXIST",
    XDEV = 18 "NFS4ERR_XDEV",
    NOTDIR = 20 "NFS4ERR_NOTDIR",
    ISDIR = 21 "NFS4ERR_ISDIR",
    INVAL = 22 "NFS4ERR_INVAL",
    FBIG = 27 "NFS4ERR_FBIG",
    NOSPC = 28 "NFS4ERR_NOSPC",
    ROFS = 30 "NFS4ERR_ROFS",
    MLINK = 31 "NFS4ERR_MLINK",
    NAMETOOLONG = 63 "NFS4ERR_NAMETOOLONG",
    NOTEMPTY = 66 "NFS4ERR_NOTEMPTY",
    DQUOT = 69 "NFS4ERR_DQUOT",
    STALE = 70 "NFS4ERR_STALE",
    BADHANDLE = 10001 "NFS4ERR_BADHANDLE",
    BAD_COOKIE = 10003 "NFS4ERR_BAD_COOKIE",
    NOTSUPP = 10004 "NFS4ERR_NOTSUPP",
    TOOSMALL = 10005 "NFS4ERR_TOOSMALL",
    SERVERFAULT = 10006 "NFS4ERR_SERVERFAULT",
    BADTYPE = 10007 "NFS4ERR_BADTYPE",
    DELAY = 10008 "NFS4ERR_DELAY",
    SAME = 10009 "NFS4ERR_SAME",
    DENIED = 10010 "NFS4ERR_DENIED",
    EXPIRED = 10011 "NFS4ERR_EXPIRED",
    LOCKED = 10012 "NFS4ERR_LOCKED",
    GRACE = 10013 "NFS4ERR_GRACE",
    FHEXPIRED = 10014 "NFS4ERR_FHEXPIRED",
    SHARE_DENIED = 10015 "NFS4ERR_SHARE_DENIED",
    WRONGSEC = 10016 "NFS4ERR_WRONGSEC",
    CLID_INUSE = 10017 "NFS4ERR_CLID_INUSE",
    RESOURCE = 10018 "NFS4ERR_RESOURCE",
    MOVED = 10019 "NFS4ERR_MOVED",
    NOFILEHANDLE = 10020 "NFS4ERR_NOFILEHANDLE",
    MINOR_VERS_MISMATCH = 10021 "NFS4ERR_MINOR_VERS_MISMATCH",
    STALE_CLIENTID = 10022 "NFS4ERR_STALE_CLIENTID",
    STALE_STATEID = 10023 "NFS4ERR_STALE_STATEID",
    OLD_STATEID = 10024 "NFS4ERR_OLD_STATEID",
    BAD_STATEID = 10025 "NFS4ERR_BAD_STATEID",
    BAD_SEQID = 10026 "NFS4ERR_BAD_SEQID",
    NOT_SAME = 10027 "NFS4ERR_NOT_SAME",
    LOCK_RANGE = 10028 "NFS4ERR_LOCK_RANGE",
    SYMLINK = 10029 "NFS4ERR_SYMLINK",
    RESTOREFH = 10030 "NFS4ERR_RESTOREFH",
    LEASE_MOVED = 10031 "NFS4ERR_LEASE_MOVED",
    ATTRNOTSUPP = 10032 "NFS4ERR_ATTRNOTSUPP",
    NO_GRACE = 10033 "NFS4ERR_NO_GRACE",
    RECLAIM_BAD = 10034 "NFS4ERR_RECLAIM_BAD",
    RECLAIM_CONFLICT = 10035 "NFS4ERR_RECLAIM_CONFLICT",
    BADXDR = 10036 "NFS4ERR_BADXDR",
    LOCKS_HELD = 10037 "NFS4ERR_LOCKS_HELD",
    OPENMODE = 10038 "NFS4ERR_OPENMODE",
    BADOWNER = 10039 "NFS4ERR_BADOWNER",
    BADCHAR = 10040 "NFS4ERR_BADCHAR",
    BADNAME = 10041 "NFS4ERR_BADNAME",
    BAD_RANGE = 10042 "NFS4ERR_BAD_RANGE",
    LOCK_NOTSUPP = 10043 "NFS4ERR_LOCK_NOTSUPP",
    OP_ILLEGAL = 10044 "NFS4ERR_OP_ILLEGAL",
    DEADLOCK = 10045 "NFS4ERR_DEADLOCK",
    FILE_OPEN = 10046 "NFS4ERR_FILE_OPEN",
    ADMIN_REVOKED = 10047 "NFS4ERR_ADMIN_REVOKED",
    CB_PATH_DOWN = 10048 "NFS4ERR_CB_PATH_DOWN",
    BADIOMODE = 10049 "NFS4ERR_BADIOMODE",
    BADLAYOUT = 10050 "NFS4ERR_BADLAYOUT",
    BAD_SESSION_DIGEST = 10051 "NFS4ERR_BAD_SESSION_DIGEST",
    BADSESSION = 10052 "NFS4ERR_BADSESSION",
    BADSLOT = 10053 "NFS4ERR_BADSLOT",
    COMPLETE_ALREADY = 10054 "NFS4ERR_COMPLETE_ALREADY",
    CONN_NOT_BOUND_TO_SESSION = 10055 "NFS4ERR_CONN_NOT_BOUND_TO_SESSION",
    DELEG_ALREADY_WANTED = 10056 "NFS4ERR_DELEG_ALREADY_WANTED",
    BACK_CHAN_BUSY = 10057 "NFS4ERR_BACK_CHAN_BUSY",
    LAYOUTTRYLATER = 10058 "NFS4ERR_LAYOUTTRYLATER",
    LAYOUTUNAVAILABLE = 10059 "NFS4ERR_LAYOUTUNAVAILABLE",
    NOMATCHING_LAYOUT = 10060 "NFS4ERR_NOMATCHING_LAYOUT",
    RECALLCONFLICT = 10061 "NFS4ERR_RECALLCONFLICT",
    UNKNOWN_LAYOUTTYPE = 10062 "NFS4ERR_UNKNOWN_LAYOUTTYPE",
    SEQ_MISORDERED = 10063 "NFS4ERR_SEQ_MISORDERED",
    SEQUENCE_POS = 10064 "NFS4ERR_SEQUENCE_POS",
    REQ_TOO_BIG = 10065 "NFS4ERR_REQ_TOO_BIG",
    REP_TOO_BIG = 10066 "NFS4ERR_REP_TOO_BIG",
    REP_TOO_BIG_TO_CACHE = 10067 "NFS4ERR_REP_TOO_BIG_TO_CACHE",
    RETRY_UNCACHED_REP = 10068 "NFS4ERR_RETRY_UNCACHED_REP",
    UNSAFE_COMPOUND = 10069 "NFS4ERR_UNSAFE_COMPOUND",
    TOO_MANY_OPS = 10070 "NFS4ERR_TOO_MANY_OPS",
    OP_NOT_IN_SESSION = 10071 "NFS4ERR_OP_NOT_IN_SESSION",
    HASH_ALG_UNSUPP = 10072 "NFS4ERR_HASH_ALG_UNSUPP",
    CLIENTID_BUSY = 10074 "NFS4ERR_CLIENTID_BUSY",
    PNFS_IO_HOLE = 10075 "NFS4ERR_PNFS_IO_HOLE",
    SEQ_FALSE_RETRY = 10076 "NFS4ERR_SEQ_FALSE_RETRY",
    BAD_HIGH_SLOT = 10077 "NFS4ERR_BAD_HIGH_SLOT",
    DEADSESSION = 10078 "NFS4ERR_DEADSESSION",
    ENCR_ALG_UNSUPP = 10079 "NFS4ERR_ENCR_ALG_UNSUPP",
    PNFS_NO_LAYOUT = 10080 "NFS4ERR_PNFS_NO_LAYOUT",
    NOT_ONLY_OP = 10081 "NFS4ERR_NOT_ONLY_OP",
    WRONG_CRED = 10082 "NFS4ERR_WRONG_CRED",
    WRONG_TYPE = 10083 "NFS4ERR_WRONG_TYPE",
    DIRDELEG_UNAVAIL = 10084 "NFS4ERR_DIRDELEG_UNAVAIL",
    REJECT_DELEG = 10085 "NFS4ERR_REJECT_DELEG",
    RETURNCONFLICT = 10086 "NFS4ERR_RETURNCONFLICT",
    DELEG_REVOKED = 10087 "NFS4ERR_DELEG_REVOKED",
    PARTNER_NOTSUPP = 10088 "NFS4ERR_PARTNER_NOTSUPP",
    PARTNER_NO_AUTH = 10089 "NFS4ERR_PARTNER_NO_AUTH",
    UNION_NOTSUPP = 10090 "NFS4ERR_UNION_NOTSUPP",
    OFFLOAD_DENIED = 10091 "NFS4ERR_OFFLOAD_DENIED",
    WRONG_LFS = 10092 "NFS4ERR_WRONG_LFS",
    BADLABEL = 10093 "NFS4ERR_BADLABEL",
    OFFLOAD_NO_REQS = 10094 "NFS4ERR_OFFLOAD_NO_REQS",
    NOXATTR = 10095 "NFS4ERR_NOXATTR",
    XATTR2BIG = 10096 "NFS4ERR_XATTR2BIG",
}

crate::xdr::as_debug!(Status);

#[cfg(any(test, feature = "__fuzz"))]
impl crate::xdr::sample::Sample for Status {
    fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
        let known = Self::ALL
            .get(tape.below(Self::ALL.len()))
            .copied()
            .unwrap_or_default();
        known.encode(w);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names() {
        assert_eq!(Status::OK.to_string(), "NFS4_OK");
        assert_eq!(Status(10_036).to_string(), "NFS4ERR_BADXDR");
        assert_eq!(Status(4).to_string(), "NFS4ERR_4");
        assert!(Status::ALL.is_sorted());
        assert!(Status::ALL.iter().all(|s| s.name().is_some()));
    }
}
