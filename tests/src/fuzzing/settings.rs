//! The settings of an engine.

use std::time::Duration;

use nfs4_engine::Config;

use super::tape::Tape;

/// Limits so low that they are met, or those of a server; the lease is short.
pub(super) fn chosen(tape: &mut Tape<'_>) -> Config {
    let low = Config::default().with(|config| {
        config.grace = Duration::ZERO;
        config.lease = LEASE;
        config.max_opens_per_client = 16;
        config.max_states = 64;
        config.max_clients = 16;
        config.max_reply_cache = 1 << 20;
    });
    match tape.below(4) {
        0 | 1 => low,
        2 => low.with(|config| {
            config.max_clients = 4;
            config.max_sessions = 6;
            config.sessions_per_client = 2;
            config.fore_slots = 2;
            config.max_delegations = 3;
            config.max_delegations_per_client = 2;
            config.max_operations = 8;
            config.max_reply_cache = 64 << 10;
        }),
        _ => Config::default().with(|config| {
            config.grace = Duration::from_secs(5);
            config.lease = LEASE;
        }),
    }
}

const LEASE: Duration = Duration::from_secs(10);
