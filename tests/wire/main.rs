//! What peers see on a socket, good peers and bad ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod engine;
mod files;
mod flight;
mod limits;
mod log;
mod peer;
mod pipeline;
mod rpc;
mod server;
mod session;
mod stop;
mod timer;
mod transfer;
