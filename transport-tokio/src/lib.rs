//! Serves an nfs4 node over TCP on tokio.
//!
//! A [`Server`] accepts connections and drives each in one task: it reads, hands what came to the
//! [`Connection`](driver::Connection), and writes all replies at once. There is no task per
//! request, no writer task and no channel. Another stream than TCP, such as TLS over it, is driven
//! by [`serve_stream`].
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
mod dial;
mod log;
mod server;
mod spawner;
mod stream;
mod timer;

pub use builder::{BindError, ServerBuilder};
pub use server::{ServeError, Server};
pub use spawner::Spawner;
pub use stream::serve_stream;

/// The README's program must compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
