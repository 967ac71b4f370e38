//! Types and rights of objects, by their attributes.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Authority, Caller, FileKind, FileSystem, FsError, FsHandle, Permissions, Protection,
    Rights,
};

use super::Host;

impl<F: FileSystem> Host<F> {
    /// Whether the adapter checks types and rights.
    pub(super) fn checks(&self) -> bool {
        self.fs.permissions() == Permissions::ByMode
    }

    /// Checks that the user may look names up in this directory.
    pub(super) async fn check_search(&self, caller: &Caller, dir: FsHandle) -> Result<(), FsError> {
        if self.checks() {
            self.searched(caller, dir).await?;
        }
        Ok(())
    }

    /// The attributes of a directory in which the user may look names up.
    pub(super) async fn searched(&self, caller: &Caller, dir: FsHandle) -> Result<Attrs, FsError> {
        let attrs = self.fs.getattr(caller.clone(), dir).await?;
        if self.checks() {
            is_searched(&attrs)?;
            Protection::from(&attrs).require(&caller.cred, Rights::EXECUTE)?;
        }
        Ok(attrs)
    }

    /// The attributes of a directory whose entries the user may change.
    pub(super) async fn changed_dir(
        &self,
        caller: &Caller,
        dir: FsHandle,
    ) -> Result<Attrs, FsError> {
        let attrs = self.directory(caller, dir).await?;
        self.may_change(caller, &attrs)?;
        Ok(attrs)
    }

    /// The attributes of a directory.
    pub(super) async fn directory(&self, caller: &Caller, dir: FsHandle) -> Result<Attrs, FsError> {
        let attrs = self.fs.getattr(caller.clone(), dir).await?;
        if self.checks() && attrs.kind != FileKind::Directory {
            return Err(FsError::NotDirectory);
        }
        Ok(attrs)
    }

    /// Checks that the user may change the entries of a directory with these attributes.
    pub(super) fn may_change(&self, caller: &Caller, dir: &Attrs) -> Result<(), FsError> {
        if !self.checks() {
            return Ok(());
        }
        Protection::from(dir).require(&caller.cred, Rights::CHANGE_ENTRIES)
    }

    /// Checks that the user may remove the object of a name from a directory with the sticky bit.
    pub(super) async fn check_unlink(
        &self,
        caller: &Caller,
        (dir, above): (FsHandle, &Attrs),
        name: &Bytes,
    ) -> Result<(), FsError> {
        let above = Protection::from(above);
        if !self.checks() || above.mode & Protection::STICKY == 0 {
            return Ok(());
        }
        let found = self.fs.lookup(caller.clone(), dir, name.clone()).await;
        match found {
            Ok((_, attrs)) => above.may_unlink(&caller.cred, &Protection::from(&attrs)),
            // What is not there needs no right to be removed.
            Err(FsError::NotFound) => Ok(()),
            Err(why) => Err(why),
        }
    }

    /// Checks that this is a file that the user may read, unless an open file authorises it.
    pub(super) async fn check_read(
        &self,
        caller: &Caller,
        file: FsHandle,
        authority: Authority,
    ) -> Result<(), FsError> {
        match self.unauthorised(caller, file, authority).await? {
            Some(file) => file.may_read(&caller.cred, authority),
            None => Ok(()),
        }
    }

    /// Checks that this is a file that the user may write, unless an open file authorises it.
    pub(super) async fn check_write(
        &self,
        caller: &Caller,
        file: FsHandle,
        authority: Authority,
    ) -> Result<(), FsError> {
        match self.unauthorised(caller, file, authority).await? {
            Some(file) => file.may_write(&caller.cred, authority),
            None => Ok(()),
        }
    }

    /// The protection of a file, which is checked to be one; none if no right to it is checked here.
    async fn unauthorised(
        &self,
        caller: &Caller,
        file: FsHandle,
        authority: Authority,
    ) -> Result<Option<Protection>, FsError> {
        if !self.checks() || authority == Authority::Open {
            return Ok(None);
        }
        let attrs = self.fs.getattr(caller.clone(), file).await?;
        is_file(&attrs)?;
        Ok(Some(Protection::from(&attrs)))
    }
}

/// Whether names can be looked up in it. [RFC 8881 §18.13.3]
fn is_searched(attrs: &Attrs) -> Result<(), FsError> {
    match attrs.kind {
        FileKind::Directory => Ok(()),
        FileKind::Symlink => Err(FsError::IsSymlink),
        _ => Err(FsError::NotDirectory),
    }
}

/// Whether it is a regular file. [RFC 8881 §18.22.3, §18.32.3]
pub(super) fn is_file(attrs: &Attrs) -> Result<(), FsError> {
    match attrs.kind {
        FileKind::Regular => Ok(()),
        FileKind::Directory => Err(FsError::IsDirectory),
        FileKind::Symlink => Err(FsError::IsSymlink),
        _ => Err(FsError::WrongType),
    }
}
