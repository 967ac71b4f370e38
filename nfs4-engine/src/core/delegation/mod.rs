//! What becomes of delegations: recalled, revoked, asked about, and refused to clients that do not
//! return them. [RFC 8881 §10.2 to §10.5]

pub(crate) mod lapse;
mod pressure;
pub(crate) mod probe;
mod recall;
