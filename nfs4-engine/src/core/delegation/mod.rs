//! Delegations: recall, revocation, CB_GETATTR, and the penalty for clients that do not return them.
//! [RFC 8881 §10.2 to §10.5]

pub(crate) mod lapse;
mod lease;
mod pressure;
pub(crate) mod probe;
mod recall;
