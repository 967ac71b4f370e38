//! What the server does, on a simulated network: each test is named by its claim.

mod callbacks;
mod create_session;
mod determinism;
mod dispatch;
mod exchange_id;
mod exports;
mod files;
mod holder;
mod lease;
mod limits;
mod locks;
mod malice;
mod metrics;
mod names;
mod open;
mod reconnect;
mod refusals;
mod sequence;
mod settings;
mod slots;
mod snapshot;
mod staged;
mod trunking;
mod v40_clients;
mod v40_owners;
mod waiting;
