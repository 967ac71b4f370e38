//! Names in directories.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Caller, DirChange, FileKind, FileSystem, FsError, FsHandle, FsReply, FsResult, NewNode,
    Protection, Rights, SetAttrs, Want,
};

use super::Host;
use super::both::both;

impl<F: FileSystem> Host<F> {
    pub(super) async fn lookup(
        &self,
        caller: Caller,
        dir: FsHandle,
        name: Bytes,
        want: Want,
    ) -> FsResult {
        let check = self.check_search(&caller, dir);
        let found = self.fs.lookup(caller.clone(), dir, name);
        let stat = self.stat(caller.clone(), want);
        let (checked, (found, stat)) = both(check, both(found, stat)).await;
        checked?;
        let ((fh, attrs), stat) = (found?, stat?);
        Ok(FsReply::Node { fh, attrs, stat })
    }

    pub(super) async fn lookup_parent(
        &self,
        caller: Caller,
        dir: FsHandle,
        want: Want,
    ) -> FsResult {
        self.check_search(&caller, dir).await?;
        if dir == self.fs.root() {
            return Err(FsError::NotFound);
        }
        let found = self.fs.parent(caller.clone(), dir);
        let (found, stat) = both(found, self.stat(caller.clone(), want)).await;
        let ((fh, attrs), stat) = (found?, stat?);
        Ok(FsReply::Node { fh, attrs, stat })
    }

    pub(super) async fn create(
        &self,
        caller: Caller,
        dir: FsHandle,
        name: Bytes,
        node: NewNode,
        set: SetAttrs,
    ) -> FsResult {
        let above = self.changed_dir(&caller, dir).await?;
        let set = self.first_attributes(&caller, &above, node.kind(), set)?;
        let made = self.fs.make(caller.clone(), dir, name, node, set);
        let (fh, attrs) = made.await?;
        Ok(FsReply::Created {
            fh,
            attrs,
            dir: self.change(caller, dir, &above).await?,
        })
    }

    /// The attributes of a new object, with the mode, owner and group that it gets.
    pub(super) fn first_attributes(
        &self,
        caller: &Caller,
        above: &Attrs,
        kind: FileKind,
        mut set: SetAttrs,
    ) -> Result<SetAttrs, FsError> {
        if self.checks() {
            let new = Protection::from(above).of_new(&caller.cred, kind, &set)?;
            (set.mode, set.uid, set.gid) = (Some(new.mode), Some(new.uid), Some(new.gid));
        }
        Ok(set)
    }

    pub(super) async fn link(
        &self,
        caller: Caller,
        fh: FsHandle,
        dir: FsHandle,
        name: Bytes,
    ) -> FsResult {
        if self.checks() {
            let attrs = self.fs.getattr(caller.clone(), fh).await?;
            if attrs.kind == FileKind::Directory {
                return Err(FsError::IsDirectory);
            }
        }
        let above = self.changed_dir(&caller, dir).await?;
        self.fs.link(caller.clone(), fh, dir, name).await?;
        let dir = self.change(caller, dir, &above).await?;
        Ok(FsReply::Linked { dir })
    }

    pub(super) async fn remove(&self, caller: Caller, dir: FsHandle, name: Bytes) -> FsResult {
        let above = self.changed_dir(&caller, dir).await?;
        self.check_unlink(&caller, (dir, &above), &name).await?;
        self.fs.remove(caller.clone(), dir, name).await?;
        let dir = self.change(caller, dir, &above).await?;
        Ok(FsReply::Removed { dir })
    }

    pub(super) async fn rename(
        &self,
        caller: Caller,
        (from_dir, from): (FsHandle, Bytes),
        (to_dir, to): (FsHandle, Bytes),
    ) -> FsResult {
        let (above_from, above_to) = if to_dir == from_dir {
            let above = self.directory(&caller, from_dir).await?;
            (above, above)
        } else {
            let from = self.directory(&caller, from_dir);
            let (from, to) = both(from, self.directory(&caller, to_dir)).await;
            (from?, to?)
        };
        self.may_change(&caller, &above_from)?;
        self.may_change(&caller, &above_to)?;
        if self.checks() {
            let source = (from_dir, &above_from, &from);
            let target = (to_dir, &above_to, &to);
            if self.check_rename(&caller, source, target).await? == Ends::OneObject {
                return Ok(FsReply::Renamed {
                    from: unchanged(&above_from),
                    to: unchanged(&above_to),
                });
            }
        }
        let moved = self
            .fs
            .rename(caller.clone(), from_dir, from, to_dir, to)
            .await;
        moved?;
        Ok(FsReply::Renamed {
            from: self.change(caller.clone(), from_dir, &above_from).await?,
            to: self.change(caller, to_dir, &above_to).await?,
        })
    }

    /// Checks that the user may take both names away, and write a directory that moves to another
    /// one: its ".." changes.
    async fn check_rename(
        &self,
        caller: &Caller,
        (from_dir, above_from, from): (FsHandle, &Attrs, &Bytes),
        (to_dir, above_to, to): (FsHandle, &Attrs, &Bytes),
    ) -> Result<Ends, FsError> {
        let source = self.fs.lookup(caller.clone(), from_dir, from.clone());
        let target = self.fs.lookup(caller.clone(), to_dir, to.clone());
        let (source, target) = both(source, target).await;
        let (fh, attrs) = source?;
        let target = match target {
            Ok(target) => Some(target),
            Err(FsError::NotFound) => None,
            Err(why) => return Err(why),
        };
        if target.is_some_and(|(target, _)| target == fh) {
            return Ok(Ends::OneObject);
        }
        let cred = &caller.cred;
        let moved = Protection::from(&attrs);
        Protection::from(above_from).may_unlink(cred, &moved)?;
        if attrs.kind == FileKind::Directory && from_dir != to_dir {
            moved.require(cred, Rights::WRITE)?;
        }
        if let Some((_, replaced)) = target {
            Protection::from(above_to).may_unlink(cred, &Protection::from(&replaced))?;
        }
        Ok(Ends::Differ)
    }

    /// The change of a directory since it had the attributes `before`. Another request may have
    /// changed it meanwhile.
    pub(super) async fn change(
        &self,
        caller: Caller,
        dir: FsHandle,
        before: &Attrs,
    ) -> Result<DirChange, FsError> {
        // The change is done, whatever the file system answers now.
        let after = self.fs.getattr(caller, dir).await.ok();
        Ok(DirChange {
            atomic: false,
            before: before.change,
            after: after.map_or(before.change, |attrs| attrs.change),
        })
    }
}

/// What the two names of a rename stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// One object, such as by hard links: nothing is to be done. [RFC 8881 §18.26.3]
    OneObject,
    /// An object that moves, and another or none that it replaces.
    Differ,
}

/// No change of a directory with these attributes.
pub(super) fn unchanged(dir: &Attrs) -> DirChange {
    DirChange {
        atomic: true,
        before: dir.change,
        after: dir.change,
    }
}
