//! The name of a request to a file system, and the receiver of its answer.

use alloc::sync::Arc;

use super::call::FsCall;
use super::{FsHandle, FsResult};
use crate::delegation_kind::Touch;
use crate::ids::ConnId;

/// The name of one request to a file system while its COMPOUND is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FsTicket {
    /// The connection that the call arrived on.
    pub conn: ConnId,
    pub(crate) index: u32,
    pub(crate) generation: u32,
    pub(crate) export: u16,
    pub(crate) call: FsCall,
}

impl FsTicket {
    /// The number of the export that the request is for.
    pub fn export(&self) -> u16 {
        self.export
    }
}

/// The receiver of late answers; the driver implements it.
pub trait CompletionSink: Send + Sync {
    /// Takes the answer to the request of `ticket`.
    fn complete(&self, ticket: FsTicket, result: FsResult);

    /// Takes what happens to leases, also when the connection of the request is gone. Without one, file
    /// systems take no leases.
    fn lease_sink(&self) -> Option<Arc<dyn LeaseSink>> {
        None
    }
}

/// The receiver of what happens to leases, as of [`LeaseWatch`](super::LeaseWatch); the driver implements it.
pub trait LeaseSink: Send + Sync {
    /// Hands the engine [`Input::Touched`](crate::Input::Touched).
    fn wanted(&self, export: u16, fh: FsHandle, touch: Touch);

    /// Hands the engine [`Input::LeaseLost`](crate::Input::LeaseLost).
    fn lost(&self, export: u16, fh: FsHandle, touch: Touch);
}
