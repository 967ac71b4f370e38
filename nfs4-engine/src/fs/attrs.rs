//! Attributes as a file system has them; the engine converts them to NFS attributes.

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

/// The attributes of one object, all from the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attrs {
    /// The type of the object.
    pub kind: FileKind,
    /// Permission bits, setuid, setgid and sticky: the low twelve bits.
    pub mode: u32,
    /// Number of hard links.
    pub links: u32,
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
    /// The numbers of a device node, else zero.
    pub device: Device,
    /// Unique within the file system, never zero.
    pub fileid: u64,
    /// A counter that grows with every change of data or attributes; never a clock.
    pub change: u64,
    /// Length in bytes.
    pub size: u64,
    /// Storage in use, in bytes.
    pub space_used: u64,
    /// Time of the last read.
    pub accessed: Wall,
    /// Time of the last change of data.
    pub modified: Wall,
    /// Time of the last change of data or attributes.
    pub changed: Wall,
    /// Time of creation.
    pub created: Wall,
    /// Which of the file systems that the export shows the object is in: 0 for the export's own, else
    /// the second word of its fsid. `fileid` is unique within it. [RFC 8881 §5.8.1.9]
    pub fs: u64,
    /// Of the root of such a file system, the fileid of the directory that it covers, in the file
    /// system of that directory; else 0. [RFC 8881 §5.8.2.23]
    pub mounted_on: u64,
}

impl Attrs {
    /// A regular file of `size` bytes: mode 0644, of the superuser, at the start of time.
    pub const fn file(fileid: u64, size: u64) -> Attrs {
        Attrs::new(FileKind::Regular, fileid, size, 0o644)
    }

    /// A directory: mode 0755, of the superuser, at the start of time.
    pub const fn dir(fileid: u64) -> Attrs {
        Attrs::new(FileKind::Directory, fileid, 0, 0o755)
    }

    /// A symbolic link to a target of `size` bytes: mode 0777, of the superuser, at the start of
    /// time.
    pub const fn symlink(fileid: u64, size: u64) -> Attrs {
        Attrs::new(FileKind::Symlink, fileid, size, 0o777)
    }

    /// An object of this type; `fileid` is unique within the file system and not zero.
    pub const fn new(kind: FileKind, fileid: u64, size: u64, mode: u32) -> Attrs {
        const START: Wall = Wall {
            seconds: 0,
            nanos: 0,
        };
        Attrs {
            kind,
            mode,
            links: if matches!(kind, FileKind::Directory) {
                2
            } else {
                1
            },
            uid: 0,
            gid: 0,
            device: Device { major: 0, minor: 0 },
            fileid,
            change: 0,
            size,
            space_used: size,
            accessed: START,
            modified: START,
            changed: START,
            created: START,
            fs: 0,
            mounted_on: 0,
        }
    }

    /// With these permission bits.
    #[must_use]
    pub const fn with_mode(mut self, mode: u32) -> Attrs {
        self.mode = mode & 0o7777;
        self
    }

