//! The conformance suite of the driver, on every transport of the repository.

mod async_std;
mod memory;
mod socket;
mod task;
mod threads;
mod tokio;
