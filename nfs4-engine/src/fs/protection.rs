//! The rules of POSIX on rights: owner, group and others.

use super::{
    AccessMask, Attrs, Authority, Credential, FileKind, FsError, NewNode, SetAttrs, SetTime,
};

/// What decides on the rights to an object: its type, mode, owner and group.
///
/// For file systems that keep the permission bits of POSIX; another may have its own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The type of the object.
    pub kind: FileKind,
    /// Permission bits, setuid, setgid and sticky.
    pub mode: u32,
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
}

/// The rights that a user has by a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights(u32);

impl Rights {
    /// To read a file's bytes, or to list a directory.
    pub const READ: Rights = Rights(4);
    /// To write a file.
    pub const WRITE: Rights = Rights(2);
    /// To run a file, or to search a directory.
    pub const EXECUTE: Rights = Rights(1);
    /// To add or remove entries of a directory.
    pub const CHANGE_ENTRIES: Rights = Rights(2 | 1);

    /// Whether they include `needed`.
    pub const fn allow(self, needed: Rights) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Whether they allow to read a file; a user that may execute it may read it.
    /// [RFC 8881 §6.3.1.1]
    pub const fn may_read_file(self) -> bool {
        self.allow(Rights::READ) || self.allow(Rights::EXECUTE)
    }

    /// Checks that they include `needed`.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`] if they do not.
    pub const fn require(self, needed: Rights) -> Result<(), FsError> {
        if self.allow(needed) {
            Ok(())
        } else {
            Err(FsError::AccessDenied)
        }
    }
}

impl From<&Attrs> for Protection {
    fn from(attrs: &Attrs) -> Protection {
        Protection {
            kind: attrs.kind,
            mode: attrs.mode,
            uid: attrs.uid,
            gid: attrs.gid,
        }
    }
}

impl Protection {
    /// All bits of a mode.
    pub const MODE_BITS: u32 = 0o7777;
    /// Set-user-ID.
    pub const SETUID: u32 = 0o4000;
    /// Set-group-ID; new entries of such a directory get its group.
    pub const SETGID: u32 = 0o2000;
    /// From such a directory a user removes only own entries.
    pub const STICKY: u32 = 0o1000;

