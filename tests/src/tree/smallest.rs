//! A file system of the five methods that are required.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Caller, Data, Entries, Entry, FileSystem, FsError, FsHandle, Permissions,
};

/// A root directory with the file "file", which consists of "content".
pub struct Smallest(pub Permissions);

const ROOT: u64 = 1;
const FILE: u64 = 2;
const CONTENT: &[u8] = b"content";

impl FileSystem for Smallest {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(ROOT)
    }

    fn permissions(&self) -> Permissions {
        self.0
    }

    async fn getattr(&self, _: Caller, node: FsHandle) -> Result<Attrs, FsError> {
        match node.number()? {
            ROOT => Ok(Attrs::dir(ROOT).with_mode(0o777)),
            FILE => Ok(Attrs::file(FILE, CONTENT.len() as u64).with_mode(0o666)),
            _ => Err(FsError::BadHandle),
        }
    }

    async fn lookup(
        &self,
        caller: Caller,
        dir: FsHandle,
        name: Bytes,
    ) -> Result<(FsHandle, Attrs), FsError> {
        if dir.number()? != ROOT || &name[..] != b"file" {
            return Err(FsError::NotFound);
        }
        let file = FsHandle::from_number(FILE);
        Ok((file, self.getattr(caller, file).await?))
    }

    async fn readdir(&self, caller: Caller, dir: FsHandle, _: u64) -> Result<Entries, FsError> {
        if dir.number()? != ROOT {
            return Err(FsError::NotDirectory);
        }
        let file = FsHandle::from_number(FILE);
        let attrs = self.getattr(caller, file).await?;
        Ok(Entries::all([Entry::new("file", file, attrs)]))
    }

    async fn read(
        &self,
        _: Caller,
        file: FsHandle,
        offset: u64,
        count: u32,
    ) -> Result<Data, FsError> {
        match file.number()? {
            FILE => Ok(Data::part_of(&Bytes::from_static(CONTENT), offset, count)),
            _ => Err(FsError::IsDirectory),
        }
    }
}
