//! A file system of which a log has the answers.

use core::task::Poll;

use crate::fs::{Backend, Capabilities, FsError, FsHandle, FsRequest, FsResult, Guarded, Pending};

/// A file system that is never asked: its answers come from a log.
pub(super) struct StandIn {
    pub(super) root: FsHandle,
    pub(super) capabilities: Capabilities,
    pub(super) guarded: Guarded,
    /// Its number in the log.
    pub(super) number: u32,
}

impl Backend for StandIn {
    fn root(&self) -> FsHandle {
        self.root
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn is_private(&self) -> bool {
        self.guarded == Guarded::Private
    }

    fn leases(&self) -> bool {
        self.guarded == Guarded::Leases
    }

    fn recorded_as(&self) -> Option<u32> {
        Some(self.number)
    }

    fn submit(&self, _: FsRequest, _: &mut Pending<'_>) -> Poll<FsResult> {
        Poll::Ready(Err(FsError::NoAnswer))
    }

    fn release(&self, _: FsHandle) {}
}
