//! What peers see on a socket, good peers and bad ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod limits;
mod log;
mod peer;
mod rpc;
mod server;
