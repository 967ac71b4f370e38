//! What requests to a file system are given.

use bytes::Bytes;

use super::{Device, FsHandle, SetAttrs};
use crate::time::Wall;

/// Whether the file system still has to check the right to read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// By the credential, as for a request without an open file. The owner of a file may read and
    /// write it whatever its mode, as a client that has it open may expect.
    Credential,
    /// No check: an open file authorises the request, since its rights were checked at the open.
    Open,
}

/// The durability of written bytes. [RFC 8881 §18.32, stable_how4]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stability {
    /// The bytes may be lost with the server until a commit.
    Unstable,
    /// The bytes, and the metadata needed to read them, are durable.
    Data,
    /// The bytes and all attributes are durable.
    File,
}

/// Rights, as the bits of ACCESS. [RFC 8881 §18.1]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessMask(pub u32);

impl AccessMask {
    /// Read a file's bytes, or list a directory.
    pub const READ: AccessMask = AccessMask(0x01);
    /// Look a name up in a directory.
    pub const LOOKUP: AccessMask = AccessMask(0x02);
    /// Change the bytes of a file, or the entries of a directory.
    pub const MODIFY: AccessMask = AccessMask(0x04);
    /// Add bytes at the end of a file, or entries to a directory.
    pub const EXTEND: AccessMask = AccessMask(0x08);
    /// Remove an entry of a directory.
    pub const DELETE: AccessMask = AccessMask(0x10);
    /// Run a file.
    pub const EXECUTE: AccessMask = AccessMask(0x20);

    /// Whether it contains all bits of `other`.
    pub const fn contains(self, other: AccessMask) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of either.
    #[must_use]
    pub const fn union(self, other: AccessMask) -> AccessMask {
        AccessMask(self.0 | other.0)
    }

    /// The bits of both.
    #[must_use]
    pub const fn intersection(self, other: AccessMask) -> AccessMask {
        AccessMask(self.0 & other.0)
    }
}

/// The file to open.
#[derive(Debug)]
pub enum Target {
    /// A name in a directory; the file may be created.
    Name {
        /// The directory.
        dir: FsHandle,
        /// The name.
        name: Bytes,
    },
    /// The file itself; [`OpenHow::create`] is [`Creation::No`].
    Handle(FsHandle),
}

/// How to open a file.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenHow {
    /// The user needs the right to read; the right to execute the file includes it, in order to run
    /// it. [RFC 8881 §6.3.1.1]
    pub read: bool,
    /// The user needs the right to write: to write, to truncate an existing file, or to deny
    /// reading to others.
    pub write: bool,
    /// The action when the file does not exist, and when it exists.
    pub create: Creation,
}

impl OpenHow {
    /// How to open a file with these rights.
    pub fn new(read: bool, write: bool, create: Creation) -> OpenHow {
        OpenHow {
            read,
            write,
            create,
        }
    }
}

/// Whether an open may create the file. An open that creates it does not check the mode of the new
/// file; an open of an existing file does check its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The file must exist.
    No,
    /// The open takes an existing file unchanged, and creates one with these attributes if there is
    /// none. A length of zero that truncates an existing file comes as a request of its own.
    Unchecked(SetAttrs),
    /// The file must not exist.
    Guarded(SetAttrs),
    /// The file must not exist, unless it was created with this verifier, which the file system
    /// keeps with the file, at least while it is held.
    ///
    /// A repeated creation with the same verifier finds the file and succeeds with `created`, or is
    /// [`FsError::Busy`](super::FsError::Busy) while the first one runs.
    Exclusive {
        /// The client's verifier.
        verifier: [u8; 8],
        /// Attributes of a new file.
        set: SetAttrs,
    },
}

impl Creation {
    /// The times of last access and last change in which a file system may keep a verifier until the
    /// client sets others. The highest bit of either half, which makes a time negative, is left out, as
    /// other servers do. [RFC 8881 §18.16.4]
    ///
    /// While the attributes of an [`Opened`](super::Opened) file have these times, the engine tells the client, which
    /// then sets them itself.
    pub const fn verifier_times(verifier: [u8; 8]) -> (Wall, Wall) {
        let [a, b, c, d, e, f, g, h] = verifier;
        (time_of([a, b, c, d]), time_of([e, f, g, h]))
    }
}

const fn time_of(half: [u8; 4]) -> Wall {
    Wall {
        seconds: (u32::from_be_bytes(half) & 0x7fff_ffff) as i64,
        nanos: 0,
    }
}

/// The object to create.
#[derive(Debug)]
pub enum NewNode {
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Symlink(Bytes),
    /// A block device.
    BlockDevice(Device),
    /// A character device.
    CharDevice(Device),
    /// A socket.
    Socket,
    /// A named pipe.
    Fifo,
}
