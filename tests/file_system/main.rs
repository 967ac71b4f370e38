//! File systems of the asynchronous trait, through the adapter and both transports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[macro_use]
mod served;

mod conformance;
mod delegations;
mod endings;
mod faults;
mod listings;
mod losses;
mod model;
mod operations;
mod rights;
