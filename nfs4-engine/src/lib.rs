//! A Sans-IO NFSv4 server: the protocol state machine, with no sockets, clocks or threads.
//!
//! The driver feeds an [`Engine`] with [`Input`]s and carries out the [`Action`]s that appear in
//! the [`Outbox`]. The same [`Boot`], [`Config`] and timed inputs give the same actions, byte for
//! byte.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub use bytes;
pub use nfs4_proto as proto;

mod action;
mod config;
mod engine;
mod event;
pub mod fs;
mod ids;
mod input;
pub mod metrics;
mod time;

pub use action::{Action, Outbox, Reply, Segment};
pub use config::{Boot, Config, ConfigFault};
pub use engine::{Engine, TimerReason};
pub use event::{ClientGone, Event, SessionGone};
pub use ids::ConnId;
pub use input::{Call, Input};
pub use time::{Mono, Now, Wall};
