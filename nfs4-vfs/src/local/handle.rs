//! Filehandles: the kernel's handle or a number of the table, and a tag.
//!
//! The tag is a hash that is keyed with the secret, and the identity and the path of the export's root: a client
//! cannot forge a handle, nor use a handle of another export.

use std::hash::Hasher as _;

use nfs4_engine::fs::{FsError, FsHandle};
use siphasher::sip::SipHasher24;

use super::system::KernelHandle;

/// What a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// An object by the kernel's handle.
    Kernel {
        /// Its file system: 0 for the root's, else as [`Mount::fs`](super::mounts::Mount).
        fs: u64,
        /// The kernel's handle.
        handle: KernelHandle,
    },
    /// An object by its number in the table.
    Number(u64),
}

/// Makes and reads the handles of one export.
pub(super) struct Handles {
    keyed: SipHasher24,
}

impl Handles {
    /// The handles of the export whose root has this identity, and is at this path: the roots of copies of one
    /// file system are alike.
    pub(super) fn new(secret: &[u8; 16], root: &[u8], path: &[u8]) -> Handles {
        let mut hasher = SipHasher24::new_with_key(secret);
        hasher.write(b"LocalFs export");
        hasher.write(root);
        hasher.write(&[0]);
        hasher.write(path);
        let low = hasher.finish();
        hasher.write(b"high");
        let high = hasher.finish();
        let key = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        Handles {
            keyed: SipHasher24::new_with_key(&key),
        }
    }

    /// A number of the export, other than those of other exports.
    pub(super) fn number_of_export(&self) -> u64 {
        let mut hasher = self.keyed;
        hasher.write(b"LocalFs number");
        hasher.finish()
    }

    /// The handle of this name.
    pub(super) fn make(&self, name: &Name) -> FsHandle {
        let mut bytes = [0; FsHandle::MAX];
        let mut len = 0;
        let mut push = |part: &[u8]| {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        };
        match name {
            Name::Kernel { fs, handle } => {
                if *fs == 0 {
                    push(&[KERNEL]);
                } else {
                    push(&[MOUNTED]);
                    push(&fs.to_be_bytes());
                }
                push(&[handle.kind()]);
                push(handle.as_bytes());
            }
            Name::Number(number) => {
                push(&[NUMBER]);
                push(&number.to_be_bytes());
            }
        }
        let tag = self.tag(&bytes[..len]);
        bytes[len..len + TAG].copy_from_slice(&tag);
        FsHandle::new(&bytes[..len + TAG]).expect("at most 1 + 8 + 1 + 40 + 8 bytes")
    }

    /// What a handle names.
    ///
    /// # Errors
    /// BadHandle if this export did not make it.
    pub(super) fn read(&self, fh: &FsHandle) -> Result<Name, FsError> {
        self.parse(fh.as_bytes()).ok_or(FsError::BadHandle)
    }

    fn parse(&self, bytes: &[u8]) -> Option<Name> {
        let (body, tag) = bytes.split_last_chunk::<TAG>()?;
        // A client that measures how long a comparison takes has as many tries as requests: 2^64
        // values of a keyed hash are not found that way, but to compare words costs nothing more.
        if u64::from_be_bytes(self.tag(body)) != u64::from_be_bytes(*tag) {
            return None;
        }
        let (kind, rest) = body.split_first()?;
        let kernel = |fs, rest: &[u8]| {
            let (kind, bytes) = rest.split_first()?;
            let handle = KernelHandle::new(*kind, bytes)?;
            Some(Name::Kernel { fs, handle })
        };
        match *kind {
            KERNEL => kernel(0, rest),
            MOUNTED => {
                let (fs, rest) = rest.split_first_chunk()?;
                kernel(u64::from_be_bytes(*fs), rest)
            }
            NUMBER => Some(Name::Number(u64::from_be_bytes(rest.try_into().ok()?))),
            _ => None,
        }
    }

    fn tag(&self, body: &[u8]) -> [u8; TAG] {
        let mut hasher = self.keyed;
        hasher.write(body);
        hasher.finish().to_be_bytes()
    }
}

/// Length of the tag, in bytes.
const TAG: usize = 8;
/// First bytes of handles.
const KERNEL: u8 = 1;
const MOUNTED: u8 = 2;
const NUMBER: u8 = 3;
