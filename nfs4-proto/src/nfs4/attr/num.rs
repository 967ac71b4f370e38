//! The numbers of the attributes and what may be done with each.

/// One row of the table of attributes [RFC 8881 §5.6, §5.7; RFC 7862 §12.2; RFC 8276 §8.2;
/// RFC 8275 §5; RFC 9754 §2].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttrInfo {
    /// The name in the RFC.
    pub name: &'static str,
    /// The number, which is its bit in a bitmap.
    pub number: u32,
    /// Whether it can be read, set or both.
    pub access: AttrAccess,
    /// The first minor version that has it.
    pub first_minor: u32,
}

/// What may be done with an attribute [RFC 8881 §5.5].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttrAccess {
    /// GETATTR and the like only.
    Read,
    /// SETATTR and the like only.
    Write,
    /// Both.
    ReadWrite,
}

impl AttrAccess {
    /// Whether it can be read.
    pub const fn readable(self) -> bool {
        match self {
            Self::Read | Self::ReadWrite => true,
            Self::Write => false,
        }
    }

    /// Whether it can be set.
    pub const fn writable(self) -> bool {
        match self {
            Self::Write | Self::ReadWrite => true,
            Self::Read => false,
        }
    }
}

/// The row of an attribute, if it is known.
pub fn info(number: u32) -> Option<&'static AttrInfo> {
    let index = ALL.binary_search_by_key(&number, |row| row.number).ok()?;
    ALL.get(index)
}

macro_rules! attributes {
    ($($constant:ident $name:literal $n:literal $access:ident $minor:literal,)*) => {
        $(
            #[doc = concat!("The number of `", $name, "`.")]
            pub const $constant: u32 = $n;
        )*

        /// Every attribute in the order of the numbers.
        pub const ALL: &[AttrInfo] = &[$(AttrInfo {
            name: $name,
            number: $n,
            access: AttrAccess::$access,
            first_minor: $minor,
        }),*];

        /// The attributes that can be read.
        pub const READABLE: super::Bitmap = super::Bitmap::of(&[$(
            if AttrAccess::$access.readable() { $n } else { 0 }
        ),*]);

        /// The attributes that can be set.
        pub const WRITABLE: super::Bitmap = super::Bitmap::of(&[$(
            // Size can be set, so that it stands for "nothing new".
            if AttrAccess::$access.writable() { $n } else { SIZE }
        ),*]);
    };
}

