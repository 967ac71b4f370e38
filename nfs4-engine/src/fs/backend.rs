//! The object-safe interface of a file system.

use core::task::Poll;

use super::{ByteLock, Capabilities, FsHandle, FsRequest, FsResult, Pending};

/// A file system as the engine's driver sees it.
///
/// All methods are called outside the engine's lock, from any thread, many at a time; but those whose
/// every call returns the same must return at once, as they are also called under the lock when an export
/// is added while the server runs. The last reference is dropped outside the lock.
///
/// A file that processes other than this server's clients can reach may be delegated to a client.
/// The client then relies on it that no other process changes the file, or even reads it while the
/// client has not yet written its changes back. A program that lets other processes reach files
/// first asks the driver's node whether they may: `Node::may_touch`. Where no such program can ask, the
/// file system is not [private](Backend::is_private); its files are delegated only if it can keep other
/// processes out by itself, by [leases](Backend::leases).
pub trait Backend: Send + Sync + 'static {
    /// The handle of the root directory; every call returns the same.
    fn root(&self) -> FsHandle;

    /// The capabilities of this file system; every call returns the same.
    fn capabilities(&self) -> Capabilities;

    /// Whether other processes leave the files alone, or ask first, as above; every call returns the
    /// same. Of a file system that is not private, files are delegated only with [leases](Backend::leases).
    fn is_private(&self) -> bool {
        true
    }

    /// Whether the file system answers [`FsOp::Lease`](super::FsOp::Lease), which makes other processes
    /// wait until a delegation is back; every call returns the same. It matters only where the file system
    /// is not private.
    fn leases(&self) -> bool {
        false
    }

    /// The number that a log has for this file system, if it is one of a log.
    #[cfg(feature = "record")]
    #[doc(hidden)]
    fn recorded_as(&self) -> Option<u32> {
        None
    }

    /// Executes one request.
    ///
    /// `Ready` is the answer. Before `Pending`, the file system takes the completion out of
    /// `pending`, once, and answers through it later, from any thread. It must not block.
    ///
    /// A file system that breaks these rules, or panics, fails this request only: the client gets
    /// an error, and later answers to the request are ignored.
    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult>;

    /// Releases a file that an [`FsOp::Open`](super::FsOp::Open) held. It has no answer and must
    /// not block.
    fn release(&self, fh: FsHandle);

    /// Ends a lease that an [`FsOp::Lease`](super::FsOp::Lease) took: the delegation of the file has ended.
    /// It has no answer and must not block.
    fn unlease(&self, _fh: FsHandle) {}

    /// Returns locks of a file that were counted by an [`FsOp::Lock`](super::FsOp::Lock) each, or parts of
    /// such locks; several may come for what was counted at once. It has no answer and must not block.
    ///
    /// Calls of this method, and requests for other locks of the file, come from any thread in any order.
    fn unlock(&self, _fh: FsHandle, _locks: &[ByteLock]) {}
}
