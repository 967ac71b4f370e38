//! Serves a node on async-std, a task for each connection.
//!
//! The upstream of async-std is no longer developed ([RUSTSEC-2025-0052]): there may be no fix for a
//! defect in it. This module is for programs that are built on it already.
//!
//! ```no_run
//! use nfs4_transport_std::async_std::Server;
//! use nfs4_transport_std::driver::Node;
//!
//! async fn serve(node: Node) -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::bind("127.0.0.1:2049", node).await?;
//!     let stop = std::future::pending(); // such as a signal
//!     Ok(server.serve(stop).await?)
//! }
//! ```
//!
//! [RUSTSEC-2025-0052]: https://rustsec.org/advisories/RUSTSEC-2025-0052

mod builder;
mod listener;
mod runner;
mod runtime;
mod server;
mod spawner;
mod stream;

pub use builder::ServerBuilder;
pub use nfs4_driver::task::ServeError;
pub use runner::Runner;
pub use server::Server;
pub use spawner::Spawner;
