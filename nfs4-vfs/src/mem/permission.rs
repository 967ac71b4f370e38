//! Permissions: POSIX owner, group and others.

use nfs4_engine::Wall;
use nfs4_engine::fs::{
    AccessMask, Authority, Credential, FileKind, FsError, NewNode, SetAttrs, SetTime,
};

use super::inode::Meta;

/// The rights that a class of users has in a mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights(u32);

impl Rights {
    pub(super) const READ: Rights = Rights(4);
    pub(super) const WRITE: Rights = Rights(2);
    pub(super) const EXECUTE: Rights = Rights(1);
    /// To add or remove entries of a directory.
    pub(super) const CHANGE_ENTRIES: Rights = Rights(2 | 1);

    /// The rights of this user. The superuser has all, but executes a file only if some user may.
    pub(super) fn of(cred: &Credential, kind: FileKind, meta: &Meta) -> Rights {
        if cred.is_root() {
            let runs = kind == FileKind::Directory || meta.mode & 0o111 != 0;
            return Rights(if runs { 7 } else { 6 });
        }
        let class = if cred.uid == meta.uid {
            meta.mode >> 6
        } else if cred.is_in_group(meta.gid) {
            meta.mode >> 3
        } else {
            meta.mode
        };
        Rights(class & 7)
    }

    pub(super) fn allow(self, needed: Rights) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Whether they allow to read a file; a user that may execute it may read it. [RFC 8881 §6.3.1.1]
    pub(super) fn may_read_file(self) -> bool {
        self.allow(Rights::READ) || self.allow(Rights::EXECUTE)
    }

    pub(super) fn require(self, needed: Rights) -> Result<(), FsError> {
        if self.allow(needed) {
            Ok(())
        } else {
            Err(FsError::AccessDenied)
        }
    }
}

/// Whether the user may do this to a directory.
pub(super) fn in_directory(cred: &Credential, dir: &Meta, needed: Rights) -> Result<(), FsError> {
    Rights::of(cred, FileKind::Directory, dir).require(needed)
}

/// Whether the user may remove this entry from this directory, beside the right to write there: from
/// a sticky directory only the user's own entries, unless the directory is the user's.
pub(super) fn may_unlink(cred: &Credential, dir: &Meta, entry: &Meta) -> Result<(), FsError> {
    let free = dir.mode & STICKY == 0 || cred.is_root();
    if free || cred.uid == dir.uid || cred.uid == entry.uid {
        Ok(())
    } else {
        // REMOVE and RENAME have no status for "not the owner". [RFC 8881 §15.2]
        Err(FsError::AccessDenied)
    }
}

/// Whether the user may read a file. [RFC 8881 §18.22.4]
pub(super) fn may_read(
    cred: &Credential,
    meta: &Meta,
    authority: Authority,
) -> Result<(), FsError> {
    let rights = Rights::of(cred, FileKind::Regular, meta);
    if has_authority(cred, meta, authority) || rights.may_read_file() {
        Ok(())
    } else {
        Err(FsError::AccessDenied)
    }
}

/// Whether the user may write a file, or cut it.
pub(super) fn may_write(
    cred: &Credential,
    meta: &Meta,
    authority: Authority,
) -> Result<(), FsError> {
    if has_authority(cred, meta, authority) {
        return Ok(());
    }
    Rights::of(cred, FileKind::Regular, meta).require(Rights::WRITE)
}

fn has_authority(cred: &Credential, meta: &Meta, authority: Authority) -> bool {
    match authority {
        Authority::Open => true,
        Authority::Credential => cred.uid == meta.uid,
    }
}

/// Which of the rights in `mask` the user has. [RFC 8881 §18.1]
pub(super) fn granted(
    cred: &Credential,
    kind: FileKind,
    meta: &Meta,
    mask: AccessMask,
) -> AccessMask {
    let rights = Rights::of(cred, kind, meta);
    let in_directory = [
        (AccessMask::READ, Rights::READ),
        (AccessMask::LOOKUP, Rights::EXECUTE),
        (AccessMask::MODIFY, Rights::CHANGE_ENTRIES),
        (AccessMask::EXTEND, Rights::CHANGE_ENTRIES),
        (AccessMask::DELETE, Rights::CHANGE_ENTRIES),
    ];
    let elsewhere = [
        (AccessMask::READ, Rights::READ),
        (AccessMask::MODIFY, Rights::WRITE),
        (AccessMask::EXTEND, Rights::WRITE),
        (AccessMask::EXECUTE, Rights::EXECUTE),
    ];
    let table: &[_] = if kind == FileKind::Directory {
        &in_directory
    } else {
        &elsewhere
    };
    table
        .iter()
        .filter(|(_, needed)| rights.allow(*needed))
        .fold(AccessMask::default(), |all, (bit, _)| all.union(*bit))
        .intersection(mask)
}

