//! Servers on sockets of this machine, clients that wait for their replies, and what both cost: for
//! tests that measure a server from outside.

mod client;
mod clock;
mod latency;
mod memory;
mod probe;
mod scene;
mod server;

pub use client::{CLOSE, Client, Connection, connect_from, null_call};
pub use clock::JumpingClock;
pub use latency::Latencies;
pub use memory::Memory;
pub use probe::Probe;
pub use scene::{Scene, attack_time};
pub use server::{Serving, Transport, engine_of};
