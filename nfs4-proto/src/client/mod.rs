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
//!
//! The mark is four bytes before each fragment of a reply: its length, with the highest bit set in the last
//! fragment. [RFC 5531 §11]
//!
//! A client of minor version 0 looks up, lists and reads without any state of its own. One of minor version 1
//! sends EXCHANGE_ID and CREATE_SESSION first, each alone in its COMPOUND. Every later COMPOUND begins with
//! SEQUENCE, whose sequence id grows by one with each request on a slot. The first of them is
//! RECLAIM_COMPLETE, without which OPEN is answered GRACE. [RFC 8881 §2.10, §18.51]

mod call;
mod callback;
mod reply;

pub use self::call::{CallCredential, CompoundBuilder, null_call};
pub use self::callback::{CallReadError, CallReader, CbCallReader, CbReplyBuilder};
pub use self::reply::{ClientError, ReplyReader};
