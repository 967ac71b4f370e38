//! COMPOUND: one request of several operations. [RFC 8881 §16.2]

pub(crate) mod context;
pub(crate) mod handler;
pub(crate) mod opening;
pub(crate) mod owner_turn;
pub(crate) mod reply;
mod room;
pub(crate) mod state;
pub(crate) mod v40;

pub(crate) use context::{Cx, Established, Scope, Sequenced, Stage, Step};
pub(crate) use state::{Compound, Fetched};
pub(crate) use v40::V40;
