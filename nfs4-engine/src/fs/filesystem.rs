//! A file system as most programs write one: asynchronous, with owned arguments.

use alloc::sync::Arc;
use core::future::{Future, ready};

use bytes::Bytes;

use super::{
    AccessMask, Attrs, Capabilities, Credential, Data, Entries, FsError, FsHandle, FsStat, NewNode,
    Protection, SetAttrs, Stability, Written,
};
use crate::time::Now;

/// A file system, by asynchronous methods of which five are required.
///
/// Implement the methods as `async fn`. No runtime is assumed: the driver's adapter turns a
/// `FileSystem` into a [`Backend`](super::Backend), and polls its futures where its spawner says,
/// such as on a runtime or on threads of its own. All methods are called on many requests at once.
///
/// # Objects
///
/// An object is named by an [`FsHandle`]: up to 60 bytes of the file system's choice, such as a
/// number ([`FsHandle::from_number`]). A handle names the same object as long as the server runs.
/// Clients can forge handles: a method answers [`FsError::BadHandle`] for a handle that the file
/// system never made, and [`FsError::Stale`] for an object that is gone. Each object has a
/// [`fileid`](Attrs::fileid) of its own, and its [`change`](Attrs::change) grows with every change:
/// clients read a file or a directory anew only when it differs.
///
/// # Rights
///
/// With [`Permissions::ByMode`], the default, the adapter asks for the attributes of an object and
/// checks type, mode, owner and group as POSIX has it, before it calls a method that changes
/// something. A method that only reads may run meanwhile, also on an object of another type; what the
/// user may not see is dropped. A file system that has rules of its own returns [`Permissions::Own`],
/// and checks every request itself.
///
/// # Errors
///
/// A method that changes something answers [`FsError::ReadOnly`] unless it is implemented. Each
/// operation may return the errors that [`FsOp`](super::FsOp) lists for it; any other reaches the
/// client as the nearest one that it knows.
///
/// # Cancellation and panics
///
/// * A request whose client has gone runs to its end: the reply is kept for the client's retry
///   (exactly-once replies, [RFC 8881 §2.10.6]).
/// * When the server is dropped, its futures are dropped where they wait.
/// * A method that panics fails this request with NFS4ERR_SERVERFAULT, and nothing else.
/// * A graceful stop waits for running requests, up to the driver's `stop_timeout`.
pub trait FileSystem: Send + Sync + 'static {
    /// The root directory; every call returns the same.
    fn root(&self) -> FsHandle;

    /// The capabilities of this file system; every call returns the same. Locks of other processes
    /// ([`Capabilities::local_locks`]) are for a [`Backend`](super::Backend): here they are ignored.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Whether the adapter or the file system checks the rights of users; every call returns the same.
    fn permissions(&self) -> Permissions {
        Permissions::ByMode
    }

    /// Whether no program but this server's clients changes the files, or reads them, unless it has
    /// asked the driver's `Node::may_touch`; every call returns the same.
    ///
    /// Only then may a client get a delegation, with which it does not ask any more whether a file
    /// has changed: the files of a file system without this are not delegated. [RFC 8881 §10.2]
    fn is_private(&self) -> bool {
        false
    }

    /// How often unstable bytes of this file system may have been lost since it was opened: a number
    /// that only grows, and with it the write verifier, so that clients write again what they have not
    /// committed. It grows before a write or a commit answers the error of the loss. [RFC 8881
    /// §18.3.4]
    fn losses(&self) -> u64 {
        0
    }

    /// The attributes of an object.
    fn getattr(
        &self,
        caller: Caller,
        node: FsHandle,
    ) -> impl Future<Output = Result<Attrs, FsError>> + Send;

    /// The object of a name in a directory. The name is neither empty nor "." or "..".
    ///
    /// # Errors
    /// [`FsError::NotFound`].
    fn lookup(
        &self,
        caller: Caller,
        dir: FsHandle,
        name: Bytes,
    ) -> impl Future<Output = Result<(FsHandle, Attrs), FsError>> + Send;

    /// The entries of a directory: all of them ([`Entries::all`]), or those after the cookie `after`
    /// ([`Entries::page`]).
    fn readdir(
        &self,
        caller: Caller,
        dir: FsHandle,
        after: u64,
    ) -> impl Future<Output = Result<Entries, FsError>> + Send;

    /// At most `count` bytes of a file from `offset`; fewer only at its end.
    fn read(
        &self,
        caller: Caller,
        file: FsHandle,
        offset: u64,
        count: u32,
    ) -> impl Future<Output = Result<Data, FsError>> + Send;

    /// The target of a symbolic link: 1 to 4 095 bytes without NUL.
    fn readlink(
        &self,
        _caller: Caller,
        _link: FsHandle,
    ) -> impl Future<Output = Result<Bytes, FsError>> + Send {
        ready(Err(FsError::Invalid))
    }

    /// The directory above a directory, which is not the root. Linux asks for it only to export a
    /// mounted file system again.
    fn parent(
        &self,
        _caller: Caller,
        _dir: FsHandle,
    ) -> impl Future<Output = Result<(FsHandle, Attrs), FsError>> + Send {
        ready(Err(FsError::NotFound))
    }

    /// The space of the file system; all zero by default.
    fn stat(&self, _caller: Caller) -> impl Future<Output = Result<FsStat, FsError>> + Send {
        ready(Ok(FsStat::default()))
    }

    /// Which of the rights in `mask` the user has to an object with these attributes; by the mode,
    /// unless implemented.
    fn access(
        &self,
        caller: Caller,
        _node: FsHandle,
        attrs: Attrs,
        mask: AccessMask,
    ) -> impl Future<Output = Result<AccessMask, FsError>> + Send {
        ready(Ok(Protection::from(&attrs).granted(&caller.cred, mask)))
    }

    /// Changes attributes, all or none; returns them as they are then. With
    /// [`Permissions::ByMode`], `set` has the mode that takes away setuid and setgid, where another
    /// change requires that.
    fn setattr(
        &self,
        _caller: Caller,
        _node: FsHandle,
        _set: SetAttrs,
    ) -> impl Future<Output = Result<Attrs, FsError>> + Send {
        ready(Err(FsError::ReadOnly))
    }

    /// Writes bytes to a file, at least one unless `data` is empty, and makes them as durable as
    /// `stability` asks at least. Takes away setuid and setgid, as
    /// [`Protection::after_write`] says.
    fn write(
        &self,
        _caller: Caller,
        _file: FsHandle,
        _offset: u64,
        _data: Bytes,
        _stability: Stability,
    ) -> impl Future<Output = Result<Written, FsError>> + Send {
        ready(Err(FsError::ReadOnly))
    }

    /// Makes written bytes durable; `count` 0 means up to the end. Nothing is to be done by a file
    /// system whose every write is [`Stability::File`].
    fn commit(
        &self,
        _caller: Caller,
        _file: FsHandle,
        _offset: u64,
        _count: u32,
    ) -> impl Future<Output = Result<(), FsError>> + Send {
        ready(Ok(()))
    }

    /// Makes a regular file with the attributes of `set`, of which mode, owner and group are present
    /// with [`Permissions::ByMode`] ([`Attrs::set`] takes them over). The directory changes too. The
    /// name must be free: of two calls with one name, at most one succeeds.
    ///
    /// # Errors
    /// [`FsError::Exists`] if the name is taken.
    fn create(
        &self,
        _caller: Caller,
        _dir: FsHandle,
        _name: Bytes,
        _set: SetAttrs,
    ) -> impl Future<Output = Result<(FsHandle, Attrs), FsError>> + Send {
        ready(Err(FsError::ReadOnly))
    }

    /// Makes a directory, a symbolic link, a device, a socket or a pipe, as [`FileSystem::create`]
    /// makes a file.
    ///
    /// # Errors
    /// [`FsError::Exists`] if the name is taken, [`FsError::NotSupported`] if there are no such
    /// objects here.
    fn make(
        &self,
        _caller: Caller,
        _dir: FsHandle,
        _name: Bytes,
        _node: NewNode,
        _set: SetAttrs,
    ) -> impl Future<Output = Result<(FsHandle, Attrs), FsError>> + Send {
        ready(Err(FsError::ReadOnly))
    }

    /// Adds a name to an object that is no directory.
    ///
    /// # Errors
    /// [`FsError::Exists`] if the name is taken.
    fn link(
        &self,
        _caller: Caller,
        _node: FsHandle,
        _dir: FsHandle,
        _name: Bytes,
    ) -> impl Future<Output = Result<(), FsError>> + Send {
        ready(Err(FsError::NotSupported))
    }

    /// Removes a name; a directory must be empty. A file that is open stays readable until its
    /// [`release`](FileSystem::release), or its handle is stale at once.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::NotEmpty`].
    fn remove(
        &self,
        _caller: Caller,
        _dir: FsHandle,
        _name: Bytes,
    ) -> impl Future<Output = Result<(), FsError>> + Send {
        ready(Err(FsError::ReadOnly))
    }

    /// Moves a name, and atomically replaces the object at the new one: a directory by a directory,
    /// which must be empty, and another object by another. With [`Permissions::Own`], between two
    /// names of one object it does nothing; else it is not called for these.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::Exists`] if the types do not match,
    /// [`FsError::NotEmpty`], [`FsError::Invalid`] if a directory would come to lie in itself.
    fn rename(
        &self,
        _caller: Caller,
        _from_dir: FsHandle,
        _from: Bytes,
        _to_dir: FsHandle,
        _to: Bytes,
    ) -> impl Future<Output = Result<(), FsError>> + Send {
        ready(Err(FsError::ReadOnly))
    }

    /// A client opens a file, to read it, to write it or both; the file may be refused. Every
    /// success is followed by one [`release`](FileSystem::release).
    fn open(
        &self,
        _caller: Caller,
        _file: FsHandle,
        _read: bool,
        _write: bool,
    ) -> impl Future<Output = Result<(), FsError>> + Send {
        ready(Ok(()))
    }

    /// A client no longer has the file open. While thousands of these calls are not done, files are not
    /// opened: the client tries again later.
    fn release(&self, _file: FsHandle) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// The user on whose behalf a request is made, and its time.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user, after any squashing.
    pub cred: Arc<Credential>,
    /// The arrival of the call; files are stamped with `now.wall`.
    pub now: Now,
}