attributes! {
    SUPPORTED_ATTRS "supported_attrs" 0 Read 0,
    TYPE "type" 1 Read 0,
    FH_EXPIRE_TYPE "fh_expire_type" 2 Read 0,
    CHANGE "change" 3 Read 0,
    SIZE "size" 4 ReadWrite 0,
    LINK_SUPPORT "link_support" 5 Read 0,
    SYMLINK_SUPPORT "symlink_support" 6 Read 0,
    NAMED_ATTR "named_attr" 7 Read 0,
    FSID "fsid" 8 Read 0,
    UNIQUE_HANDLES "unique_handles" 9 Read 0,
    LEASE_TIME "lease_time" 10 Read 0,
    RDATTR_ERROR "rdattr_error" 11 Read 0,
    ACL "acl" 12 ReadWrite 0,
    ACLSUPPORT "aclsupport" 13 Read 0,
    ARCHIVE "archive" 14 ReadWrite 0,
    CANSETTIME "cansettime" 15 Read 0,
    CASE_INSENSITIVE "case_insensitive" 16 Read 0,
    CASE_PRESERVING "case_preserving" 17 Read 0,
    CHOWN_RESTRICTED "chown_restricted" 18 Read 0,
    FILEHANDLE "filehandle" 19 Read 0,
    FILEID "fileid" 20 Read 0,
    FILES_AVAIL "files_avail" 21 Read 0,
    FILES_FREE "files_free" 22 Read 0,
    FILES_TOTAL "files_total" 23 Read 0,
    FS_LOCATIONS "fs_locations" 24 Read 0,
    HIDDEN "hidden" 25 ReadWrite 0,
    HOMOGENEOUS "homogeneous" 26 Read 0,
    MAXFILESIZE "maxfilesize" 27 Read 0,
    MAXLINK "maxlink" 28 Read 0,
    MAXNAME "maxname" 29 Read 0,
    MAXREAD "maxread" 30 Read 0,
    MAXWRITE "maxwrite" 31 Read 0,
    MIMETYPE "mimetype" 32 ReadWrite 0,
    MODE "mode" 33 ReadWrite 0,
    NO_TRUNC "no_trunc" 34 Read 0,
    NUMLINKS "numlinks" 35 Read 0,
    OWNER "owner" 36 ReadWrite 0,
    OWNER_GROUP "owner_group" 37 ReadWrite 0,
    QUOTA_AVAIL_HARD "quota_avail_hard" 38 Read 0,
    QUOTA_AVAIL_SOFT "quota_avail_soft" 39 Read 0,
    QUOTA_USED "quota_used" 40 Read 0,
    RAWDEV "rawdev" 41 Read 0,
    SPACE_AVAIL "space_avail" 42 Read 0,
    SPACE_FREE "space_free" 43 Read 0,
    SPACE_TOTAL "space_total" 44 Read 0,
    SPACE_USED "space_used" 45 Read 0,
    SYSTEM "system" 46 ReadWrite 0,
    TIME_ACCESS "time_access" 47 Read 0,
    TIME_ACCESS_SET "time_access_set" 48 Write 0,
    TIME_BACKUP "time_backup" 49 ReadWrite 0,
    TIME_CREATE "time_create" 50 ReadWrite 0,
    TIME_DELTA "time_delta" 51 Read 0,
    TIME_METADATA "time_metadata" 52 Read 0,
    TIME_MODIFY "time_modify" 53 Read 0,
    TIME_MODIFY_SET "time_modify_set" 54 Write 0,
    MOUNTED_ON_FILEID "mounted_on_fileid" 55 Read 0,
    DIR_NOTIF_DELAY "dir_notif_delay" 56 Read 1,
    DIRENT_NOTIF_DELAY "dirent_notif_delay" 57 Read 1,
    DACL "dacl" 58 ReadWrite 1,
    SACL "sacl" 59 ReadWrite 1,
    CHANGE_POLICY "change_policy" 60 Read 1,
    FS_STATUS "fs_status" 61 Read 1,
    FS_LAYOUT_TYPE "fs_layout_type" 62 Read 1,
    LAYOUT_HINT "layout_hint" 63 Write 1,
    LAYOUT_TYPE "layout_type" 64 Read 1,
    LAYOUT_BLKSIZE "layout_blksize" 65 Read 1,
    LAYOUT_ALIGNMENT "layout_alignment" 66 Read 1,
    FS_LOCATIONS_INFO "fs_locations_info" 67 Read 1,
    MDSTHRESHOLD "mdsthreshold" 68 Read 1,
    RETENTION_GET "retention_get" 69 Read 1,
    RETENTION_SET "retention_set" 70 Write 1,
    RETENTEVT_GET "retentevt_get" 71 Read 1,
    RETENTEVT_SET "retentevt_set" 72 Write 1,
    RETENTION_HOLD "retention_hold" 73 ReadWrite 1,
    MODE_SET_MASKED "mode_set_masked" 74 Write 1,
    SUPPATTR_EXCLCREAT "suppattr_exclcreat" 75 Read 1,
    FS_CHARSET_CAP "fs_charset_cap" 76 Read 1,
    CLONE_BLKSIZE "clone_blksize" 77 Read 2,
    SPACE_FREED "space_freed" 78 Read 2,
    CHANGE_ATTR_TYPE "change_attr_type" 79 Read 2,
    SEC_LABEL "sec_label" 80 ReadWrite 2,
    MODE_UMASK "mode_umask" 81 Write 2,
    XATTR_SUPPORT "xattr_support" 82 Read 2,
    OPEN_ARGUMENTS "open_arguments" 86 Read 2,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_found() {
        assert!(ALL.is_sorted_by(|a, b| a.number < b.number));
        assert_eq!(info(MODE_UMASK).map(|row| row.name), Some("mode_umask"));
        assert_eq!(info(83), None);
        for row in ALL {
            assert_eq!(
                READABLE.contains(row.number),
                row.access.readable(),
                "{}",
                row.name
            );
            assert_eq!(
                WRITABLE.contains(row.number),
                row.access.writable(),
                "{}",
                row.name
            );
        }
    }
}
