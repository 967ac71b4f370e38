//! What every transport of the nfs4 engine needs and that is not socket code.
//!
//! A [`Node`] is an [`Engine`](engine::Engine) behind its lock. For every connection that a
//! transport accepts, [`Node::open`] gives a [`Connection`]: it takes bytes in, cuts them into
//! records, answers what RPC itself answers, brings all calls that arrived together before the
//! engine at once, lets file systems work outside the lock, and hands out all replies for one
//! write. A [`Timer`] runs what is due, and a [`Dialer`] says which connections to make. The
//! transport adds sockets and sleep, nothing else: see the [`guide`], write your own transport.

pub use nfs4_engine as engine;

mod accepts;
mod admission;
mod backlog;
mod batch;
mod budget;
mod builder;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connection;
mod credentials;
mod dial;
mod dialer;
mod drive;
mod error;
mod events;
mod fair_lock;
mod file_system;
#[doc = include_str!("guide.md")]
pub mod guide {}
mod identity;
mod intake;
mod late;
mod limits;
mod log;
mod mailbox;
mod mailboxes;
mod measured;
mod memory_store;
mod node;
mod output;
mod policy;
mod pool;
#[cfg(feature = "record")]
mod recording;
mod roster;
mod rpc;
mod shared;
mod slice;
#[cfg(unix)]
mod socket_file;
mod spawn;
mod stable;
mod sync;
pub mod task;
mod timer;
mod timer_wakers;
mod watch;
mod workers;

pub use accepts::Accepts;
pub use builder::{BindError, BuildError, NodeBuilder};
pub use clock::{Clock, ManualClock, SystemClock};
pub use connection::Connection;
pub use dialer::{Dial, Dialer};
pub use drive::Stream;
pub use error::{AdminError, Closing, EngineDead, Refused};
pub use events::{Events, Fact, Happened};
pub use file_system::FileSystemBackend;
pub use identity::Identity;
pub use intake::ReadSpace;
pub use limits::Limits;
pub use memory_store::MemoryStore;
pub use node::Node;
pub use policy::{DialAny, DialNone, DialPolicy, DialRequest, SameHost};
#[cfg(feature = "record")]
pub use recording::Recording;
#[cfg(unix)]
pub use socket_file::SocketFile;
pub use spawn::{Spawn, Task};
pub use stable::{StableCompletion, StableStore};
pub use timer::Timer;
pub use workers::Workers;