/// The part that checks the rights of users to the objects of a [`FileSystem`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permissions {
    /// The adapter, by the mode, owner and group of the objects.
    #[default]
    ByMode,
    /// The file system, in each of its methods; it also checks the types of objects.
    Own,
}

impl Attrs {
    /// Counts a write of this user up to the byte before `end`: as [`Attrs::touch`], and the file is
    /// at least so long, and loses setuid and setgid as [`Protection::after_write`] says.
    pub fn written(&mut self, end: u64, caller: &Caller) {
        self.touch(caller.now.wall);
        self.size = self.size.max(end);
        self.space_used = self.size;
        self.mode = Protection::from(&*self).after_write(&caller.cred);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Mono, Wall};

    #[test]
    fn a_write_is_counted_and_takes_setuid_away() {
        let wall = Wall {
            seconds: 9,
            nanos: 0,
        };
        let caller = Caller {
            cred: Arc::new(Credential::sys(1, 1, &[])),
            now: Now {
                mono: Mono::ZERO,
                wall,
            },
        };
        let mut attrs = Attrs::file(2, 7).with_mode(0o4755);
        attrs.written(5, &caller);
        assert_eq!((attrs.size, attrs.change, attrs.mode), (7, 1, 0o755));
        attrs.written(9, &caller);
        assert_eq!((attrs.size, attrs.space_used, attrs.change), (9, 9, 2));
        assert_eq!((attrs.modified, attrs.changed), (wall, wall));
    }
}
