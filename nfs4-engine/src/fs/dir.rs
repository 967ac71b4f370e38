//! Directory entries, encoded as the file system pushes them.

use super::{Attrs, FsHandle};

/// Takes the entries of a READDIR; it knows the client's limits and which attributes it wants.
#[derive(Debug)]
pub struct DirWriter {
    // to be filled in by the engine's author
}

/// No further entry fits; the one that was refused is not in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl DirWriter {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`Full`] if it does not fit; nothing can be added then.
    pub fn push(
        &mut self,
        _cookie: u64,
        _name: &[u8],
        _fh: &FsHandle,
        _attrs: &Attrs,
    ) -> Result<(), Full> {
        Ok(())
    }

    /// Says that the last entry of the directory was pushed.
    pub fn end(&mut self) {}
}
