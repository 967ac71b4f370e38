//! State of files: opens, locks and delegations, and their stateids. [RFC 8881 §9]

pub(crate) mod account;
pub(crate) mod charge;
pub(crate) mod claim;
pub(crate) mod contended;
pub(crate) mod delegated;
pub(crate) mod delegating;
pub(crate) mod delegation;
pub(crate) mod ending;
pub(crate) mod file;
pub(crate) mod history;
pub(crate) mod lock;
pub(crate) mod locked;
pub(crate) mod open;
pub(crate) mod overlap;
pub(crate) mod owner;
pub(crate) mod owner_seqid;
pub(crate) mod range;
pub(crate) mod stateid;
pub(crate) mod table;
pub(crate) mod waiter;
mod waiting;

pub(crate) use table::States;