/// Whether the user may make these changes of attributes.
pub(super) fn may_set(
    cred: &Credential,
    kind: FileKind,
    meta: &Meta,
    set: &SetAttrs,
    authority: Authority,
) -> Result<(), FsError> {
    if set.size.is_some() {
        may_write(cred, meta, authority)?;
    }
    if cred.is_root() {
        return Ok(());
    }
    let owner = cred.uid == meta.uid;
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
    may_give_away(cred, meta.uid, meta.gid, set)?;
    if client_times.contains(&SetTime::Server) && !owner {
        Rights::of(cred, kind, meta).require(Rights::WRITE)?;
    }
    Ok(())
}

/// Whether the owner may give an object of `uid` and `gid` to another owner and group.
pub(super) fn may_give_away(
    cred: &Credential,
    uid: u32,
    gid: u32,
    set: &SetAttrs,
) -> Result<(), FsError> {
    let same_owner = set.uid.is_none_or(|new| new == uid);
    let own_group = set
        .gid
        .is_none_or(|new| new == gid || cred.is_in_group(new));
    if cred.is_root() || same_owner && own_group {
        Ok(())
    } else {
        Err(FsError::NotPermitted)
    }
}

/// Whether the user may make such an object: devices are the superuser's.
pub(super) fn may_make(cred: &Credential, node: &NewNode) -> Result<(), FsError> {
    match node {
        NewNode::BlockDevice(_) | NewNode::CharDevice(_) if !cred.is_root() => {
            Err(FsError::NotPermitted)
        }
        NewNode::BlockDevice(_)
        | NewNode::CharDevice(_)
        | NewNode::Directory
        | NewNode::Symlink(_)
        | NewNode::Socket
        | NewNode::Fifo => Ok(()),
    }
}

/// The mode that a user may give an object of this group: only its members give away its rights.
pub(super) fn without_foreign_group(cred: &Credential, mode: u32, gid: u32) -> u32 {
    if cred.is_root() || cred.is_in_group(gid) {
        mode
    } else {
        mode & !SETGID
    }
}

/// The mode of a file after the user wrote or cut it: it lends no rights any more, unless the
/// superuser did it.
pub(super) fn after_write(cred: &Credential, mode: u32, gid: u32) -> u32 {
    if cred.is_root() {
        mode
    } else {
        without_lent_rights(cred, mode, gid)
    }
}

/// The mode of an object after the user set its owner or its group, be it to what they were: it
/// lends no rights any more, also if the superuser did it. Clients rely on that.
pub(super) fn after_chown(cred: &Credential, kind: FileKind, mode: u32, gid: u32) -> u32 {
    // Of a directory setgid lends nothing.
    if kind == FileKind::Directory {
        mode
    } else {
        without_lent_rights(cred, mode, gid)
    }
}

fn without_lent_rights(cred: &Credential, mode: u32, gid: u32) -> u32 {
    let mode = mode & !SETUID;
    // Setgid without the group's execute bit lends nothing: it means mandatory locking.
    if mode & GROUP_EXECUTES != 0 {
        mode & !SETGID
    } else {
        without_foreign_group(cred, mode, gid)
    }
}

/// Whether a client's times are times.
pub(super) fn sane_times(set: &SetAttrs) -> Result<(), FsError> {
    let sane = |wall: Wall| wall.nanos < 1_000_000_000;
    let sane_set = |time: SetTime| match time {
        SetTime::Keep | SetTime::Server => true,
        SetTime::Client(wall) => sane(wall),
    };
    if sane_set(set.accessed) && sane_set(set.modified) && set.created.is_none_or(sane) {
        Ok(())
    } else {
        Err(FsError::Invalid)
    }
}

/// All bits of a mode.
pub(super) const MODE_BITS: u32 = 0o7777;
const SETUID: u32 = 0o4000;
/// New entries of such a directory get its group.
pub(super) const SETGID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const GROUP_EXECUTES: u32 = 0o0010;
