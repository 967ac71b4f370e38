//! The settings of an engine.

use std::time::Duration;

use nfs4_engine::Config;

use super::tape::Tape;

/// Limits so low that they are met, or those of a server; the lease is short.
pub(super) fn chosen(tape: &mut Tape<'_>) -> Config {
    let low = Config {
        grace: Duration::ZERO,
        lease: LEASE,
        max_opens_per_client: 16,
        max_states: 64,
        max_clients: 16,
        max_reply_cache: 1 << 20,
        ..Config::default()
    };
    match tape.below(4) {
        0 | 1 => low,
        2 => Config {
            max_clients: 4,
            max_sessions: 6,
            sessions_per_client: 2,
            fore_slots: 2,
            max_delegations: 3,
            max_delegations_per_client: 2,
            max_operations: 8,
            max_reply_cache: 64 << 10,
            ..low
        },
        _ => Config {
            grace: Duration::from_secs(5),
            lease: LEASE,
            ..Config::default()
        },
    }
}

const LEASE: Duration = Duration::from_secs(10);
