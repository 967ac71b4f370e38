//! Servers on sockets of this machine, clients that wait for their replies, and what both cost: for
//! tests that measure a server from outside.

mod address;
mod apart;
mod backchannel;
mod client;
mod client40;
mod clock;
mod connection;
mod daemon;
mod latency;
mod memory;
mod probe;
mod scene;
mod server;
pub mod settings;

pub use address::own_address;
pub use backchannel::{BackChannel, Recalled};
pub use client::{CLOSE, Client, Opened};
pub use client40::Client40;
pub use clock::JumpingClock;
pub use connection::{Connection, connect_from, null_call};
pub use daemon::Daemon;
pub use latency::Latencies;
pub use memory::Memory;
pub use probe::Probe;
pub use scene::{Scene, attack_time};
pub use server::{Serving, Transport, engine_of, runtime};
