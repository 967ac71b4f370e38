//! An object, as the model has it.

use std::collections::BTreeMap;

use nfs4_engine::fs::FsHandle;

/// An object of the model.
pub(super) struct Thing {
    pub(super) what: What,
    pub(super) fh: FsHandle,
}

pub(super) enum What {
    Directory(BTreeMap<String, Id>),
    File {
        data: Vec<u8>,
        holds: u32,
        verifier: Option<u8>,
        /// It was read or written: the verifier may be gone.
        used: bool,
    },
    Symlink,
}

/// An object, by the order of creation; the first is the root directory.
pub(super) type Id = usize;
