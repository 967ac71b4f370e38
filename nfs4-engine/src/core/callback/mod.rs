//! The way of callbacks: from what wants one through a queue, a slot and a connection to its end.
//! [RFC 8881 §2.10.6, §20]

mod end;
mod fault;
mod path_calls;
mod path_connection;
mod queue;
mod reply;
mod send;
mod status;
