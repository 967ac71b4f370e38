//! What a driver needs to submit requests to file systems, and what events say of them; the author
//! of a file system needs none of it.

use alloc::sync::Arc;
use core::task::Poll;

use super::{Backend, FsHandle, FsOp, FsReply, FsRequest, FsResult, Pending};

pub use super::answers::Listing;
pub use super::call::FsCall;
pub use super::fault::FsFault;
pub use super::ticket::{CompletionSink, FsTicket, LeaseSink};

/// What became of a request: see [`submit`].
#[derive(Debug)]
pub enum Submitted {
    /// The file system answered at once.
    Answered(FsResult),
    /// The answer comes through the sink.
    Later,
    /// The file system mixed answering at once and later, which is
    /// [`FsError::Misused`](super::FsError::Misused). What a completion still answers is ignored.
    Misused {
        /// A file that it opened nevertheless, to be released.
        opened: Option<FsHandle>,
        /// A file that it leased nevertheless, to be [unleased](Backend::unlease).
        leased: Option<FsHandle>,
    },
}

/// Submits a request. The file system answers at once, or later through `sink`.
///
/// # Panics
/// If the file system panics. The driver catches that, and the request has the answer
/// [`FsError::Panicked`](super::FsError::Panicked).
#[inline]
pub fn submit(
    backend: &dyn Backend,
    ticket: FsTicket,
    request: FsRequest,
    sink: &Arc<dyn CompletionSink>,
) -> Submitted {
    let to_lease = if let FsOp::Lease { fh, .. } = &request.op {
        Some(*fh)
    } else {
        None
    };
    let mut pending = Pending::new(ticket, sink);
    match backend.submit(request, &mut pending) {
        Poll::Ready(result) if pending.taken() == 0 => Submitted::Answered(result),
        Poll::Pending if pending.taken() == 1 => Submitted::Later,
        answer @ (Poll::Ready(_) | Poll::Pending) => misused(&answer, to_lease),
    }
}

/// What is to be given back of a file system that mixed answering at once and later.
#[cold]
fn misused(answer: &Poll<FsResult>, to_lease: Option<FsHandle>) -> Submitted {
    let (opened, leased) = match answer {
        Poll::Ready(Ok(FsReply::Opened(opened))) => (Some(opened.fh), None),
        Poll::Ready(Ok(FsReply::Leased(_))) => (None, to_lease),
        Poll::Ready(_) | Poll::Pending => (None, None),
    };
    Submitted::Misused { opened, leased }
}
