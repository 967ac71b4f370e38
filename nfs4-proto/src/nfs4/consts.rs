//! Constants under the names that the RFCs give them.

macro_rules! consts {
    ($($about:literal $t:ident { $($name:ident = $v:literal,)* })*) => {
        $($(
            #[doc = concat!($about, ": `", stringify!($name), "`.")]
            pub const $name: $t = $v;
        )*)*

        /// Every constant of this module by name, for checks against a table.
        pub const NAMED: &[(&str, u64)] = &[$($((stringify!($name), $name as u64),)*)*];
    };
}

consts! {
    "Sizes and limits [RFC 8881 §3.1]"
    usize {
        NFS4_FHSIZE = 128,
        NFS4_VERIFIER_SIZE = 8,
        NFS4_OTHER_SIZE = 12,
        NFS4_OPAQUE_LIMIT = 1024,
        NFS4_SESSIONID_SIZE = 16,
        NFS4_DEVICEID4_SIZE = 16,
    }
    "Ends of ranges [RFC 8881 §3.1]"
    u64 {
        NFS4_INT64_MAX = 0x7fff_ffff_ffff_ffff,
        NFS4_UINT64_MAX = 0xffff_ffff_ffff_ffff,
        NFS4_MAXFILELEN = 0xffff_ffff_ffff_ffff,
        NFS4_MAXFILEOFF = 0xffff_ffff_ffff_fffe,
    }
    "Ends of ranges [RFC 8881 §3.1]"
    u32 {
        NFS4_UINT32_MAX = 0xffff_ffff,
        NFS4_INT32_MAX = 0x7fff_ffff,
    }
    "Rights of ACCESS [RFC 8881 §18.1, RFC 8276 §8.5]"
    u32 {
        ACCESS4_READ = 0x01,
        ACCESS4_LOOKUP = 0x02,
        ACCESS4_MODIFY = 0x04,
        ACCESS4_EXTEND = 0x08,
        ACCESS4_DELETE = 0x10,
        ACCESS4_EXECUTE = 0x20,
        ACCESS4_XAREAD = 0x40,
        ACCESS4_XAWRITE = 0x80,
        ACCESS4_XALIST = 0x100,
    }
    "Share reservations of OPEN and what it wants [RFC 8881 §18.16]"
    u32 {
        OPEN4_SHARE_ACCESS_READ = 0x1,
        OPEN4_SHARE_ACCESS_WRITE = 0x2,
        OPEN4_SHARE_ACCESS_BOTH = 0x3,
        OPEN4_SHARE_DENY_NONE = 0x0,
        OPEN4_SHARE_DENY_READ = 0x1,
        OPEN4_SHARE_DENY_WRITE = 0x2,
        OPEN4_SHARE_DENY_BOTH = 0x3,
        OPEN4_SHARE_ACCESS_WANT_DELEG_MASK = 0xff00,
        OPEN4_SHARE_ACCESS_WANT_NO_PREFERENCE = 0x0000,
        OPEN4_SHARE_ACCESS_WANT_READ_DELEG = 0x0100,
        OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG = 0x0200,
        OPEN4_SHARE_ACCESS_WANT_ANY_DELEG = 0x0300,
        OPEN4_SHARE_ACCESS_WANT_NO_DELEG = 0x0400,
        OPEN4_SHARE_ACCESS_WANT_CANCEL = 0x0500,
        OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL = 0x1_0000,
        OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED = 0x2_0000,
    }
    "More that OPEN wants [RFC 9754 §4, §5.2]"
    u32 {
        OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS = 0x10_0000,
        OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION = 0x20_0000,
    }
    "Bits of what OPEN can want of delegations [RFC 9754 §2]"
    u32 {
        OPEN_ARGS_SHARE_ACCESS_WANT_ANY_DELEG = 3,
        OPEN_ARGS_SHARE_ACCESS_WANT_NO_DELEG = 4,
        OPEN_ARGS_SHARE_ACCESS_WANT_CANCEL = 5,
        OPEN_ARGS_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL = 17,
        OPEN_ARGS_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED = 18,
        OPEN_ARGS_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS = 20,
        OPEN_ARGS_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION = 21,
    }
    "Flags of an OPEN's result [RFC 8881 §18.16]"
    u32 {
        OPEN4_RESULT_CONFIRM = 0x02,
        OPEN4_RESULT_LOCKTYPE_POSIX = 0x04,
        OPEN4_RESULT_PRESERVE_UNLINKED = 0x08,
        OPEN4_RESULT_MAY_NOTIFY_LOCK = 0x20,
    }
    "Flags of EXCHANGE_ID [RFC 8881 §18.35]"
    u32 {
        EXCHGID4_FLAG_SUPP_MOVED_REFER = 0x0000_0001,
        EXCHGID4_FLAG_SUPP_MOVED_MIGR = 0x0000_0002,
        EXCHGID4_FLAG_BIND_PRINC_STATEID = 0x0000_0100,
        EXCHGID4_FLAG_USE_NON_PNFS = 0x0001_0000,
        EXCHGID4_FLAG_USE_PNFS_MDS = 0x0002_0000,
        EXCHGID4_FLAG_USE_PNFS_DS = 0x0004_0000,
        EXCHGID4_FLAG_MASK_PNFS = 0x0007_0000,
        EXCHGID4_FLAG_UPD_CONFIRMED_REC_A = 0x4000_0000,
        EXCHGID4_FLAG_CONFIRMED_R = 0x8000_0000,
    }
    "Another flag of EXCHANGE_ID [RFC 7862 §14.1]"
    u32 {
        EXCHGID4_FLAG_SUPP_FENCE_OPS = 0x0000_0004,
    }
    "Flags of CREATE_SESSION [RFC 8881 §18.36]"
    u32 {
        CREATE_SESSION4_FLAG_PERSIST = 0x1,
        CREATE_SESSION4_FLAG_CONN_BACK_CHAN = 0x2,
        CREATE_SESSION4_FLAG_CONN_RDMA = 0x4,
    }
    "Status flags of SEQUENCE [RFC 8881 §18.46]"
    u32 {
        SEQ4_STATUS_CB_PATH_DOWN = 0x0001,
        SEQ4_STATUS_CB_GSS_CONTEXTS_EXPIRING = 0x0002,
        SEQ4_STATUS_CB_GSS_CONTEXTS_EXPIRED = 0x0004,
        SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED = 0x0008,
        SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED = 0x0010,
        SEQ4_STATUS_ADMIN_STATE_REVOKED = 0x0020,
        SEQ4_STATUS_RECALLABLE_STATE_REVOKED = 0x0040,
        SEQ4_STATUS_LEASE_MOVED = 0x0080,
        SEQ4_STATUS_RESTART_RECLAIM_NEEDED = 0x0100,
        SEQ4_STATUS_CB_PATH_DOWN_SESSION = 0x0200,
        SEQ4_STATUS_BACKCHANNEL_FAULT = 0x0400,
        SEQ4_STATUS_DEVID_CHANGED = 0x0800,
        SEQ4_STATUS_DEVID_DELETED = 0x1000,
    }
    "How long filehandles live [RFC 8881 §4.2.3]"
    u32 {
        FH4_PERSISTENT = 0x0,
        FH4_NOEXPIRE_WITH_OPEN = 0x1,
        FH4_VOLATILE_ANY = 0x2,
        FH4_VOL_MIGRATION = 0x4,
        FH4_VOL_RENAME = 0x8,
    }
    "Kinds of access control entries [RFC 8881 §6.2.1.1]"
    u32 {
        ACE4_ACCESS_ALLOWED_ACE_TYPE = 0,
        ACE4_ACCESS_DENIED_ACE_TYPE = 1,
        ACE4_SYSTEM_AUDIT_ACE_TYPE = 2,
        ACE4_SYSTEM_ALARM_ACE_TYPE = 3,
    }
    "Kinds of access control entries that a server supports [RFC 8881 §6.2.1.2]"
    u32 {
        ACL4_SUPPORT_ALLOW_ACL = 0x1,
        ACL4_SUPPORT_DENY_ACL = 0x2,
        ACL4_SUPPORT_AUDIT_ACL = 0x4,
        ACL4_SUPPORT_ALARM_ACL = 0x8,
    }
    "The access mask of access control entries [RFC 8881 §6.2.1.3]"
    u32 {
        ACE4_READ_DATA = 0x1,
        ACE4_LIST_DIRECTORY = 0x1,
        ACE4_WRITE_DATA = 0x2,
        ACE4_ADD_FILE = 0x2,
        ACE4_APPEND_DATA = 0x4,
        ACE4_ADD_SUBDIRECTORY = 0x4,
        ACE4_READ_NAMED_ATTRS = 0x8,
        ACE4_WRITE_NAMED_ATTRS = 0x10,
        ACE4_EXECUTE = 0x20,
        ACE4_DELETE_CHILD = 0x40,
        ACE4_READ_ATTRIBUTES = 0x80,
        ACE4_WRITE_ATTRIBUTES = 0x100,
        ACE4_WRITE_RETENTION = 0x200,
        ACE4_WRITE_RETENTION_HOLD = 0x400,
        ACE4_DELETE = 0x1_0000,
        ACE4_READ_ACL = 0x2_0000,
        ACE4_WRITE_ACL = 0x4_0000,
        ACE4_WRITE_OWNER = 0x8_0000,
        ACE4_SYNCHRONIZE = 0x10_0000,
        ACE4_GENERIC_READ = 0x12_0081,
        ACE4_GENERIC_WRITE = 0x16_0106,
        ACE4_GENERIC_EXECUTE = 0x12_00a0,
    }
    "Flags of access control entries [RFC 8881 §6.2.1.4]"
    u32 {
        ACE4_FILE_INHERIT_ACE = 0x1,
        ACE4_DIRECTORY_INHERIT_ACE = 0x2,
        ACE4_NO_PROPAGATE_INHERIT_ACE = 0x4,
        ACE4_INHERIT_ONLY_ACE = 0x8,
        ACE4_SUCCESSFUL_ACCESS_ACE_FLAG = 0x10,
        ACE4_FAILED_ACCESS_ACE_FLAG = 0x20,
        ACE4_IDENTIFIER_GROUP = 0x40,
        ACE4_INHERITED_ACE = 0x80,
    }
    "Flags of a whole access control list [RFC 8881 §6.4.3.2]"
    u32 {
        ACL4_AUTO_INHERIT = 0x1,
        ACL4_PROTECTED = 0x2,
        ACL4_DEFAULTED = 0x4,
    }
    "Mode bits [RFC 8881 §6.2.4]"
    u32 {
        MODE4_SUID = 0x800,
        MODE4_SGID = 0x400,
        MODE4_SVTX = 0x200,
        MODE4_RUSR = 0x100,
        MODE4_WUSR = 0x080,
        MODE4_XUSR = 0x040,
        MODE4_RGRP = 0x020,
        MODE4_WGRP = 0x010,
        MODE4_XGRP = 0x008,
        MODE4_ROTH = 0x004,
        MODE4_WOTH = 0x002,
        MODE4_XOTH = 0x001,
    }
    "Character rules of a file system [RFC 8881 §14.4]"
    u32 {
        FSCHARSET_CAP4_CONTAINS_NON_UTF8 = 0x1,
        FSCHARSET_CAP4_ALLOWS_ONLY_UTF8 = 0x2,
    }
    "Retention periods without an end [RFC 8881 §5.13]"
    u64 {
        RET4_DURATION_INFINITE = 0xffff_ffff_ffff_ffff,
    }
    "What a time is set to [RFC 8881 §3.3.2]"
    u32 {
        SET_TO_SERVER_TIME4 = 0,
        SET_TO_CLIENT_TIME4 = 1,
    }
    "Whether and how OPEN creates [RFC 8881 §18.16]"
    u32 {
        OPEN4_NOCREATE = 0,
        OPEN4_CREATE = 1,
        UNCHECKED4 = 0,
        GUARDED4 = 1,
        EXCLUSIVE4 = 2,
        EXCLUSIVE4_1 = 3,
    }
    "By what right a file is opened [RFC 8881 §18.16]"
    u32 {
        CLAIM_NULL = 0,
        CLAIM_PREVIOUS = 1,
        CLAIM_DELEGATE_CUR = 2,
        CLAIM_DELEGATE_PREV = 3,
        CLAIM_FH = 4,
        CLAIM_DELEG_CUR_FH = 5,
        CLAIM_DELEG_PREV_FH = 6,
    }
    "How a write delegation limits space [RFC 8881 §18.16]"
    u32 {
        NFS_LIMIT_SIZE = 1,
        NFS_LIMIT_BLOCKS = 2,
    }
    "Why there is no delegation [RFC 8881 §18.16]"
    u32 {
        WND4_NOT_WANTED = 0,
        WND4_CONTENTION = 1,
        WND4_RESOURCE = 2,
        WND4_NOT_SUPP_FTYPE = 3,
        WND4_WRITE_DELEG_NOT_SUPP_FTYPE = 4,
        WND4_NOT_SUPP_UPGRADE = 5,
        WND4_NOT_SUPP_DOWNGRADE = 6,
        WND4_CANCELLED = 7,
        WND4_IS_DIR = 8,
    }
    "How state is protected [RFC 8881 §18.35]"
    u32 {
        SP4_NONE = 0,
        SP4_MACH_CRED = 1,
        SP4_SSV = 2,
    }
    "Keys derived from the SSV [RFC 8881 §2.10.9]"
    u32 {
        SSV4_SUBKEY_MIC_I2T = 1,
        SSV4_SUBKEY_MIC_T2I = 2,
        SSV4_SUBKEY_SEAL_I2T = 3,
        SSV4_SUBKEY_SEAL_T2I = 4,
    }
    "Whether there is a directory delegation [RFC 8881 §18.39]"
    u32 {
        GDD4_OK = 0,
        GDD4_UNAVAIL = 1,
    }
    "Kinds of layouts [RFC 8881 §3.3.13]"
    u32 {
        LAYOUT4_NFSV4_1_FILES = 1,
        LAYOUT4_OSD2_OBJECTS = 2,
        LAYOUT4_BLOCK_VOLUME = 3,
    }
    "Which layouts go back or are recalled [RFC 8881 §18.44, §20.3]"
    u32 {
        LAYOUT4_RET_REC_FILE = 1,
        LAYOUT4_RET_REC_FSID = 2,
        LAYOUT4_RET_REC_ALL = 3,
        LAYOUTRETURN4_FILE = 1,
        LAYOUTRETURN4_FSID = 2,
        LAYOUTRETURN4_ALL = 3,
        LAYOUTRECALL4_FILE = 1,
        LAYOUTRECALL4_FSID = 2,
        LAYOUTRECALL4_ALL = 3,
    }
    "Bits of file layouts [RFC 8881 §13.3]"
    u32 {
        NFL4_UFLG_MASK = 0x3f,
        NFL4_UFLG_DENSE = 0x1,
        NFL4_UFLG_COMMIT_THRU_MDS = 0x2,
        NFL4_UFLG_STRIPE_UNIT_SIZE_MASK = 0xffff_ffc0,
        NFLH4_CARE_DENSE = 0x1,
        NFLH4_CARE_COMMIT_THRU_MDS = 0x2,
        NFLH4_CARE_STRIPE_UNIT_SIZE = 0x40,
        NFLH4_CARE_STRIPE_COUNT = 0x80,
    }
    "Bits of the type mask of CB_RECALL_ANY [RFC 8881 §20.6]"
    u32 {
        RCA4_TYPE_MASK_RDATA_DLG = 0,
        RCA4_TYPE_MASK_WDATA_DLG = 1,
        RCA4_TYPE_MASK_DIR_DLG = 2,
        RCA4_TYPE_MASK_FILE_LAYOUT = 3,
        RCA4_TYPE_MASK_BLK_LAYOUT = 4,
        RCA4_TYPE_MASK_OBJ_LAYOUT_MIN = 8,
        RCA4_TYPE_MASK_OBJ_LAYOUT_MAX = 9,
        RCA4_TYPE_MASK_OTHER_LAYOUT_MIN = 12,
        RCA4_TYPE_MASK_OTHER_LAYOUT_MAX = 15,
    }
    "Places and flags in fs_locations_info [RFC 8881 §11.17]"
    u32 {
        FSLI4BX_GFLAGS = 0,
        FSLI4BX_TFLAGS = 1,
        FSLI4BX_CLSIMUL = 2,
        FSLI4BX_CLHANDLE = 3,
        FSLI4BX_CLFILEID = 4,
        FSLI4BX_CLWRITEVER = 5,
        FSLI4BX_CLCHANGE = 6,
        FSLI4BX_CLREADDIR = 7,
        FSLI4BX_READRANK = 8,
        FSLI4BX_WRITERANK = 9,
        FSLI4BX_READORDER = 10,
        FSLI4BX_WRITEORDER = 11,
        FSLI4GF_WRITABLE = 0x01,
        FSLI4GF_CUR_REQ = 0x02,
        FSLI4GF_ABSENT = 0x04,
        FSLI4GF_GOING = 0x08,
        FSLI4GF_SPLIT = 0x10,
        FSLI4TF_RDMA = 0x01,
        FSLI4IF_VAR_SUB = 0x01,
    }
    "Kinds of network locations [RFC 7862 §4.7]"
    u32 {
        NL4_NAME = 1,
        NL4_URL = 2,
        NL4_NETADDR = 3,
    }
}
