//! Requests to a file system and their answers.

use alloc::sync::Arc;

use bytes::Bytes;

use super::{
    Attrs, Credential, Device, DirWriter, FileKind, FsError, FsHandle, FsStat, SetAttrs, Want,
};
use crate::time::Now;

/// One request to a file system: the user, the time and the operation.
#[derive(Debug)]
pub struct FsRequest {
    /// On whose behalf; permissions are the file system's to check.
    pub cred: Arc<Credential>,
    /// When the call arrived; a file system stamps files with `now.wall`.
    pub now: Now,
    /// What is asked.
    pub op: FsOp,
}

/// What is asked of a file system.
///
/// Names are never empty, ".", ".." or longer than
/// [`Capabilities::max_name`](super::Capabilities::max_name), and hold neither '/' nor NUL.
///
/// Every request may be answered the errors of [`FsCall::COMMON`](super::FsCall::COMMON):
/// [`FsError::AccessDenied`], [`FsError::Stale`] (the object of a handle is gone),
/// [`FsError::BadHandle`], [`FsError::Io`] and [`FsError::Busy`]; and those named at each. An answer
/// that breaks this costs the request alone: the client gets an error, and
/// [`Event::FileSystemFault`](crate::Event::FileSystemFault) says what is wrong. Attributes have a
/// `fileid` that is not zero, a `size` up to 2^63 - 1, and times with less than 10^9 nanoseconds.
#[derive(Debug)]
pub enum FsOp {
    /// The attributes of an object. Answer: [`FsReply::Attrs`].
    GetAttrs {
        /// The object.
        fh: FsHandle,
        /// What the answer must hold.
        want: Want,
    },
    /// Change attributes, all or none. Answer: [`FsReply::Attrs`], as they are afterwards.
    ///
    /// A new owner or group of what is not a directory clears setuid, and setgid where the group
    /// may execute, also for the superuser: clients do not ask for that themselves. So does a new
    /// size, and [`FsOp::Write`], for all others.
    ///
    /// Errors: NotPermitted, IsDirectory, IsSymlink, WrongType, Invalid, TooLarge, NoSpace, Quota,
    /// ReadOnly.
    SetAttrs {
        /// The object.
        fh: FsHandle,
        /// The changes.
        set: SetAttrs,
        /// Whether a change of size needs the right to write.
        authority: Authority,
    },
    /// Which of these rights the user has. Answer: [`FsReply::Access`].
    ///
    /// It is also asked before a delegation of another client is recalled, so that a user that the file
    /// system refuses cannot have one recalled. Of a file READ or EXECUTE is the right to read it, and MODIFY
    /// to write it; its owner, as `uid` of its attributes has it, may do both, and with the superuser alone
    /// change mode, owner, group and times. Of a directory EXTEND is the right to add names, and DELETE to take
    /// them; if its mode has the sticky bit, only those of the user's own files or in its own directory.
    Access {
        /// The object.
        fh: FsHandle,
        /// The rights asked for.
        mask: AccessMask,
    },
    /// The object of a name in a directory; [`FsError::IsSymlink`] if `dir` is a link. Answer:
    /// [`FsReply::Node`].
    ///
    /// Errors: NotFound, NotDirectory, IsSymlink, Invalid, NameTooLong, BadName.
    Lookup {
        /// The directory.
        dir: FsHandle,
        /// The name.
        name: Bytes,
        /// What the answer must hold.
        want: Want,
    },
    /// The parent of a directory; [`FsError::NotFound`] at the root, [`FsError::IsSymlink`] if
    /// `dir` is a link. Answer: [`FsReply::Node`].
    ///
    /// Errors: NotFound, NotDirectory, IsSymlink.
    LookupParent {
        /// The directory.
        dir: FsHandle,
        /// What the answer must hold.
        want: Want,
    },
    /// Entries of a directory after `cookie`, without "." and "..". Answer: [`FsReply::Entries`].
    ///
    /// The file system pushes entries into `entries` until it is full, or calls
    /// [`DirWriter::end`] after the last one; [`DirWriter`] says what an entry may be. It needs the
    /// right to read the directory; without the right to search it, [`DirWriter::conceal`] comes
    /// first. The answer is the `entries` of this request.
    ///
    /// A cookie that was given out stays good while entries come and go: an entry that was there
    /// throughout a listing appears in it exactly once, also if it was renamed within the directory,
    /// and what comes meanwhile does not keep the listing from ending.
    ///
    /// Errors: NotDirectory, Invalid, BadCookie.
    ReadDir {
        /// The directory.
        dir: FsHandle,
        /// The cookie of the last entry seen, 0 to start.
        cookie: u64,
        /// Takes the entries.
        entries: DirWriter,
    },
    /// The target of a symbolic link: 1 to [`FsOp::MAX_TARGET`] bytes without NUL. Answer:
    /// [`FsReply::Link`].
    ///
    /// Errors: WrongType, Invalid.
    ReadLink {
        /// The link.
        fh: FsHandle,
    },
    /// Bytes of a regular file. Answer: [`FsReply::Data`].
    ///
    /// Errors: IsDirectory, IsSymlink, WrongType, Invalid.
    Read {
        /// The file.
        fh: FsHandle,
        /// Where to start, in bytes.
        offset: u64,
        /// Maximum number of bytes.
        count: u32,
        /// Whether the right to read is still to be checked.
        authority: Authority,
    },
    /// Write bytes to a regular file. Answer: [`FsReply::Written`].
    ///
    /// Errors: IsDirectory, IsSymlink, WrongType, Invalid, TooLarge, NoSpace, Quota, ReadOnly.
    Write {
        /// The file.
        fh: FsHandle,
        /// Where to start, in bytes.
        offset: u64,
        /// What to write.
        data: Bytes,
        /// How durable it must be when answered.
        stability: Stability,
        /// Whether the right to write is still to be checked.
        authority: Authority,
    },
    /// Make written bytes durable. Answer: [`FsReply::Done`].
    ///
    /// Errors: IsDirectory, IsSymlink, WrongType.
    Commit {
        /// The file.
        fh: FsHandle,
        /// Where to start, in bytes.
        offset: u64,
        /// Number of bytes; 0 is up to the end.
        count: u32,
    },
    /// Make an object that is not a regular file; [`FsError::NotSupported`] if there are none of
    /// this type, [`FsError::NotPermitted`] if it is a device and the user is not the superuser.
    /// Answer: [`FsReply::Created`].
    ///
    /// Errors: NotPermitted, Exists, NotDirectory, Invalid, NoSpace, Quota, TooManyLinks,
    /// NameTooLong, BadName, ReadOnly, NotSupported.
    Create {
        /// The directory.
        dir: FsHandle,
        /// The new name.
        name: Bytes,
        /// What to make.
        node: NewNode,
        /// Its first attributes; without a mode it is 0755 for directories, else 0644.
        set: SetAttrs,
    },
    /// Find or make a regular file, check rights, and hold it. Answer: [`FsReply::Opened`].
    ///
    /// Every success holds the file once more: it stays, even without a name, until
    /// [`Backend::release`](super::Backend::release) was called as often.
    ///
    /// Errors: NotPermitted, NotFound, Exists, NotDirectory, IsDirectory, IsSymlink, WrongType,
    /// Invalid, TooLarge, NoSpace, Quota, NameTooLong, BadName, ReadOnly.
    Open {
        /// Which file.
        target: Target,
        /// For what, and what to do when it is absent.
        how: OpenHow,
    },
    /// Give an object that is not a directory one more name; [`FsError::NotFound`] if it has none
    /// any more. Answer: [`FsReply::Linked`].
    ///
    /// Errors: NotFound, Exists, NotDirectory, IsDirectory, IsSymlink, WrongType, Invalid, NoSpace,
    /// Quota, TooManyLinks, CrossDevice, NameTooLong, BadName, ReadOnly, NotSupported.
    Link {
        /// The object.
        fh: FsHandle,
        /// The directory of the new name.
        dir: FsHandle,
        /// The new name.
        name: Bytes,
    },
    /// Remove a name; a directory must be empty. Answer: [`FsReply::Removed`].
    ///
    /// Errors: NotFound, NotDirectory, NotEmpty, Invalid, NameTooLong, BadName, ReadOnly.
    Remove {
        /// The directory.
        dir: FsHandle,
        /// The name.
        name: Bytes,
    },
    /// Move a name, atomically replacing what stands at the new one. Answer: [`FsReply::Renamed`].
    ///
    /// Between two names of one object it succeeds and does nothing.
    ///
    /// Errors: NotFound, Exists, NotDirectory, NotEmpty, Invalid, NoSpace, Quota, TooManyLinks,
    /// CrossDevice, NameTooLong, BadName, ReadOnly.
    Rename {
        /// The directory of the old name.
        from_dir: FsHandle,
        /// The old name.
        from: Bytes,
        /// The directory of the new name.
        to_dir: FsHandle,
        /// The new name.
        to: Bytes,
    },
}

