//! The way to say that another process needs a leased file.

use alloc::sync::Arc;
use core::fmt;

use super::FsHandle;
use super::ticket::LeaseSink;
use crate::delegation_kind::Touch;

/// Takes what happens to the leases of an export, from any thread, as long as they are held: see
/// [`FsOp::Lease`](super::FsOp::Lease).
///
/// Its methods run the engine on the calling thread, which may call [`Backend::unlease`]: the caller holds no
/// lock that this takes, and calls them neither within [`Backend::submit`] nor within `unlease`.
///
/// [`Backend::submit`]: super::Backend::submit
/// [`Backend::unlease`]: super::Backend::unlease
#[derive(Clone)]
pub struct LeaseWatch {
    export: u16,
    sink: Arc<dyn LeaseSink>,
}

impl LeaseWatch {
    pub(super) fn new(export: u16, sink: Arc<dyn LeaseSink>) -> LeaseWatch {
        LeaseWatch { export, sink }
    }

    /// A process waits to access the file in this way: delegations that conflict are recalled.
    ///
    /// A delegation may be granted a moment after this, by an OPEN under way. So the file system repeats it,
    /// about every second, as long as the process waits.
    pub fn wanted(&self, fh: FsHandle, touch: Touch) {
        self.sink.wanted(self.export, fh, touch);
    }

    /// The lease ends whether it is given back or not, and the process no longer waits: delegations that
    /// conflict with its access are revoked.
    pub fn lost(&self, fh: FsHandle, touch: Touch) {
        self.sink.lost(self.export, fh, touch);
    }
}

impl fmt::Debug for LeaseWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseWatch")
            .field("export", &self.export)
            .finish_non_exhaustive()
    }
}
