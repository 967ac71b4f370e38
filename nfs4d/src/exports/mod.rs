//! The exports: what is served at which path, by which rules, and where that comes from.
//!
//! An [`Entry`] is made of options, which [`options`] reads from a file or a request; [`list`] holds all
//! entries against each other.

mod entry;
mod list;
mod network;
pub(crate) mod options;
mod paths;
mod value;
mod wrong;

pub use self::list::GivenExports;
pub(crate) use self::list::Misfit;
pub(crate) use self::paths::from_line;
pub(crate) use self::wrong::Wrong;
