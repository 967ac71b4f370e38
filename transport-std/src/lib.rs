//! Serves an nfs4 node over TCP and Unix sockets on plain threads.
//!
//! A [`Server`] accepts connections, up to the limit, and gives each a thread of its own. A node's
//! timer has one thread as well. A [`Runner`] drives another stream, such as TLS over TCP.
//!
//! # Reader and helper
//!
//! Only a connection's own threads touch its socket. Its *reader* blocks in a read, hands what came
//! to the [`Connection`](driver::Connection), and writes all replies at once, before it reads again:
//! as long as file systems answer at once, there is no hand-off, no queue and no second thread.
//!
//! An answer that comes later, like anything else that another thread leaves for the connection,
//! finds the reader blocked, and the standard library has no way to wait for a socket and for
//! something else together. So a second thread, the connection's *helper*, sees to what was left
//! and writes the replies. It starts when it is needed for the first time, and sleeps otherwise.
//! Both use the connection under a lock, which is not held during a read. It is held during a
//! write: while a peer takes no replies, nothing of it is read or carried out.
//!
//! Timeouts are those of the socket, so no other thread watches connections. A reader that
//! gets nothing for a second returns its read buffer and waits for the first byte without one.
//!
//! ```no_run
//! use nfs4_transport_std::{Server, driver::engine::fs::FileSystem};
//!
//! fn serve(files: impl FileSystem) -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::builder().export("/", files).bind("127.0.0.1:2049")?;
//!     let stop = server.stop_handle(); // for another thread, such as one that waits for signals
//!     Ok(server.serve()?)
//! }
//! ```
//!
//! The guide, in the documentation of `nfs4-transport-tokio`, says how to write a file system.
//!
//! # async-std
//!
//! With the feature `async-std`, `async_std::Server` and `async_std::Runner` of this crate do the same
//! in tasks on that runtime. Its upstream is no longer developed ([RUSTSEC-2025-0052]): the feature, off
//! by default, is for programs that are built on it already; others take threads, or tokio.
//!
//! [RUSTSEC-2025-0052]: https://rustsec.org/advisories/RUSTSEC-2025-0052

#![forbid(unsafe_code)]

pub use nfs4_driver as driver;

mod accept_wait;
#[cfg(feature = "async-std")]
pub mod async_std;
mod builder;
mod connection;
mod dial;
mod listener;
mod log;
mod runner;
mod server;
mod signal;
mod stop;
mod stream;
mod sync;
mod threads;
mod timer;

pub use builder::ServerBuilder;
pub use nfs4_driver::BindError;
pub use runner::Runner;
pub use server::{ServeError, Server};
pub use stop::Stop;
pub use stream::BlockingStream;