    /// The rights of this user. The superuser has all, but executes a file only if some user may.
    pub fn rights(&self, cred: &Credential) -> Rights {
        if cred.is_root() {
            let runs = self.kind == FileKind::Directory || self.mode & 0o111 != 0;
            return Rights(if runs { 7 } else { 6 });
        }
        let class = if cred.uid == self.uid {
            self.mode >> 6
        } else if cred.is_in_group(self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        Rights(class & 7)
    }

    /// Checks that the user has these rights.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`] if not.
    pub fn require(&self, cred: &Credential, needed: Rights) -> Result<(), FsError> {
        self.rights(cred).require(needed)
    }

    /// Checks that the user may remove this entry from this directory, beside the right to write
    /// there: from a sticky directory only the user's own entries, unless the directory is the
    /// user's.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`] if not: REMOVE and RENAME have no status for "not the owner".
    /// [RFC 8881 §15.2]
    pub fn may_unlink(&self, cred: &Credential, entry: &Protection) -> Result<(), FsError> {
        let free = self.mode & Protection::STICKY == 0 || cred.is_root();
        if free || cred.uid == self.uid || cred.uid == entry.uid {
            Ok(())
        } else {
            Err(FsError::AccessDenied)
        }
    }

    /// Checks that the user may read a file. [RFC 8881 §18.22.4]
    ///
    /// # Errors
    /// [`FsError::AccessDenied`] if not.
    pub fn may_read(&self, cred: &Credential, authority: Authority) -> Result<(), FsError> {
        if self.has_authority(cred, authority) || self.rights(cred).may_read_file() {
            Ok(())
        } else {
            Err(FsError::AccessDenied)
        }
    }

    /// Checks that the user may write a file, or cut it.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`] if not.
    pub fn may_write(&self, cred: &Credential, authority: Authority) -> Result<(), FsError> {
        if self.has_authority(cred, authority) {
            return Ok(());
        }
        self.require(cred, Rights::WRITE)
    }

    fn has_authority(&self, cred: &Credential, authority: Authority) -> bool {
        match authority {
            Authority::Open => true,
            Authority::Credential => cred.uid == self.uid,
        }
    }

    /// Checks that the user may open the file to read or to write it.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`] if not.
    pub fn may_open(&self, cred: &Credential, read: bool, write: bool) -> Result<(), FsError> {
        let rights = self.rights(cred);
        if read && !rights.may_read_file() {
            return Err(FsError::AccessDenied);
        }
        if write {
            rights.require(Rights::WRITE)?;
        }
        Ok(())
    }

    /// Which of the rights in `mask` the user has. [RFC 8881 §18.1]
    pub fn granted(&self, cred: &Credential, mask: AccessMask) -> AccessMask {
        let rights = self.rights(cred);
        let table: &[_] = if self.kind == FileKind::Directory {
            &IN_DIRECTORY
        } else {
            &ELSEWHERE
        };
        table
            .iter()
            .filter(|(_, needed)| rights.allow(*needed))
            .fold(AccessMask::default(), |all, (bit, _)| all.union(*bit))
            .intersection(mask)
    }

    /// Checks that the user may make these changes of attributes.
    ///
    /// # Errors
    /// [`FsError::NotPermitted`] or [`FsError::AccessDenied`] if not.
    pub fn may_set(
        &self,
        cred: &Credential,
        set: &SetAttrs,
        authority: Authority,
    ) -> Result<(), FsError> {
        if set.size.is_some() {
            self.may_write(cred, authority)?;
        }
        if cred.is_root() {
            return Ok(());
        }
        let owner = cred.uid == self.uid;
        let client_times = [set.accessed, set.modified];
        let needs_owner = set.mode.is_some()
            || set.uid.is_some()
            || set.gid.is_some()
            || set.created.is_some()
            || client_times
                .iter()
                .any(|time| matches!(time, SetTime::Client(_)));
        if needs_owner && !owner {
            return Err(FsError::NotPermitted);
        }
        self.may_give_away(cred, set)?;
        if client_times.contains(&SetTime::Server) && !owner {
            self.require(cred, Rights::WRITE)?;
        }
        Ok(())
    }

    /// Checks that the owner may give the object to the owner and group of `set`.
    ///
    /// # Errors
    /// [`FsError::NotPermitted`] if not.
    pub fn may_give_away(&self, cred: &Credential, set: &SetAttrs) -> Result<(), FsError> {
        let same_owner = set.uid.is_none_or(|new| new == self.uid);
        let own_group = set
            .gid
            .is_none_or(|new| new == self.gid || cred.is_in_group(new));
        if cred.is_root() || same_owner && own_group {
            Ok(())
        } else {
            Err(FsError::NotPermitted)
        }
    }

    /// The protection of a new object in this directory, with the attributes of `set`: the user is
    /// its owner, and its group is the user's, or that of a directory with setgid.
    ///
    /// # Errors
    /// [`FsError::NotPermitted`] if the user may not give it to another owner or group, or makes a
    /// device and is not the superuser.
    pub fn of_new(
        &self,
        cred: &Credential,
        kind: FileKind,
        set: &SetAttrs,
    ) -> Result<Protection, FsError> {
        if matches!(kind, FileKind::BlockDevice | FileKind::CharDevice) && !cred.is_root() {
            return Err(FsError::NotPermitted);
        }
        let inherits = self.mode & Protection::SETGID != 0;
        let is_directory = kind == FileKind::Directory;
        let mut new = Protection {
            kind,
            mode: if is_directory { 0o755 } else { 0o644 },
            uid: cred.uid,
            gid: if inherits { self.gid } else { cred.gid },
        };
        new.may_give_away(cred, set)?;
        new.mode = set.mode.unwrap_or(new.mode) & Protection::MODE_BITS;
        new.uid = set.uid.unwrap_or(new.uid);
        new.gid = set.gid.unwrap_or(new.gid);
        new.mode = new.without_foreign_group(cred, new.mode);
        if is_directory && inherits {
            new.mode |= Protection::SETGID;
        }
        Ok(new)
    }

    /// The protection after the user made the changes of `set`, which [`Protection::may_set`] allows:
    /// a change of size, owner or group takes away the rights that the object lends.
    #[must_use]
    pub fn after_set(&self, cred: &Credential, set: &SetAttrs) -> Protection {
        let mut new = *self;
        if set.size.is_some() {
            new.mode = new.after_write(cred);
        }
        let given_away = set.uid.is_some() || set.gid.is_some();
        if given_away {
            new.mode = new.after_chown(cred);
        }
        new.uid = set.uid.unwrap_or(new.uid);
        new.gid = set.gid.unwrap_or(new.gid);
        if let Some(mode) = set.mode {
            new.mode = new.without_foreign_group(cred, mode & Protection::MODE_BITS);
            // A mode that comes with a new owner is no exception.
            if given_away {
                new.mode = new.after_chown(cred);
            }
        }
        new
    }

    /// The mode of a file after the user wrote or cut it: it lends no rights any more, unless the
    /// superuser did it.
    pub fn after_write(&self, cred: &Credential) -> u32 {
        if cred.is_root() {
            self.mode
        } else {
            self.without_lent_rights(cred)
        }
    }

    /// The mode of an object after the user set its owner or its group, be it to what they were: it
    /// lends no rights any more, also if the superuser did it. Clients rely on that.
    fn after_chown(&self, cred: &Credential) -> u32 {
        // Of a directory setgid lends nothing.
        if self.kind == FileKind::Directory {
            self.mode
        } else {
            self.without_lent_rights(cred)
        }
    }

    fn without_lent_rights(&self, cred: &Credential) -> u32 {
        let mode = self.mode & !Protection::SETUID;
        // Setgid without the group's execute bit lends nothing: it means mandatory locking.
        if mode & GROUP_EXECUTES != 0 {
            mode & !Protection::SETGID
        } else {
            self.without_foreign_group(cred, mode)
        }
    }

    /// The mode that a user may give an object of this group: only its members give away its rights.
    fn without_foreign_group(&self, cred: &Credential, mode: u32) -> u32 {
        if cred.is_root() || cred.is_in_group(self.gid) {
            mode
        } else {
            mode & !Protection::SETGID
        }
    }
}

impl NewNode {
    /// The type of the object.
    pub const fn kind(&self) -> FileKind {
        match self {
            NewNode::Directory => FileKind::Directory,
            NewNode::Symlink(_) => FileKind::Symlink,
            NewNode::BlockDevice(_) => FileKind::BlockDevice,
            NewNode::CharDevice(_) => FileKind::CharDevice,
            NewNode::Socket => FileKind::Socket,
            NewNode::Fifo => FileKind::Fifo,
        }
    }
}

const IN_DIRECTORY: [(AccessMask, Rights); 5] = [
    (AccessMask::READ, Rights::READ),
    (AccessMask::LOOKUP, Rights::EXECUTE),
    (AccessMask::MODIFY, Rights::CHANGE_ENTRIES),
    (AccessMask::EXTEND, Rights::CHANGE_ENTRIES),
    (AccessMask::DELETE, Rights::CHANGE_ENTRIES),
];
const ELSEWHERE: [(AccessMask, Rights); 4] = [
    (AccessMask::READ, Rights::READ),
    (AccessMask::MODIFY, Rights::WRITE),
    (AccessMask::EXTEND, Rights::WRITE),
    (AccessMask::EXECUTE, Rights::EXECUTE),
];
const GROUP_EXECUTES: u32 = 0o0010;
