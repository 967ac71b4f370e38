//! Serves an nfs4 node to clients in the same process, without sockets, threads or a runtime.
//!
//! A [`Server`] makes connections ([`Server::connect`], or a [`Connector`] from other threads), whose
//! client's end is a [`MemoryStream`], and is driven by its owner: [`Server::poll`] does what there is
//! to do and says how long to sleep. A host with one thread, such as a program for wasm, calls it in its
//! own loop; elsewhere [`Server::spawn`] gives it a thread.
//!
//! Each direction of a connection is a queue of bytes with a capacity. A full queue makes its writer
//! wait: a client that does not take its replies is not read from, as over TCP. The work of a poll
//! is that of the connections with something to do, however many there are. Callbacks come by the
//! client's own connection; those of NFSv4.0, for which a server connects to its client, are refused,
//! and such clients get no delegations.
//!
//! Here one thread is both server and client:
//!
//! ```
//! use std::task::Waker;
//!
//! use nfs4_transport_memory::driver::engine::proto::client::{CallCredential, null_call};
//! use nfs4_transport_memory::{Next, Server};
//! use nfs4_vfs::{MemFs, MemFsConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let files = MemFs::new(MemFsConfig::new(1, 1 << 20));
//! let mut server = Server::builder().export_backend("/", files).build()?;
//!
//! let client = server.connect("a client")?;
//! client.try_write(&null_call(1, &CallCredential::None))?;
//! let mut reply = [0; 28];
//! while client.try_read(&mut reply).is_err() {
//!     // What a host does next, with a waker that ends its sleep.
//!     assert_ne!(server.poll(Waker::noop())?, Next::Ended);
//! }
//! server.stop_handle().stop();
//! while server.poll(Waker::noop())? != Next::Ended {}
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

pub use nfs4_driver as driver;

mod builder;
mod connector;
mod hub;
mod link;
mod log;
mod pipe;
mod server;
mod stop;
mod stream;
mod thread;

pub use builder::ServerBuilder;
pub use connector::{ConnectError, Connector};
pub use server::{Next, Server};
pub use stop::Stop;
pub use stream::MemoryStream;
pub use thread::Running;
