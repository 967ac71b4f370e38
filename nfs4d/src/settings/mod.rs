//! The protocol's settings: where each comes from, what it may be, and how it changes while the server runs.
//!
//! The names, units and kinds are [`nfs4_admin::SETTINGS`]; ranges and defaults are the engine's
//! [`Config`](nfs4_engine::Config). [`table`] joins the two.

mod layers;
mod live;
mod names;
mod object;
mod store;
mod store_fault;
mod table;
mod text;
mod wrong;

pub use self::layers::Given;
pub(crate) use self::layers::{Layers, Source};
pub(crate) use self::live::{Live, Shown, Unchanged};
pub(crate) use self::names::like;
pub(crate) use self::object::{Object, settings_of};
pub(crate) use self::store::Store;
pub use self::store_fault::StoreFault;
#[cfg(test)]
pub(crate) use self::table::range;
pub(crate) use self::table::{base, defaults, of_engine};
pub(crate) use self::text::read;
pub(crate) use self::wrong::Wrong;
