//! Random scenarios, held against models.

mod callbacks;
mod delegations;
mod engine_ops;
mod exactly_once;
mod locks;
mod runner;
mod shares;
mod slots;
mod told;
mod trunking;
