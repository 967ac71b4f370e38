//! Sessions: slots, exactly-once execution and replay. [RFC 8881 §2.10]

pub(crate) mod demand;
pub(crate) mod slot;
pub(crate) mod slot_round;
mod slot_store;
pub(crate) mod slots;
pub(crate) mod table;
