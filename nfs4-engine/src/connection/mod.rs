//! Connections and the sessions they are bound to. [RFC 8881 §2.10.3.1]

mod binding;
mod table;

pub(crate) use binding::{Binding, Bindings};
#[cfg(feature = "__test")]
pub(crate) use table::Connection;
pub(crate) use table::Connections;
