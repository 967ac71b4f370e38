//! COMPOUND: one request of several operations. [RFC 8881 §16.2]

pub(crate) mod context;
pub(crate) mod handler;
pub(crate) mod kinds;
pub(crate) mod opening;
pub(crate) mod owner_request;
pub(crate) mod permission_query;
pub(crate) mod reply;
mod room;
pub(crate) mod scope;
pub(crate) mod stage;
pub(crate) mod state;
mod terms;
pub(crate) mod v40;
pub(crate) mod wait;

pub(crate) use context::Cx;
pub(crate) use kinds::{Sequenced, Sessionless, V40};
pub(crate) use scope::{Established, Scope};
pub(crate) use stage::{Stage, Step};
pub(crate) use state::{Compound, Fetched};
