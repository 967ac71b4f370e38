//! Attributes and bytes.

use nfs4_engine::bytes;
use nfs4_engine::fs::{
    AccessMask, Authority, Caller, FileKind, FileSystem, FsError, FsHandle, FsReply, FsResult,
    Protection, SetAttrs, Stability, Want, Written,
};

use super::Host;
use super::both::both;
use super::checks::is_file;

/// Bytes to write, and where.
pub(super) struct Bytes {
    pub(super) offset: u64,
    pub(super) data: bytes::Bytes,
}

impl<F: FileSystem> Host<F> {
    pub(super) async fn get_attrs(&self, caller: Caller, fh: FsHandle, want: Want) -> FsResult {
        let attrs = self.fs.getattr(caller.clone(), fh);
        let (attrs, stat) = both(attrs, self.stat(caller, want)).await;
        Ok(FsReply::Attrs {
            attrs: attrs?,
            stat: stat?,
        })
    }

    /// The space of the file system, if it is requested.
    pub(super) async fn stat(
        &self,
        caller: Caller,
        want: Want,
    ) -> Result<Option<nfs4_engine::fs::FsStat>, FsError> {
        if !want.stat {
            return Ok(None);
        }
        self.fs.stat(caller).await.map(Some)
    }

    pub(super) async fn set_attrs(
        &self,
        caller: Caller,
        fh: FsHandle,
        mut set: SetAttrs,
        authority: Authority,
    ) -> FsResult {
        let mut _under_way = None;
        if self.checks() {
            let touches_mode = set.size.is_some() || set.mode.or(set.uid).or(set.gid).is_some();
            if touches_mode {
                _under_way = Some(self.changes.begin(fh).await);
            }
            let attrs = self.fs.getattr(caller.clone(), fh).await?;
            match attrs.kind {
                FileKind::Regular => {}
                FileKind::Directory if set.size.is_some() => return Err(FsError::IsDirectory),
                _ if set.size.is_some() => return Err(FsError::Invalid),
                _ => {}
            }
            let former = Protection::from(&attrs);
            former.may_set(&caller.cred, &set, authority)?;
            let mode = former.after_set(&caller.cred, &set).mode;
            if set.mode.is_some() || mode != former.mode {
                set.mode = Some(mode);
            }
        }
        let attrs = self.fs.setattr(caller, fh, set).await?;
        Ok(FsReply::Attrs { attrs, stat: None })
    }

    pub(super) async fn access(&self, caller: Caller, fh: FsHandle, mask: AccessMask) -> FsResult {
        let attrs = self.fs.getattr(caller.clone(), fh).await?;
        let granted = self.fs.access(caller, fh, attrs, mask).await?;
        Ok(FsReply::Access {
            granted: granted.intersection(mask),
            kind: attrs.kind,
        })
    }

    pub(super) async fn read_link(&self, caller: Caller, fh: FsHandle) -> FsResult {
        if self.checks() {
            let attrs = self.fs.getattr(caller.clone(), fh).await?;
            if attrs.kind != FileKind::Symlink {
                return Err(FsError::WrongType);
            }
        }
        self.fs.readlink(caller, fh).await.map(FsReply::Link)
    }

    pub(super) async fn read(
        &self,
        caller: Caller,
        fh: FsHandle,
        offset: u64,
        count: u32,
        authority: Authority,
    ) -> FsResult {
        let check = self.check_read(&caller, fh, authority);
        let data = self.fs.read(caller.clone(), fh, offset, count);
        let (checked, data) = both(check, data).await;
        checked?;
        let data = data?;
        Ok(FsReply::Data {
            data: data.payload,
            eof: data.eof,
        })
    }

    pub(super) async fn write(
        &self,
        caller: Caller,
        fh: FsHandle,
        bytes: Bytes,
        stability: Stability,
        authority: Authority,
    ) -> FsResult {
        self.check_write(&caller, fh, authority).await?;
        let Bytes { offset, data } = bytes;
        // What is lost from here on may be of these bytes.
        let losses = self.fs.losses();
        let Written { count, stability } =
            self.fs.write(caller, fh, offset, data, stability).await?;
        Ok(FsReply::Written {
            count,
            stability,
            losses,
        })
    }

    pub(super) async fn commit(
        &self,
        caller: Caller,
        fh: FsHandle,
        offset: u64,
        count: u32,
    ) -> FsResult {
        if self.checks() {
            is_file(&self.fs.getattr(caller.clone(), fh).await?)?;
        }
        self.fs.commit(caller, fh, offset, count).await?;
        let losses = self.fs.losses();
        Ok(FsReply::Committed { losses })
    }
}
