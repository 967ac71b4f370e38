//! How many connections a session may have after the limit became lower.

use std::collections::BTreeMap;

use nfs4_engine::Engine;
use nfs4_proto::nfs4::SessionId;

/// How many each session had when this was last looked at.
#[derive(Debug, Default)]
pub(super) struct Excess(BTreeMap<SessionId, usize>);

impl Excess {
    /// No session has more connections than the limit, but those that had when it was higher; and
    /// they get no more.
    pub(super) fn check(&mut self, engine: &Engine) {
        let mut counts = BTreeMap::new();
        for (session, ..) in engine.bindings() {
            *counts.entry(session).or_default() += 1;
        }
        let limit = engine.config().max_connections_per_session as usize;
        for (session, count) in counts.iter().filter(|(_, count)| **count > limit) {
            let before = self.0.get(session).copied().unwrap_or(0);
            assert!(
                limit == 0 || *count <= before,
                "{count} connections of {session:?}, after {before}"
            );
        }
        self.0 = counts;
    }
}
