//! Scenarios, properties, wire tests and layer tests of the nfs4 workspace.

#![expect(
    missing_debug_implementations,
    reason = "no program outside uses it, and what a test prints is what it compares"
)]

pub mod counting;
pub mod crowd;
pub mod docs;
pub mod fuzzing;
pub mod hot;
pub mod live;
pub mod sim;
pub mod tree;
mod user;

#[doc(hidden)]
pub use nfs4_proto::nfs4::{Op, any::ResOp, res::Outcome};

pub use user::NOBODY;
