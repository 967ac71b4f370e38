//! Connections and the sessions they are bound to. [RFC 8881 §2.10.3.1]

pub(crate) mod binding;
pub(crate) mod table;

pub(crate) use binding::Bindings;
pub(crate) use table::Connections;
