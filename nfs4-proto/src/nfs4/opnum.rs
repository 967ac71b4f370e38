//! Operation numbers, of the server and of the callback program.

use core::fmt;

use crate::xdr::{Decode, Encode, Reader, Writer, XdrError};

macro_rules! operations {
    (
        $(#[$open_doc:meta])* $open:ident, $(#[$doc:meta])* $closed:ident, $prefix:literal,
        [$($variant:ident = $n:literal $name:literal minor $minor:literal,)*]
    ) => {
        $(#[$open_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $open(pub u32);

        impl $open {
            /// The operation, if it is one of those that this crate knows.
            #[inline]
            pub const fn known(self) -> Option<$closed> {
                match self.0 {
                    $($n => Some($closed::$variant),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $open {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $open {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.known() {
                    Some(op) => f.write_str(op.name()),
                    None => write!(f, concat!($prefix, "{}"), self.0),
                }
            }
        }

        crate::xdr::as_debug!($open);

        impl Encode for $open {
            #[inline]
            fn encode(&self, w: &mut Writer) {
                w.u32(self.0);
            }
        }

        #[cfg(any(test, feature = "__fuzz"))]
        impl crate::xdr::sample::Sample for $open {
            fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
                w.u32(u32::from(tape.byte()));
            }
        }

        impl<'a> Decode<'a> for $open {
            const MIN: usize = 4;

            #[inline]
            fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
                r.u32().map(Self)
            }
        }

        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $closed {
            $(
                #[doc = concat!("`", $name, "`, ", stringify!($n), ".")]
                $variant,
            )*
        }

        impl $closed {
            /// Every operation, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// How many operations there are: the length of a table over [`index`](Self::index).
            pub const COUNT: usize = Self::ALL.len();

            /// The place of the operation in a dense table.
            #[inline]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The number on the wire, as a plain integer.
            #[inline]
            pub const fn value(self) -> u32 {
                match self {
                    $(Self::$variant => $n,)*
                }
            }

            /// The number on the wire.
            #[inline]
            pub const fn number(self) -> $open {
                $open(self.value())
            }

            /// The name in the RFC, without `OP_`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The first minor version that has the operation.
            pub const fn first_minor(self) -> u32 {
                match self {
                    $(Self::$variant => $minor,)*
                }
            }
        }

        impl fmt::Display for $closed {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl From<$closed> for $open {
            fn from(op: $closed) -> Self {
                op.number()
            }
        }
    };
}

operations! {
    /// The number of an operation as it stands on the wire, known or not [RFC 8881 §16.2].
    OpNum,
    /// The operations of NFSv4.0 to 4.2 and of extended attributes
    /// [RFC 7530 §16, RFC 8881 §18, RFC 7862 §15, RFC 8276 §8.4].
    Op, "OP_",
    [
        Access = 3 "ACCESS" minor 0,
        Close = 4 "CLOSE" minor 0,
        Commit = 5 "COMMIT" minor 0,
        Create = 6 "CREATE" minor 0,
        DelegPurge = 7 "DELEGPURGE" minor 0,
        DelegReturn = 8 "DELEGRETURN" minor 0,
        GetAttr = 9 "GETATTR" minor 0,
        GetFh = 10 "GETFH" minor 0,
        Link = 11 "LINK" minor 0,
        Lock = 12 "LOCK" minor 0,
        LockT = 13 "LOCKT" minor 0,
        LockU = 14 "LOCKU" minor 0,
        Lookup = 15 "LOOKUP" minor 0,
        LookupP = 16 "LOOKUPP" minor 0,
        NVerify = 17 "NVERIFY" minor 0,
        Open = 18 "OPEN" minor 0,
        OpenAttr = 19 "OPENATTR" minor 0,
        OpenConfirm = 20 "OPEN_CONFIRM" minor 0,
        OpenDowngrade = 21 "OPEN_DOWNGRADE" minor 0,
        PutFh = 22 "PUTFH" minor 0,
        PutPubFh = 23 "PUTPUBFH" minor 0,
        PutRootFh = 24 "PUTROOTFH" minor 0,
        Read = 25 "READ" minor 0,
        ReadDir = 26 "READDIR" minor 0,
        ReadLink = 27 "READLINK" minor 0,
        Remove = 28 "REMOVE" minor 0,
        Rename = 29 "RENAME" minor 0,
        Renew = 30 "RENEW" minor 0,
        RestoreFh = 31 "RESTOREFH" minor 0,
        SaveFh = 32 "SAVEFH" minor 0,
        SecInfo = 33 "SECINFO" minor 0,
        SetAttr = 34 "SETATTR" minor 0,
        SetClientId = 35 "SETCLIENTID" minor 0,
        SetClientIdConfirm = 36 "SETCLIENTID_CONFIRM" minor 0,
        Verify = 37 "VERIFY" minor 0,
        Write = 38 "WRITE" minor 0,
        ReleaseLockOwner = 39 "RELEASE_LOCKOWNER" minor 0,
        BackchannelCtl = 40 "BACKCHANNEL_CTL" minor 1,
        BindConnToSession = 41 "BIND_CONN_TO_SESSION" minor 1,
        ExchangeId = 42 "EXCHANGE_ID" minor 1,
        CreateSession = 43 "CREATE_SESSION" minor 1,
        DestroySession = 44 "DESTROY_SESSION" minor 1,
        FreeStateid = 45 "FREE_STATEID" minor 1,
        GetDirDelegation = 46 "GET_DIR_DELEGATION" minor 1,
        GetDeviceInfo = 47 "GETDEVICEINFO" minor 1,
        GetDeviceList = 48 "GETDEVICELIST" minor 1,
        LayoutCommit = 49 "LAYOUTCOMMIT" minor 1,
        LayoutGet = 50 "LAYOUTGET" minor 1,
        LayoutReturn = 51 "LAYOUTRETURN" minor 1,
        SecInfoNoName = 52 "SECINFO_NO_NAME" minor 1,
        Sequence = 53 "SEQUENCE" minor 1,
        SetSsv = 54 "SET_SSV" minor 1,
        TestStateid = 55 "TEST_STATEID" minor 1,
        WantDelegation = 56 "WANT_DELEGATION" minor 1,
        DestroyClientId = 57 "DESTROY_CLIENTID" minor 1,
        ReclaimComplete = 58 "RECLAIM_COMPLETE" minor 1,
        Allocate = 59 "ALLOCATE" minor 2,
        Copy = 60 "COPY" minor 2,
        CopyNotify = 61 "COPY_NOTIFY" minor 2,
        Deallocate = 62 "DEALLOCATE" minor 2,
        IoAdvise = 63 "IO_ADVISE" minor 2,
        LayoutError = 64 "LAYOUTERROR" minor 2,
        LayoutStats = 65 "LAYOUTSTATS" minor 2,
        OffloadCancel = 66 "OFFLOAD_CANCEL" minor 2,
        OffloadStatus = 67 "OFFLOAD_STATUS" minor 2,
        ReadPlus = 68 "READ_PLUS" minor 2,
        Seek = 69 "SEEK" minor 2,
        WriteSame = 70 "WRITE_SAME" minor 2,
        Clone = 71 "CLONE" minor 2,
        GetXattr = 72 "GETXATTR" minor 2,
        SetXattr = 73 "SETXATTR" minor 2,
        ListXattrs = 74 "LISTXATTRS" minor 2,
        RemoveXattr = 75 "REMOVEXATTR" minor 2,
        Illegal = 10044 "ILLEGAL" minor 0,
    ]
}

operations! {
    /// The number of a callback operation as it stands on the wire, known or not [RFC 8881 §19.2].
    CbOpNum,
    /// The callback operations of NFSv4.0 to 4.2 [RFC 7530 §17, RFC 8881 §20, RFC 7862 §16].
    CbOp, "OP_CB_",
    [
        GetAttr = 3 "CB_GETATTR" minor 0,
        Recall = 4 "CB_RECALL" minor 0,
        LayoutRecall = 5 "CB_LAYOUTRECALL" minor 1,
        Notify = 6 "CB_NOTIFY" minor 1,
        PushDeleg = 7 "CB_PUSH_DELEG" minor 1,
        RecallAny = 8 "CB_RECALL_ANY" minor 1,
        RecallableObjAvail = 9 "CB_RECALLABLE_OBJ_AVAIL" minor 1,
        RecallSlot = 10 "CB_RECALL_SLOT" minor 1,
        Sequence = 11 "CB_SEQUENCE" minor 1,
        WantsCancelled = 12 "CB_WANTS_CANCELLED" minor 1,
        NotifyLock = 13 "CB_NOTIFY_LOCK" minor 1,
        NotifyDeviceId = 14 "CB_NOTIFY_DEVICEID" minor 1,
        Offload = 15 "CB_OFFLOAD" minor 2,
        Illegal = 10044 "CB_ILLEGAL" minor 0,
    ]
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn indexes_are_dense() {
        for (i, op) in Op::ALL.iter().enumerate() {
            assert_eq!(op.index(), i);
            assert_eq!(op.number().known(), Some(*op));
        }
        assert_eq!(Op::COUNT, 74);
        assert_eq!(CbOp::COUNT, 14);
        assert_eq!(OpNum(2).known(), None);
    }

    #[test]
    fn names() {
        assert_eq!(OpNum(53).to_string(), "SEQUENCE");
        assert_eq!(OpNum(0).to_string(), "OP_0");
        assert_eq!(CbOpNum(11).to_string(), "CB_SEQUENCE");
        assert_eq!(Op::Clone.first_minor(), 2);
    }
}
