//! Random scenarios, held against models.

mod callbacks;
mod courtesy;
mod delegations;
mod engine_ops;
mod exactly_once;
mod exports;
mod locks;
mod reachable_client;
mod reads;
mod recovery;
mod runner;
mod shares;
mod size_reports;
mod slots;
mod trunking;
