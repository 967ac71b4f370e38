//! READ, WRITE, COMMIT and READLINK.

use nfs4_engine::fs::{
    Authority, FileKind, FsError, FsHandle, FsReply, FsResult, Payload, Stability,
};

use super::attributes::check_size;
use super::inode::Body;
use super::{Caller, MemFs};

impl MemFs {
    pub(super) fn read(
        &self,
        caller: &Caller<'_>,
        fh: &FsHandle,
        offset: u64,
        count: u32,
        authority: Authority,
        mut payload: Payload,
    ) -> FsResult {
        let inode = self.inode(fh)?;
        let content = inode.content()?;
        let _shared = content.share();
        let size = {
            let mut meta = inode.meta();
            meta.protection(FileKind::Regular)
                .may_read(caller.cred, authority)?;
            meta.note_read(caller.now.wall);
            meta.size
        };
        let len = size.saturating_sub(offset).min(u64::from(count));
        let eof = offset.saturating_add(len) >= size;
        content.read(offset, len as usize, &self.buffers, &mut payload);
        Ok(FsReply::Data { data: payload, eof })
    }

    pub(super) fn write(
        &self,
        caller: &Caller<'_>,
        fh: &FsHandle,
        offset: u64,
        data: &[u8],
        authority: Authority,
    ) -> FsResult {
        let inode = self.inode(fh)?;
        let content = inode.content()?;
        let _shared = content.share();
        inode
            .meta()
            .protection(FileKind::Regular)
            .may_write(caller.cred, authority)?;
        let count = u32::try_from(data.len()).map_err(|_| FsError::Invalid)?;
        let end = offset
            .checked_add(u64::from(count))
            .ok_or(FsError::TooLarge)?;
        check_size(end)?;
        if count > 0 {
            content.write(offset, data)?;
            // The change attribute goes up after the bytes are there: a client that sees it sees them.
            let mut meta = inode.meta();
            meta.touch_data(caller.now.wall);
            meta.size = meta.size.max(end);
            meta.mode = meta.protection(FileKind::Regular).after_write(caller.cred);
        }
        // Memory gets no more durable than this; so there is no need to commit.
        Ok(FsReply::Written {
            count,
            stability: Stability::File,
            losses: 0,
        })
    }

    pub(super) fn commit(&self, fh: &FsHandle) -> FsResult {
        self.inode(fh)?.content()?;
        Ok(FsReply::Committed { losses: 0 })
    }

    pub(super) fn read_link(&self, caller: &Caller<'_>, fh: &FsHandle) -> FsResult {
        let inode = self.inode(fh)?;
        let Body::Symlink(target) = &inode.body else {
            return Err(FsError::WrongType);
        };
        inode.meta().note_read(caller.now.wall);
        Ok(FsReply::Link(target.clone()))
    }
}
