//! A Sans-IO NFSv4 server: the protocol state machine, with no sockets, clocks or threads.
//!
//! The driver feeds an [`Engine`] with [`Input`]s and carries out the [`Action`]s that appear in
//! the [`Outbox`]. The same [`Boot`], [`Config`] and timed inputs give the same actions, byte for
//! byte.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "__test"),
    expect(
        dead_code,
        reason = "what only the module `invariant` reads, for tests"
    )
)]

extern crate alloc;

pub use bytes;
pub use nfs4_proto as proto;

mod action;
mod admin;
mod attr;
mod boot;
mod callback;
mod chain;
mod change;
mod client;
mod compound;
mod config;
mod connection;
mod connection_state;
mod core;
mod count;
mod delegation_kind;
mod direction;
mod duplicates;
mod engine;
mod event;
mod export;
mod export_set;
mod exports;
mod faults;
mod fh;
mod fingerprint;
pub mod fs;
mod grace;
mod guards;
mod ids;
mod input;
#[cfg(feature = "__test")]
mod invariant;
mod key_index;
mod keys;
mod lapses;
mod map;
pub mod metrics;
mod network;
mod op_set;
mod ops;
mod parted;
mod peer;
mod principal;
#[cfg(feature = "record")]
pub mod record;
mod recovered;
mod run;
mod seal;
mod server_address;
mod session;
mod sizes;
mod slab;
mod slow;
mod slow_log;
mod small_list;
pub mod snapshot;
mod squash;
pub mod stable;
mod state;
mod stores;
mod table_lengths;
mod terms;
mod time;
mod timer;
mod traffic;

pub use action::{Action, Callback, Outbox, Reply, Segment};
pub use admin::{Admin, AdminFault};
pub use boot::{Boot, BootFault};
pub use change::Change;
pub use config::{BindingPolicy, Config, ConfigFault, ConfigFaults, FaultReason};
pub use connection_state::ConnectionState;
pub use delegation_kind::{DelegationKind, RecallReason, Touch};
pub use direction::Direction;
pub use engine::{Engine, StartError};
pub use event::{BackChannelLost, ClientGone, Event, GraceEnd, SessionGone, Unbound};
pub use export::{Export, ExportFault, ExportFaults};
pub use ids::{ConnId, DialId, RequestId};
pub use input::{Call, CallbackOutcome, CallbackReply, DialError, Input};
pub use network::{Cidr, CidrFault, NetworkRule};
pub use server_address::{ServerAddress, ServerAddressFault};
pub use slow::{SlowCallback, SlowCallbackEnd, SlowRequest, WaitsFor};
pub use squash::Squash;
pub use table_lengths::TableLengths;
pub use time::{Mono, Now, Wall};
pub use timer::TimerReason;
pub use traffic::Traffic;
