//! The callback program: what a server asks of a client
//! [RFC 7530 §17, RFC 8881 §20, RFC 7862 §16].

pub mod args;
pub mod res;
