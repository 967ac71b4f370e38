//! The exports: what is served at which path, by which rules, and where that comes from.
//!
//! An [`entry`] is made of options, which [`options`] reads from a file or a request; [`list`] holds entries
//! against each other. [`start`] opens their file systems, and [`live`] changes what is served.

mod backend;
mod counters;
mod entry;
mod list;
mod live;
pub(crate) mod options;
mod paths;
mod place;
mod prepared;
mod served;
mod start;
mod store;
mod told;
mod value;
mod watch;
mod wrong;

pub(crate) use self::backend::Maker;
pub(crate) use self::counters::ExportCounters;
pub use self::list::GivenExports;
pub(crate) use self::live::{Exports, Refused};
pub(crate) use self::paths::{from_line, pseudo};
pub(crate) use self::start::{Start, check};
pub(crate) use self::store::Store;
pub(crate) use self::watch::watch;
pub(crate) use self::wrong::Wrong;
