//! The file of the database.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use redb::StorageBackend;

/// A file whose room on the disk is taken when it grows, so that a full disk is noticed then, and not
/// by a write into the middle of the file. The lock of its directory is the lock of the file.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<File>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.0.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let before = self.len()?;
        let grown = fill(&self.0, before, len);
        if grown.is_err() {
            // What is there is as it was.
            let _ = self.0.set_len(before);
            return grown;
        }
        self.0.set_len(len)
    }

    fn sync_data(&self, _eventual: bool) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// Writes zeros from `from` to `to`.
fn fill(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; BLOCK];
    let mut at = from;
    while at < to {
        let part = usize::try_from(to - at).map_or(BLOCK, |left| left.min(BLOCK));
        file.write_all_at(&zeros[..part], at)?;
        at += part as u64;
    }
    Ok(())
}

const BLOCK: usize = 256 << 10;
