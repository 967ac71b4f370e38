//! Repeats what a server did, from the log that it recorded.
//!
//! A server that is built with the feature `record` writes a log: the start of its engine, every
//! input with its time, and every action that it caused. `nfs4d --record FILE` does. An engine
//! that is started in the same way and given the same inputs must do the same, byte for byte, so a
//! log is a failure that can be repeated as often as needed, without clients, file systems and
//! time. [`replay`](replay()) does that and stops at the first action that differs.
//!
//! [`redact`](redact()) makes a log that can be given away: without contents of files and names.
//! It works on a finished log and not while the server records. The engine has to see real names,
//! and its actions contain them, so that a log without them takes a second engine that is given
//! other names; and who wants to look for a fault wants the real log first.
//!
//! The binary is [`main`] and nothing else.

mod cli;
mod compound;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzzing;
mod log;
mod pseudonyms;
mod redact;
mod replay;
mod show;

pub use cli::main;
pub use log::{Log, LogEnd, LogError};
pub use redact::{RedactError, redact};
pub use replay::{Difference, Outcome, ReplayError, Report, replay};
pub use show::show;
