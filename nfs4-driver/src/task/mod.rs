//! What transports on an async runtime share: everything but sockets, sleep and tasks.
//!
//! A [`Runner`] runs a node's timer and dialer, and drives connections, each in one task: it reads,
//! hands what came to the [`Connection`](crate::Connection), and writes all replies at once. There is
//! no task per request, no writer task and no channel. The transport implements [`Runtime`],
//! [`PollStream`] and [`Listener`] for its runtime.

mod drive;
mod group;
mod runner;
mod runtime;
mod services;

pub use runner::{Runner, ServeError};
pub use runtime::{Listener, PollStream, Runtime, Sleep};
