//! Requests to a file system and their answers.

use alloc::sync::Arc;

use bytes::Bytes;

use super::{
    AccessMask, Attrs, Authority, ByteLock, Credential, DirWriter, FileKind, FsError, FsHandle,
    FsStat, NewNode, OpenHow, Payload, SetAttrs, Stability, Target, Want,
};
use crate::delegation_kind::DelegationKind;
use crate::time::Now;

/// One request to a file system: its user, its time and its operation.
#[derive(Debug)]
#[non_exhaustive]
pub struct FsRequest {
    /// The user of the request; the file system checks permissions itself.
    pub cred: Arc<Credential>,
    /// The arrival of the call; a file system stamps files with `now.wall`.
    pub now: Now,
    /// The operation.
    pub op: FsOp,
}

impl FsRequest {
    /// A request of this user, at this time.
    pub fn new(cred: Arc<Credential>, now: Now, op: FsOp) -> FsRequest {
        FsRequest { cred, now, op }
    }
}

/// An operation of a file system. There may be more in later versions: a file system answers
/// [`FsError::NotSupported`] to one that it does not know.
///
/// Names are never empty, ".", ".." or longer than
/// [`Capabilities::max_name`](super::Capabilities::max_name), and contain neither '/' nor NUL.
///
/// Every request may return the errors of [`FsCall::COMMON`](super::driver::FsCall::COMMON):
/// [`FsError::AccessDenied`], [`FsError::Stale`] (the object of a handle no longer exists),
/// [`FsError::BadHandle`], [`FsError::Io`] and [`FsError::Busy`]; and the errors named at its
/// variant. An answer that breaks the rules of its variant fails this request only: the client gets
/// an error, and [`Event::FileSystemFault`](crate::Event::FileSystemFault) reports the fault.
/// Attributes have a `fileid` that is not zero, a `size` up to 2^63 - 1, and times with less than
/// 10^9 nanoseconds.
#[derive(Debug)]
#[non_exhaustive]
pub enum FsOp {
    /// Read the attributes of an object. Answer: [`FsReply::Attrs`].
    GetAttrs {
        /// The object.
        fh: FsHandle,
        /// What the answer must hold.
        want: Want,
    },
    /// Change attributes, all or none. Answer: [`FsReply::Attrs`] after the change.
    ///
    /// A new owner or group of an object that is not a directory clears setuid, and setgid where
    /// the group may execute, also for the superuser: clients do not request that themselves. A new
    /// size, and [`FsOp::Write`], clear them too, except for the superuser.
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
    /// Find out which of these rights the user has. Answer: [`FsReply::Access`].
    ///
    /// The engine also asks it before it recalls a delegation of another client, so that a request
    /// that the file system would refuse causes no recall. For a file, READ or EXECUTE stands for
    /// the right to read it, and MODIFY for the right to write it. The owner, by `uid` of the
    /// attributes, may do both; only the owner and the superuser may change mode, owner, group and
    /// times. For a directory, EXTEND is the right to add names, and DELETE the right to remove
    /// them; if its mode has the sticky bit, DELETE covers only the user's own files, or all files
    /// if the directory is the user's.
    Access {
        /// The object.
        fh: FsHandle,
        /// The requested rights.
        mask: AccessMask,
    },
    /// Find the object of a name in a directory; [`FsError::IsSymlink`] if `dir` is a link. Answer:
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
    /// Find the parent of a directory; [`FsError::NotFound`] at the root, [`FsError::IsSymlink`] if
    /// `dir` is a link. Answer: [`FsReply::Node`].
    ///
    /// Errors: NotFound, NotDirectory, IsSymlink.
    LookupParent {
        /// The directory.
        dir: FsHandle,
        /// What the answer must hold.
        want: Want,
    },
    /// List the entries of a directory after `cookie`, without "." and "..". Answer:
    /// [`FsReply::Entries`].
    ///
    /// The file system pushes entries into `entries` until it is full, or calls [`DirWriter::end`]
    /// after the last one; [`DirWriter`] has the rules for entries. The user needs the right to
    /// read the directory; if the user may not search it, the file system calls
    /// [`DirWriter::conceal`] first. The answer is the `entries` of this request.
    ///
    /// A cookie that was returned stays valid while entries come and go. An entry that exists
    /// throughout a listing appears in it exactly once, also if it is renamed within the directory.
    /// New entries do not keep a listing from ending.
    ///
    /// Errors: NotDirectory, Invalid, BadCookie.
    ReadDir {
        /// The directory.
        dir: FsHandle,
        /// The cookie of the last entry that the client has, 0 to start.
        cookie: u64,
        /// Receives the entries.
        entries: DirWriter,
    },
    /// Read the target of a symbolic link: 1 to [`FsOp::MAX_TARGET`] bytes without NUL. Answer:
    /// [`FsReply::Link`].
    ///
    /// Errors: WrongType, Invalid.
    ReadLink {
        /// The link.
        fh: FsHandle,
    },
    /// Read bytes of a regular file. Answer: [`FsReply::Data`] with at most
    /// [`Payload::MAX_PIECES`] pieces.
    ///
    /// Errors: IsDirectory, IsSymlink, WrongType, Invalid.
    Read {
        /// The file.
        fh: FsHandle,
        /// The first byte.
        offset: u64,
        /// Maximum number of bytes.
        count: u32,
        /// Whether the file system still has to check the right to read.
        authority: Authority,
        /// Empty; for the bytes. An answer with another payload is as good, and may allocate.
        payload: Payload,
    },
    /// Write bytes to a regular file. Answer: [`FsReply::Written`].
    ///
    /// Errors: IsDirectory, IsSymlink, WrongType, Invalid, TooLarge, NoSpace, Quota, ReadOnly.
    Write {
        /// The file.
        fh: FsHandle,
        /// The first byte.
        offset: u64,
        /// The bytes to write.
        data: Bytes,
        /// The minimum durability at the time of the answer.
        stability: Stability,
        /// Whether the file system still has to check the right to write.
        authority: Authority,
    },
    /// Make written bytes durable. Answer: [`FsReply::Committed`].
    ///
    /// Errors: IsDirectory, IsSymlink, WrongType.
    Commit {
        /// The file.
        fh: FsHandle,
        /// The first byte.
        offset: u64,
        /// Number of bytes; 0 means up to the end.
        count: u32,
    },
    /// Make an object that is not a regular file; [`FsError::NotSupported`] if the file system has
    /// none of this type, [`FsError::NotPermitted`] if it is a device and the user is not the
    /// superuser. Answer: [`FsReply::Created`].
    ///
    /// Errors: NotPermitted, Exists, NotDirectory, Invalid, NoSpace, Quota, TooManyLinks,
    /// NameTooLong, BadName, ReadOnly, NotSupported.
    Create {
        /// The directory.
        dir: FsHandle,
        /// The new name.
        name: Bytes,
        /// The object to make.
        node: NewNode,
        /// Its initial attributes; without a mode it gets 0755 for a directory, else 0644.
        set: SetAttrs,
    },
    /// Find or make a regular file, check rights, and hold it. Answer: [`FsReply::Opened`].
    ///
    /// Every success holds the file once more. The file exists, even without a name, until
    /// [`Backend::release`](super::Backend::release) was called as often.
    ///
    /// Errors: NotPermitted, NotFound, Exists, NotDirectory, IsDirectory, IsSymlink, WrongType,
    /// Invalid, TooLarge, NoSpace, Quota, NameTooLong, BadName, ReadOnly.
    Open {
        /// Which file.
        target: Target,
        /// The rights needed, and the action when it does not exist.
        how: OpenHow,
    },
    /// Add a name to an object that is not a directory; [`FsError::NotFound`] if the object has no
    /// name left. Answer: [`FsReply::Linked`].
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
    /// Move a name, atomically replacing the object at the new one. Answer: [`FsReply::Renamed`].
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
    /// Keep processes that are no clients of this server from a regular file, before it is delegated to a
    /// client. Answer: [`FsReply::Leased`]. Only a file system that has [leases](super::Backend::leases) is
    /// asked.
    ///
    /// A lease for [`DelegationKind::Read`] makes others wait that would change the file, one for
    /// [`DelegationKind::Write`] also those that would read it. Before one waits, the file system reports it to
    /// the [`LeaseWatch`](super::LeaseWatch) of this request; that is how the delegation comes back.
    /// A lease for reading is not asked for while a client has the file open for writing.
    ///
    /// Every success holds one lease more, of the strongest kind that was taken, until
    /// [`Backend::unlease`](super::Backend::unlease) was called as often. An error, such as
    /// [`FsError::Busy`] while another process uses the file, means that there is no delegation.
    Lease {
        /// The file, which an [`FsOp::Open`] holds.
        fh: FsHandle,
        /// The delegation that it is for.
        kind: DelegationKind,
    },
    /// Lock a range of bytes of a file that is held, for the clients of this server, unless a process that
    /// is no client has a lock that conflicts; it must not wait for that process. Answer:
    /// [`FsReply::Lock`]. Only with [`Capabilities::local_locks`](super::Capabilities::local_locks).
    ///
    /// The engine decides which client may lock what: for the file system all clients are one owner,
    /// whose locks do not conflict with each other. It counts them: each success counts this lock once
    /// more, until [`Backend::unlock`](super::Backend::unlock) returns it, as a whole or in parts. To other
    /// processes a byte is locked as strongly as the strongest lock that is counted on it. An error counts and
    /// locks nothing. Errors: NoSpace. That one says that there is no room for one more lock, and that the
    /// client need not try again soon.
    Lock {
        /// The file.
        fh: FsHandle,
        /// The lock.
        lock: ByteLock,
    },
    /// Find out whether a process that is no client has a lock that conflicts with this one. Answer:
    /// [`FsReply::Lock`]. Only with [`Capabilities::local_locks`](super::Capabilities::local_locks).
    /// Errors: NoSpace.
    TestLock {
        /// The file.
        fh: FsHandle,
        /// The lock.
        lock: ByteLock,
    },
}

