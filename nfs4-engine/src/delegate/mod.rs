//! What becomes of delegations: how they are recalled, what their holders are asked, and what must
//! not be delegated now. [RFC 8881 §10.4]

pub(crate) mod guard;
mod lapse;
pub(crate) mod pressure;
pub(crate) mod probe;
pub(crate) mod recall;

pub(crate) use guard::{Candidate, Guard, Guards, Place, Watch};
pub(crate) use lapse::Lapses;
pub use recall::RecallReason;
