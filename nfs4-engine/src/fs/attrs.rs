//! Attributes as a file system knows them; the engine turns them into NFS attributes.

use crate::time::Wall;

/// What an object is. [RFC 8881 §3.3.13, nfs_ftype4]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharDevice,
    /// A symbolic link.
    Symlink,
    /// A socket.
    Socket,
    /// A named pipe.
    Fifo,
}

/// The numbers of a device node. [RFC 8881 §5.8.2.32, rawdev]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Device {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

/// The attributes of one object, taken together at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attrs {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, setuid, setgid and sticky: the low twelve bits.
    pub mode: u32,
    /// Number of hard links.
    pub links: u32,
    /// Owner's user id.
    pub uid: u32,
    /// Owner's group id.
    pub gid: u32,
    /// The device numbers of a device node, else zero.
    pub device: Device,
    /// Unique within the file system, never zero.
    pub fileid: u64,
    /// A counter that goes up with every change of data or attributes; never a clock.
    pub change: u64,
    /// Length in bytes.
    pub size: u64,
    /// Storage taken, in bytes.
    pub space_used: u64,
    /// Last read.
    pub accessed: Wall,
    /// Last change of data.
    pub modified: Wall,
    /// Last change of data or attributes.
    pub changed: Wall,
    /// Creation.
    pub created: Wall,
}

/// Room in a file system. [RFC 8881 §5.8.2.36 and the like]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsStat {
    /// Size of the file system, in bytes.
    pub space_total: u64,
    /// Free bytes.
    pub space_free: u64,
    /// Free bytes that this user may take.
    pub space_avail: u64,
    /// How many objects it can hold.
    pub files_total: u64,
    /// How many more objects it can hold.
    pub files_free: u64,
    /// How many more objects this user may create.
    pub files_avail: u64,
}

/// Changes to attributes; what is `None` or [`SetTime::Keep`] stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttrs {
    /// New length in bytes; growth makes a hole.
    pub size: Option<u64>,
    /// New permission bits.
    pub mode: Option<u32>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New time of last read.
    pub accessed: SetTime,
    /// New time of last change of data.
    pub modified: SetTime,
    /// New creation time.
    pub created: Option<Wall>,
}

impl SetAttrs {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        *self == SetAttrs::default()
    }
}

/// A change to a file time. [RFC 8881 §5.8.2.38, time_how4]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetTime {
    /// Leave it.
    #[default]
    Keep,
    /// The request's `now`; each user that may write the file may set this.
    Server,
    /// A time that the client chose; only the owner may do this.
    Client(Wall),
}

/// Which attributes the engine will need with the answer; a file system may give more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// [`Attrs`]; without it the file system may answer with any (they are not looked at).
    pub attrs: bool,
    /// [`FsStat`], which must then be `Some`.
    pub stat: bool,
}
