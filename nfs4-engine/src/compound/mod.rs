//! COMPOUND: one request of several operations. [RFC 8881 §16.2]

pub(crate) mod context;
mod heard;
pub(crate) mod hold;
pub(crate) mod reply;
mod room;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod v40;

pub(crate) use context::{Cx, Established, Scope, Sequenced, Stage, Step};
pub(crate) use state::{Compound, Fetched};
pub(crate) use v40::V40;
