//! Repeats what a server did, from the log that it recorded.
//!
//! A server that is built with the feature `record` writes a log: the start of its engine, every
//! input with its time, and every action that it caused. `nfs4d --record FILE` does. An engine
//! that is started in the same way and given the same inputs must do the same, byte for byte, so a
//! log is a failure that can be repeated as often as needed, without clients, file systems and
//! time. [`replay`](replay()) does that and stops at the first action that differs.
//!
//! [`redact`](redact()) makes a log that can be given away: without contents of files and names.
//! It works on a finished log and not while the server records: the engine has to see real names,
//! and its actions contain them, so a log without them takes a second engine that is given other
//! names.
//!
//! The binary is the function `main` of the feature `cli`, and nothing else.

#[cfg(feature = "cli")]
mod cli;
mod compound;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzzing;
mod log;
mod pseudonyms;
mod readable;
mod replay;
mod rewrite;
mod show;

#[cfg(feature = "cli")]
pub use cli::main;
pub use log::{Log, LogEnd, LogError};
pub use replay::{Difference, ReplayError, Report, Verdict, replay};
pub use rewrite::{RewriteError, redact, rewrite};
pub use show::show;
