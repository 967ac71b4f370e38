//! A simulated network with a server and model clients on it.
//!
//! Nothing in it depends on a clock, a socket or entropy of the machine: time is virtual, chance comes
//! from a seed, and one scenario run twice gives the same bytes.

mod admin;
mod bound;
mod callback;
pub mod chaos;
mod checks;
mod client;
mod client40;
mod codec;
mod dial;
mod engine_log;
mod excess;
mod fs;
mod held;
mod local_locks;
mod network;
mod reply;
mod request;
mod rng;
mod stable;
mod start;
mod stopwatch;
mod stored;
mod world;

pub use callback::Callback;
pub use client::{Client, Fattr, SESSION_ATTRS, making_args, open_args, sequence_args};
pub use client40::{Client40, Opened};
pub use dial::{Dial, Dialling};
pub use fs::{Fs, Tally, created};
pub use network::{Delays, Network};
pub use reply::Reply;
pub use request::Request;
pub use rng::Rng;
pub use world::{Pace, Sim};