    /// With this owner and group.
    #[must_use]
    pub const fn with_owner(mut self, uid: u32, gid: u32) -> Attrs {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    /// With this number of hard links.
    #[must_use]
    pub const fn with_links(mut self, links: u32) -> Attrs {
        self.links = links;
        self
    }

    /// With this value of the counter of changes.
    #[must_use]
    pub const fn with_change(mut self, change: u64) -> Attrs {
        self.change = change;
        self
    }

    /// In this file system of the export, and covering the directory with the fileid `mounted_on`, or
    /// none if that is 0.
    #[must_use]
    pub const fn in_fs(mut self, fs: u64, mounted_on: u64) -> Attrs {
        (self.fs, self.mounted_on) = (fs, mounted_on);
        self
    }

    /// With all times at this one.
    #[must_use]
    pub const fn with_times(mut self, time: Wall) -> Attrs {
        (self.accessed, self.modified) = (time, time);
        (self.changed, self.created) = (time, time);
        self
    }

    /// Counts a change of content at this time, such as a new name in a directory: `change` grows,
    /// and `modified` and `changed` are `now`.
    pub fn touch(&mut self, now: Wall) {
        self.change = self.change.saturating_add(1);
        (self.modified, self.changed) = (now, now);
    }

    /// Makes the changes of `set` at this time, and counts them: also `change` grows, and
    /// `changed`, and `modified` of a new size, are `now`. `space_used` is the new size.
    pub fn set(&mut self, set: &SetAttrs, now: Wall) {
        if set.is_empty() {
            return;
        }
        let modified = self.modified;
        self.touch(now);
        if let Some(size) = set.size {
            (self.size, self.space_used) = (size, size);
        } else {
            self.modified = modified;
        }
        self.mode = set.mode.map_or(self.mode, |mode| mode & 0o7777);
        self.uid = set.uid.unwrap_or(self.uid);
        self.gid = set.gid.unwrap_or(self.gid);
        self.accessed = set.accessed.of(self.accessed, now);
        self.modified = set.modified.of(self.modified, now);
        self.created = set.created.unwrap_or(self.created);
    }
}

/// The space of a file system. [RFC 8881 §5.8.2.36 and the like]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsStat {
    /// Size of the file system, in bytes.
    pub space_total: u64,
    /// Free bytes.
    pub space_free: u64,
    /// Free bytes that this user may take.
    pub space_avail: u64,
    /// Number of objects that it can hold.
    pub files_total: u64,
    /// Number of objects that it can still hold.
    pub files_free: u64,
    /// Number of objects that this user may still create.
    pub files_avail: u64,
}

/// Changes of attributes; `None` and [`SetTime::Keep`] leave an attribute unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
    /// These changes, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut SetAttrs)) -> SetAttrs {
        set(&mut self);
        self
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == SetAttrs::default()
    }
}

/// A change of a file time. [RFC 8881 §5.8.2.38, time_how4]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetTime {
    /// The time stays.
    #[default]
    Keep,
    /// The time becomes the request's `now`; a user with the right to write the file may set this.
    Server,
    /// The time becomes one that the client chose; only the owner may set this.
    Client(Wall),
}

impl SetTime {
    /// The time that `former` becomes by a request that came at `now`.
    #[must_use]
    pub fn of(self, former: Wall, now: Wall) -> Wall {
        match self {
            SetTime::Keep => former,
            SetTime::Server => now,
            SetTime::Client(wall) => wall,
        }
    }
}

/// The attributes that the engine needs with the answer; a file system may add others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Want {
    /// [`Attrs`]; without it the engine ignores the attributes in the answer.
    pub attrs: bool,
    /// [`FsStat`], which must then be `Some`.
    pub stat: bool,
}

impl Want {
    /// [`Attrs`] alone.
    pub const ATTRS: Want = Want {
        attrs: true,
        stat: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall {
        seconds: 100,
        nanos: 5,
    };

    #[test]
    fn changes_are_made_and_counted() {
        let before = Attrs::file(2, 7);
        let mut attrs = before;
        attrs.set(&SetAttrs::default(), NOW);
        assert_eq!(attrs, before, "no change");

        let mode = SetAttrs {
            mode: Some(0o640),
            accessed: SetTime::Server,
            ..SetAttrs::default()
        };
        attrs.set(&mode, NOW);
        assert_eq!((attrs.mode, attrs.change, attrs.size), (0o640, 1, 7));
        assert_eq!((attrs.accessed, attrs.changed), (NOW, NOW));
        assert_eq!(attrs.modified, before.modified, "the bytes are the same");

        let size = SetAttrs {
            size: Some(3),
            ..SetAttrs::default()
        };
        attrs.set(&size, NOW);
        assert_eq!((attrs.size, attrs.space_used, attrs.change), (3, 3, 2));
        assert_eq!(attrs.modified, NOW);

        let later = Wall {
            seconds: 200,
            nanos: 0,
        };
        let times = SetAttrs {
            size: Some(4),
            modified: SetTime::Client(later),
            ..SetAttrs::default()
        };
        attrs.set(&times, NOW);
        assert_eq!((attrs.modified, attrs.changed), (later, NOW));
    }
}
