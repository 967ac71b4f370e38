//! Serves an nfs4 node over TCP and Unix sockets on tokio.
//!
//! A [`Server`] accepts connections and drives each in one task: it reads, hands what came to the
//! [`Connection`](driver::Connection), and writes all replies at once. There is no task per
//! request, no writer task and no channel. A [`Runner`] drives another stream, such as TLS over TCP.
//!
//! ```no_run
//! use nfs4_transport_tokio::{Server, driver::engine::fs::FileSystem};
//!
//! async fn serve(files: impl FileSystem) -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::builder().export("/", files).bind("127.0.0.1:2049").await?;
//!     let stop = std::future::pending(); // such as a signal
//!     Ok(server.serve(stop).await?)
//! }
//! ```
//!
//! The [`guide`] says how to write a file system and a server.

pub use nfs4_driver as driver;

mod builder;
mod listener;
mod log;
mod runner;
mod runtime;
mod server;
mod spawner;
mod stream;

pub use builder::ServerBuilder;
pub use nfs4_driver::BindError;
pub use nfs4_driver::task::ServeError;
pub use runner::Runner;
pub use server::Server;
pub use spawner::Spawner;

#[doc = include_str!("guide.md")]
pub mod guide {}

/// The README's program must compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
