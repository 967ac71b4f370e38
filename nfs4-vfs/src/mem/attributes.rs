//! GETATTR, SETATTR and ACCESS.

use nfs4_engine::fs::{
    AccessMask, Authority, Credential, FileKind, FsError, FsHandle, FsReply, FsResult, SetAttrs,
    SetTime, Want,
};
use nfs4_engine::{Now, Wall};

use super::content::CutOff;
use super::inode::{Body, Inode, Meta};
use super::{Caller, MAX_FILE_SIZE, MemFs};

impl MemFs {
    pub(super) fn get_attrs(&self, fh: &FsHandle, want: Want) -> FsResult {
        let inode = self.inode(fh)?;
        let attrs = inode.attrs(&inode.meta());
        Ok(FsReply::Attrs {
            attrs,
            stat: self.stat(want),
        })
    }

    pub(super) fn access(&self, caller: &Caller<'_>, fh: &FsHandle, mask: AccessMask) -> FsResult {
        let inode = self.inode(fh)?;
        let kind = inode.kind();
        let granted = inode.meta().protection(kind).granted(caller.cred, mask);
        Ok(FsReply::Access { granted, kind })
    }

    pub(super) fn set_attrs(
        &self,
        caller: &Caller<'_>,
        fh: &FsHandle,
        set: &SetAttrs,
        authority: Authority,
    ) -> FsResult {
        sane_times(set)?;
        let inode = self.inode(fh)?;
        let attrs = match (set.size, &inode.body) {
            (None, _) => {
                let mut meta = inode.meta();
                change(&inode, &mut meta, caller, set, authority)?;
                inode.attrs(&meta)
            }
            (Some(size), Body::File(content)) => {
                check_size(size)?;
                let cut_off: CutOff;
                let _alone = content.exclude();
                let mut meta = inode.meta();
                let former = meta.size;
                change(&inode, &mut meta, caller, set, authority)?;
                if size < former {
                    // Declared before the locks, so dropped after them.
                    cut_off = content.cut(size);
                    let _ = &cut_off;
                }
                inode.attrs(&meta)
            }
            (Some(_), Body::Directory(_)) => return Err(FsError::IsDirectory),
            (Some(_), _) => return Err(FsError::Invalid),
        };
        Ok(FsReply::Attrs { attrs, stat: None })
    }
}

/// Checks all of `set`, and then carries it out.
fn change(
    inode: &Inode,
    meta: &mut Meta,
    caller: &Caller<'_>,
    set: &SetAttrs,
    authority: Authority,
) -> Result<(), FsError> {
    let kind = inode.kind();
    meta.protection(kind).may_set(caller.cred, set, authority)?;
    if !set.is_empty() {
        apply(meta, caller.cred, caller.now, kind, set);
    }
    Ok(())
}

fn apply(meta: &mut Meta, cred: &Credential, now: Now, kind: FileKind, set: &SetAttrs) {
    meta.touch(now.wall);
    if let Some(size) = set.size {
        meta.size = size;
        meta.modified = now.wall;
    }
    let new = meta.protection(kind).after_set(cred, set);
    (meta.mode, meta.uid, meta.gid) = (new.mode, new.uid, new.gid);
    apply_times(meta, set, now.wall);
}

/// Sets the times that `set` brings.
pub(super) fn apply_times(meta: &mut Meta, set: &SetAttrs, now: Wall) {
    meta.accessed = set.accessed.of(meta.accessed, now);
    meta.modified = set.modified.of(meta.modified, now);
    meta.created = set.created.unwrap_or(meta.created);
}

/// Whether a file can have this size.
pub(super) fn check_size(size: u64) -> Result<(), FsError> {
    if size <= MAX_FILE_SIZE {
        Ok(())
    } else {
        Err(FsError::TooLarge)
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