impl FsOp {
    /// Maximum length of the target of a symbolic link, in bytes.
    pub const MAX_TARGET: usize = 4095;
}

/// The change attribute of a directory before and after an operation. [RFC 8881 §3.3.5,
/// change_info4]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirChange {
    /// Nothing else changed the directory between `before` and `after`.
    pub atomic: bool,
    /// The value before the operation.
    pub before: u64,
    /// The value after the operation.
    pub after: u64,
}

/// An opened file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The file; by [`Target::Handle`] it is that one.
    pub fh: FsHandle,
    /// Its attributes after the open.
    pub attrs: Attrs,
    /// The file did not exist before, or was made by an earlier attempt with the same verifier.
    pub created: bool,
    /// The change of the directory; all zero for [`Target::Handle`].
    pub dir: DirChange,
}

/// A file system's answer: to a request, or of a method of [`FileSystem`](super::FileSystem).
pub type FsResult<T = FsReply> = Result<T, FsError>;

/// The successful answer of a file system; each [`FsOp`] names its own.
#[derive(Debug)]
#[non_exhaustive]
pub enum FsReply {
    /// Nothing: no request expects it.
    Done,
    /// Attributes.
    Attrs {
        /// The attributes of the object.
        attrs: Attrs,
        /// The space of its file system, if it was requested.
        stat: Option<FsStat>,
    },
    /// The rights that the user has.
    Access {
        /// Those of the requested rights that the user has.
        granted: AccessMask,
        /// The type of the object: rights differ between directories and other objects.
        kind: FileKind,
    },
    /// An object found.
    Node {
        /// Its handle.
        fh: FsHandle,
        /// Its attributes.
        attrs: Attrs,
        /// The space of its file system, if it was requested.
        stat: Option<FsStat>,
    },
    /// Directory entries.
    Entries(DirWriter),
    /// The target of a symbolic link.
    Link(Bytes),
    /// Bytes read.
    Data {
        /// The bytes: never more than requested, and fewer only at the end of the file.
        data: Payload,
        /// The bytes reach the end of the file.
        eof: bool,
    },
    /// Bytes written.
    Written {
        /// Number of bytes written, from the first: at least one unless none was to be written.
        count: u32,
        /// Their durability, at least as requested.
        stability: Stability,
        /// As for `Committed`, and read before the bytes were written: what is lost while they are
        /// written counts as lost after them.
        losses: u64,
    },
    /// Written bytes made durable.
    Committed {
        /// How often this file system may have lost unstable bytes since it was opened, read after
        /// the bytes were made durable. A value that differs from the one of an earlier write tells
        /// the client to write its uncommitted bytes again. [RFC 8881 §18.3.4]
        losses: u64,
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
    /// What was found of locks of other processes.
    Lock {
        /// The lock of another process that conflicts. None: there is none, and for [`FsOp::Lock`] the
        /// lock is counted.
        held: Option<ByteLock>,
    },
    /// A name moved.
    Renamed {
        /// The directory of the old name.
        from: DirChange,
        /// The directory of the new name.
        to: DirChange,
    },
    /// A file leased; its attributes after that.
    Leased(Attrs),
}