impl FsOp {
    /// The longest target of a symbolic link, in bytes.
    pub const MAX_TARGET: usize = 4095;
}

/// Whether the file system still has to check the right to read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// By the credential, as for a request without an open file. The owner of a file may read and
    /// write it whatever its mode, as a client that has it open may expect.
    Credential,
    /// An open file authorises it: rights were checked when it was opened.
    Open,
}

/// How durable written bytes are. [RFC 8881 §18.32, stable_how4]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stability {
    /// They may be lost with the server until a commit.
    Unstable,
    /// The bytes and what is needed to read them are durable.
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
    /// Change what is there: bytes of a file, entries of a directory.
    pub const MODIFY: AccessMask = AccessMask(0x04);
    /// Add bytes at the end of a file, or entries to a directory.
    pub const EXTEND: AccessMask = AccessMask(0x08);
    /// Remove an entry of a directory.
    pub const DELETE: AccessMask = AccessMask(0x10);
    /// Run a file.
    pub const EXECUTE: AccessMask = AccessMask(0x20);

    /// Whether all bits of `other` are in it.
    pub const fn contains(self, other: AccessMask) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn union(self, other: AccessMask) -> AccessMask {
        AccessMask(self.0 | other.0)
    }

    /// The bits that are in both.
    #[must_use]
    pub const fn intersection(self, other: AccessMask) -> AccessMask {
        AccessMask(self.0 & other.0)
    }
}

