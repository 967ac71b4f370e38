//! RENAME.

use nfs4_engine::fs::{FileKind, FsError, FsHandle, FsReply, FsResult, Rights};
use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;

use super::caller::Caller;
use super::error::of_names;
use super::identity::as_user;
use super::names::{check_name, may_unlink};
use super::node::Node;
use super::shared::Shared;

impl Shared {
    pub(super) fn rename(
        &self,
        caller: &Caller,
        (from_dir, from): (&FsHandle, &[u8]),
        (to_dir, to): (&FsHandle, &[u8]),
    ) -> FsResult {
        check_name(from)?;
        check_name(to)?;
        let (from_dir, to_dir) = (self.node(from_dir)?, self.node(to_dir)?);
        let above_from =
            self.require(caller, self.directory(&from_dir)?, Rights::CHANGE_ENTRIES)?;
        let above_to = self.require(caller, self.directory(&to_dir)?, Rights::CHANGE_ENTRIES)?;
        let (source, source_stat) = self.entry(&from_dir, from)?.ok_or(FsError::NotFound)?;
        let target = self.entry(&to_dir, to)?;
        let is_same = |(target, _): &(_, _)| std::sync::Arc::ptr_eq(&source, target);
        if target.as_ref().is_some_and(is_same) {
            return Ok(FsReply::Renamed {
                from: self.unchanged(&from_dir, &above_from),
                to: self.unchanged(&to_dir, &above_to),
            });
        }
        may_unlink(caller, &from_dir, &above_from, (&source, &source_stat))?;
        if let Some((target, stat)) = &target {
            may_unlink(caller, &to_dir, &above_to, (target, stat))?;
        }
        let is_across = from_dir.id != to_dir.id;
        if is_across && source.kind == FileKind::Directory {
            // Its ".." changes.
            self.effective(&caller.cred, &source, &source_stat)?
                .require(&caller.cred, Rights::WRITE)?;
        }
        as_user(&caller.cred, || {
            renameat_with(&*from_dir, from, &*to_dir, to, RenameFlags::empty())
        })?
        .map_err(of_rename)?;
        source.change.count();
        self.moved(&source, &to_dir, to);
        if let Some((target, _)) = &target {
            self.unlinked(target);
        }
        let changed: [&Node; 2] = [&to_dir, &from_dir];
        self.settle(changed.get(usize::from(!is_across)..).unwrap_or_default())?;
        let from = self.changed(&from_dir, &above_from)?;
        let to = if is_across {
            self.changed(&to_dir, &above_to)?
        } else {
            from
        };
        Ok(FsReply::Renamed { from, to })
    }
}

fn of_rename(error: Errno) -> FsError {
    match error {
        // The target is of another kind, or a directory that is not empty. [RFC 8881 §18.26.3]
        Errno::NOTEMPTY | Errno::EXIST | Errno::ISDIR | Errno::NOTDIR => FsError::Exists,
        error => of_names(error),
    }
}
