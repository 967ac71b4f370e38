//! Serves an nfs4 node over TCP and Unix sockets on tokio.
//!
//! A [`Server`] accepts connections and drives each in one task: it reads, hands what came to the
//! [`Connection`](driver::Connection), and writes all replies at once. There is no task per
//! request, no writer task and no channel. A [`Runner`] drives another stream, such as TLS over TCP.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use nfs4_transport_tokio::Server;
//! use nfs4_transport_tokio::driver::engine::fs::Backend;
//! use nfs4_transport_tokio::driver::engine::{Boot, Config, Engine, Export};
//! use nfs4_transport_tokio::driver::{Clock, Limits, Node, SystemClock};
//!
//! async fn serve(root: Arc<dyn Backend>, boot: Boot) -> Result<(), Box<dyn std::error::Error>> {
//!     let config = Config::default();
//!     let limits = Limits::for_max_io(config.max_io);
//!     let clock = Arc::new(SystemClock::new());
//!     let exports = vec![Export::new("/", root)];
//!     let engine = Engine::new(boot, config, exports, clock.now())?;
//!     let node = Node::with_clock(engine, limits, clock)?;
//!
//!     let server = Server::bind("127.0.0.1:2049", node).await?;
//!     let stop = std::future::pending(); // such as a signal
//!     Ok(server.serve(stop).await?)
//! }
//! ```

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

/// The README's program must compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
