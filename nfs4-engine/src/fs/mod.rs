//! The file-system boundary: the requests of the engine to a file system, and their answers.
//!
//! The engine performs no IO. It emits an [`FsRequest`] for a [`Backend`]; the [`driver`] submits it
//! outside the engine's lock and returns the [`FsResult`] to the engine. A backend that is always
//! ready, such as an in-memory one, answers at once; another takes a [`Completion`] and answers
//! from any thread.
//!
//! Most programs implement the asynchronous [`FileSystem`] instead, which the driver turns into a
//! backend.

mod answers;
mod attrs;
mod backend;
mod byte_range;
mod call;
mod capabilities;
mod completion;
mod credential;
mod dir;
pub mod driver;
mod error;
mod expected;
mod fault;
mod filesystem;
mod guarded;
mod handle;
mod lease;
mod operands;
mod payload;
#[cfg(all(feature = "__test", feature = "record"))]
pub mod probe;
mod protection;
mod request;
mod ticket;

pub use answers::{Data, Entries, Entry, Written};
pub use attrs::{Attrs, Device, FileKind, FsStat, SetAttrs, SetTime, Want};
pub use backend::Backend;
pub use byte_range::{ByteLock, ByteRange, LockKind};
pub use capabilities::Capabilities;
pub use completion::{Completion, Pending};
pub use credential::{Credential, Flavor};
pub(crate) use dir::MAX_NAME;
pub use dir::{DirWriter, Full};
#[cfg(feature = "record")]
pub(crate) use dir::{Push, Pushed};
pub use error::FsError;
pub(crate) use expected::Expected;
pub use filesystem::{Caller, FileSystem, Permissions};
pub(crate) use guarded::Guarded;
pub use handle::{FsHandle, HandleTooLong};
pub use lease::LeaseWatch;
pub use operands::{AccessMask, Authority, Creation, NewNode, OpenHow, Stability, Target};
pub use payload::{Payload, Pieces};
pub use protection::{Protection, Rights};
pub use request::{DirChange, FsOp, FsReply, FsRequest, FsResult, Opened};
