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
        let above_from = self.changed_dir(&caller, from_dir).await?;
        let above_to = if to_dir == from_dir {
            above_from
        } else {
            self.changed_dir(&caller, to_dir).await?
        };
        self.check_unlink(&caller, (from_dir, &above_from), &from)
            .await?;
        self.check_unlink(&caller, (to_dir, &above_to), &to).await?;
        if to_dir != from_dir {
            self.check_moved(&caller, from_dir, &from).await?;
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

    /// Checks that the user may write a directory that moves to another one: its ".." changes.
    async fn check_moved(
        &self,
        caller: &Caller,
        dir: FsHandle,
        name: &Bytes,
    ) -> Result<(), FsError> {
        if !self.checks() {
            return Ok(());
        }
        let (_, attrs) = self.fs.lookup(caller.clone(), dir, name.clone()).await?;
        if attrs.kind != FileKind::Directory {
            return Ok(());
        }
        Protection::from(&attrs).require(&caller.cred, Rights::WRITE)
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
