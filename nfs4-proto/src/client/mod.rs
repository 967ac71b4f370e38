//! The client's half of the codec: whole calls out, whole replies in, and the other way round for
//! callbacks.
//!
//! ```
//! use nfs4_proto::client::{CompoundBuilder, CallCredential, ReplyReader};
//! use nfs4_proto::nfs4::args;
//!
//! let record = CompoundBuilder::call(1, &CallCredential::None, b"", 0)
//!     .putrootfh()
//!     .lookup(args::Lookup { objname: b"home" })
//!     .getfh()
//!     .finish();
//! # let reply = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
//! #     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 24, 0, 0, 0, 0];
//! // … and with the reply, its mark taken off:
//! let mut reader = ReplyReader::parse(&reply)?;
//! reader.putrootfh()?;
//! # Ok::<(), nfs4_proto::client::ClientError>(())
//! ```

mod call;
mod callback;
mod reply;

pub use self::call::{CallCredential, CompoundBuilder, null_call};
pub use self::callback::{CallReadError, CallReader, CbCallReader, CbReplyBuilder};
pub use self::reply::{ClientError, ReplyReader};
