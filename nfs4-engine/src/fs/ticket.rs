//! The name of a request to a file system, and the receiver of its answer.

use super::FsResult;
use super::call::FsCall;
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

/// The receiver of late answers; the driver implements it.
pub trait CompletionSink: Send + Sync {
    /// Takes the answer to the request of `ticket`.
    fn complete(&self, ticket: FsTicket, result: FsResult);
}
