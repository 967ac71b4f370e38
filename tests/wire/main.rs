//! What peers see on a socket, good peers and bad ones, whichever transport is behind it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[macro_use]
mod server;

mod accepts;
mod admin;
mod budget;
mod callbacks;
mod caller;
mod delegations;
mod engine;
mod events;
mod files;
mod flight;
#[cfg(target_os = "linux")]
mod leases;
mod limits;
mod log;
mod metrics;
mod peer;
mod pipe;
mod pipeline;
mod rpc;
mod runner;
mod session;
mod settings;
mod snapshot;
mod stable;
mod stop;
mod timer;
mod traffic;
mod transfer;
mod trunking;
mod turns;
#[cfg(unix)]
mod unix;
mod versions;
