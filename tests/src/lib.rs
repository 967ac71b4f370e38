//! Scenarios, properties, wire tests and layer tests of the nfs4 workspace.

pub mod counting;
pub mod hot;