/// Which file to open.
#[derive(Debug)]
pub enum Target {
    /// A name in a directory; it may be created.
    Name {
        /// The directory.
        dir: FsHandle,
        /// The name.
        name: Bytes,
    },
    /// The file itself; [`OpenHow::create`] is [`Create::No`].
    Handle(FsHandle),
}

/// How to open a file.
#[derive(Debug)]
pub struct OpenHow {
    /// The right to read is needed; a user that may execute the file may read it, to do so.
    /// [RFC 8881 §6.3.1.1]
    pub read: bool,
    /// The right to write is needed: to write, to cut a file that is there, or to keep others from
    /// reading.
    pub write: bool,
    /// What to do when the file is absent, and when it is there.
    pub create: Create,
}

/// Whether opening may create. An opening that creates checks no mode of the new file, one of a
/// file that is there does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// The file must be there.
    No,
    /// Take it if it is there, unchanged; create it with these attributes if not. That a length of
    /// zero cuts what is there comes as a request of its own.
    Unchecked(SetAttrs),
    /// It must not be there.
    Guarded(SetAttrs),
    /// It must not be there, unless it was created with this verifier, which is kept with the file.
    ///
    /// A repeated creation with the same verifier finds the file and succeeds with `created`.
    Exclusive {
        /// The client's verifier.
        verifier: [u8; 8],
        /// Attributes of a new file.
        set: SetAttrs,
    },
}

/// What to create.
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

/// The change attribute of a directory around an operation. [RFC 8881 §3.3.5, change_info4]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirChange {
    /// Nothing else changed the directory between `before` and `after`.
    pub atomic: bool,
    /// Before the operation.
    pub before: u64,
    /// After it.
    pub after: u64,
}

/// A file that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The file; the one that was asked for if that was by [`Target::Handle`].
    pub fh: FsHandle,
    /// Its attributes after opening.
    pub attrs: Attrs,
    /// It did not exist before (or was made by an earlier try with the same verifier).
    pub created: bool,
    /// The directory around it; all zero for [`Target::Handle`].
    pub dir: DirChange,
}

/// A file system's answer.
pub type FsResult = Result<FsReply, FsError>;

/// What a file system answers when all is well; which one is stated at each [`FsOp`].
#[derive(Debug)]
pub enum FsReply {
    /// It is done.
    Done,
    /// Attributes.
    Attrs {
        /// Of the object.
        attrs: Attrs,
        /// Of its file system, if they were wanted.
        stat: Option<FsStat>,
    },
    /// Which of the rights asked for the user has.
    Access {
        /// Those that the user has.
        granted: AccessMask,
        /// What it is about: of a directory and of other objects not the same rights make sense.
        kind: FileKind,
    },
    /// An object found.
    Node {
        /// Its handle.
        fh: FsHandle,
        /// Its attributes.
        attrs: Attrs,
        /// Of its file system, if they were wanted.
        stat: Option<FsStat>,
    },
    /// Directory entries.
    Entries(DirWriter),
    /// The target of a symbolic link.
    Link(Bytes),
    /// Bytes read.
    Data {
        /// The bytes, fewer than asked only at the end of the file, never more.
        data: Bytes,
        /// They reach the end of the file.
        eof: bool,
    },
    /// Bytes written.
    Written {
        /// How many, from the first: at least one unless none was to be written.
        count: u32,
        /// How durable they are, at least as asked.
        stability: Stability,
    },
    /// An object created.
    Created {
        /// Its handle.
        fh: FsHandle,
        /// Its attributes.
        attrs: Attrs,
        /// Its directory.
        dir: DirChange,
    },
    /// A file opened.
    Opened(Opened),
    /// A name added.
    Linked {
        /// Its directory.
        dir: DirChange,
    },
    /// A name removed.
    Removed {
        /// Its directory.
        dir: DirChange,
    },
    /// A name moved.
    Renamed {
        /// The directory of the old name.
        from: DirChange,
        /// The directory of the new name.
        to: DirChange,
    },
}
