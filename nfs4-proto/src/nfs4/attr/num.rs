//! The numbers of the attributes and what may be done with each.

use core::fmt;

use super::Bitmap;

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

/// Calls `$then` with a row for each attribute: number's name, variant, name, number, access, first
/// minor version, type.
macro_rules! for_each_attr {
    ($then:ident) => {
        $then! {
            SUPPORTED_ATTRS SupportedAttrs "supported_attrs" 0 Read 0 [Bitmap];
            TYPE Type "type" 1 Read 0 [FileType];
            FH_EXPIRE_TYPE FhExpireType "fh_expire_type" 2 Read 0 [u32];
            CHANGE Change "change" 3 Read 0 [u64];
            SIZE Size "size" 4 ReadWrite 0 [u64];
            LINK_SUPPORT LinkSupport "link_support" 5 Read 0 [bool];
            SYMLINK_SUPPORT SymlinkSupport "symlink_support" 6 Read 0 [bool];
            NAMED_ATTR NamedAttr "named_attr" 7 Read 0 [bool];
            FSID Fsid "fsid" 8 Read 0 [Fsid];
            UNIQUE_HANDLES UniqueHandles "unique_handles" 9 Read 0 [bool];
            LEASE_TIME LeaseTime "lease_time" 10 Read 0 [u32];
            RDATTR_ERROR RdattrError "rdattr_error" 11 Read 0 [Status];
            ACL Acl "acl" 12 ReadWrite 0 [List<'a, Ace<'a>>];
            ACLSUPPORT Aclsupport "aclsupport" 13 Read 0 [u32];
            ARCHIVE Archive "archive" 14 ReadWrite 0 [bool];
            CANSETTIME Cansettime "cansettime" 15 Read 0 [bool];
            CASE_INSENSITIVE CaseInsensitive "case_insensitive" 16 Read 0 [bool];
            CASE_PRESERVING CasePreserving "case_preserving" 17 Read 0 [bool];
            CHOWN_RESTRICTED ChownRestricted "chown_restricted" 18 Read 0 [bool];
            FILEHANDLE Filehandle "filehandle" 19 Read 0 [FileHandle<'a>];
            FILEID Fileid "fileid" 20 Read 0 [u64];
            FILES_AVAIL FilesAvail "files_avail" 21 Read 0 [u64];
            FILES_FREE FilesFree "files_free" 22 Read 0 [u64];
            FILES_TOTAL FilesTotal "files_total" 23 Read 0 [u64];
            FS_LOCATIONS FsLocations "fs_locations" 24 Read 0 [FsLocations<'a>];
            HIDDEN Hidden "hidden" 25 ReadWrite 0 [bool];
            HOMOGENEOUS Homogeneous "homogeneous" 26 Read 0 [bool];
            MAXFILESIZE Maxfilesize "maxfilesize" 27 Read 0 [u64];
            MAXLINK Maxlink "maxlink" 28 Read 0 [u32];
            MAXNAME Maxname "maxname" 29 Read 0 [u32];
            MAXREAD Maxread "maxread" 30 Read 0 [u64];
            MAXWRITE Maxwrite "maxwrite" 31 Read 0 [u64];
            MIMETYPE Mimetype "mimetype" 32 ReadWrite 0 [&'a [u8]];
            MODE Mode "mode" 33 ReadWrite 0 [u32];
            NO_TRUNC NoTrunc "no_trunc" 34 Read 0 [bool];
            NUMLINKS Numlinks "numlinks" 35 Read 0 [u32];
            OWNER Owner "owner" 36 ReadWrite 0 [&'a [u8]];
            OWNER_GROUP OwnerGroup "owner_group" 37 ReadWrite 0 [&'a [u8]];
            QUOTA_AVAIL_HARD QuotaAvailHard "quota_avail_hard" 38 Read 0 [u64];
            QUOTA_AVAIL_SOFT QuotaAvailSoft "quota_avail_soft" 39 Read 0 [u64];
            QUOTA_USED QuotaUsed "quota_used" 40 Read 0 [u64];
            RAWDEV Rawdev "rawdev" 41 Read 0 [SpecData];
            SPACE_AVAIL SpaceAvail "space_avail" 42 Read 0 [u64];
            SPACE_FREE SpaceFree "space_free" 43 Read 0 [u64];
            SPACE_TOTAL SpaceTotal "space_total" 44 Read 0 [u64];
            SPACE_USED SpaceUsed "space_used" 45 Read 0 [u64];
            SYSTEM System "system" 46 ReadWrite 0 [bool];
            TIME_ACCESS TimeAccess "time_access" 47 Read 0 [Time];
            TIME_ACCESS_SET TimeAccessSet "time_access_set" 48 Write 0 [TimeHow];
            TIME_BACKUP TimeBackup "time_backup" 49 ReadWrite 0 [Time];
            TIME_CREATE TimeCreate "time_create" 50 ReadWrite 0 [Time];
            TIME_DELTA TimeDelta "time_delta" 51 Read 0 [Time];
            TIME_METADATA TimeMetadata "time_metadata" 52 Read 0 [Time];
            TIME_MODIFY TimeModify "time_modify" 53 Read 0 [Time];
            TIME_MODIFY_SET TimeModifySet "time_modify_set" 54 Write 0 [TimeHow];
            MOUNTED_ON_FILEID MountedOnFileid "mounted_on_fileid" 55 Read 0 [u64];
            DIR_NOTIF_DELAY DirNotifDelay "dir_notif_delay" 56 Read 1 [Time];
            DIRENT_NOTIF_DELAY DirentNotifDelay "dirent_notif_delay" 57 Read 1 [Time];
            DACL Dacl "dacl" 58 ReadWrite 1 [Acl41<'a>];
            SACL Sacl "sacl" 59 ReadWrite 1 [Acl41<'a>];
            CHANGE_POLICY ChangePolicy "change_policy" 60 Read 1 [ChangePolicy];
            FS_STATUS FsStatus "fs_status" 61 Read 1 [FsStatus<'a>];
            FS_LAYOUT_TYPE FsLayoutType "fs_layout_type" 62 Read 1 [List<'a, u32>];
            LAYOUT_HINT LayoutHint "layout_hint" 63 Write 1 [LayoutHint<'a>];
            LAYOUT_TYPE LayoutType "layout_type" 64 Read 1 [List<'a, u32>];
            LAYOUT_BLKSIZE LayoutBlksize "layout_blksize" 65 Read 1 [u32];
            LAYOUT_ALIGNMENT LayoutAlignment "layout_alignment" 66 Read 1 [u32];
            FS_LOCATIONS_INFO FsLocationsInfo "fs_locations_info" 67 Read 1 [FsLocationsInfo<'a>];
            MDSTHRESHOLD Mdsthreshold "mdsthreshold" 68 Read 1 [MdsThreshold<'a>];
            RETENTION_GET RetentionGet "retention_get" 69 Read 1 [RetentionGet];
            RETENTION_SET RetentionSet "retention_set" 70 Write 1 [RetentionSet];
            RETENTEVT_GET RetentevtGet "retentevt_get" 71 Read 1 [RetentionGet];
            RETENTEVT_SET RetentevtSet "retentevt_set" 72 Write 1 [RetentionSet];
            RETENTION_HOLD RetentionHold "retention_hold" 73 ReadWrite 1 [u64];
            MODE_SET_MASKED ModeSetMasked "mode_set_masked" 74 Write 1 [ModeMasked];
            SUPPATTR_EXCLCREAT SuppattrExclcreat "suppattr_exclcreat" 75 Read 1 [Bitmap];
            FS_CHARSET_CAP FsCharsetCap "fs_charset_cap" 76 Read 1 [u32];
            CLONE_BLKSIZE CloneBlksize "clone_blksize" 77 Read 2 [u32];
            SPACE_FREED SpaceFreed "space_freed" 78 Read 2 [u64];
            CHANGE_ATTR_TYPE ChangeAttrType "change_attr_type" 79 Read 2 [ChangeAttrType];
            SEC_LABEL SecLabel "sec_label" 80 ReadWrite 2 [SecLabel<'a>];
            MODE_UMASK ModeUmask "mode_umask" 81 Write 2 [ModeUmask];
            XATTR_SUPPORT XattrSupport "xattr_support" 82 Read 2 [bool];
            OPEN_ARGUMENTS OpenArguments "open_arguments" 86 Read 2 [OpenArguments];
        }
    };
}

pub(crate) use for_each_attr;

macro_rules! attributes {
    ($(
        $constant:ident $variant:ident $name:literal $n:literal $access:ident $minor:literal [$t:ty];
    )*) => {
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

for_each_attr! { attributes }

/// The names of the attributes.
impl fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        for n in self {
            match info(n) {
                Some(info) => set.entry(&format_args!("{}", info.name)),
                None => set.entry(&n),
            };
        }
        if self.beyond {
            set.entry(&format_args!("beyond"));
        }
        set.finish()
    }
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
