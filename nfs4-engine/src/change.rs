//! Settings that can change while the server runs.

use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::nfs4::opnum::Op;

use crate::config::{BindingPolicy, Config, ConfigFaults};

/// Other values for settings; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// [`Config::lease`]. A longer lease is for all clients; a shorter one for clients that come after the
    /// change, since the others keep the lease that they got. A free lock is kept for a waiter no longer
    /// than the new lease.
    pub lease: Option<Duration>,
    /// [`Config::grace`], counted from the start of the server. A grace period that is over does
    /// not begin again.
    pub grace: Option<Duration>,
    /// [`Config::min_minor_version`], from the next COMPOUND on. Clients of versions that are not
    /// served any more lose their state when their leases run out.
    pub min_minor_version: Option<u32>,
    /// [`Config::max_minor_version`], likewise.
    pub max_minor_version: Option<u32>,
    /// [`Config::fore_slots`], for sessions that are made from now on.
    pub fore_slots: Option<u32>,
    /// [`Config::max_connections_per_session`]. A session with more keeps them, and gets no other
    /// before it has fewer.
    pub max_connections_per_session: Option<u32>,
    /// [`Config::binding_policy`], from the next BIND_CONN_TO_SESSION on. What is bound stays.
    pub binding_policy: Option<BindingPolicy>,
    /// [`Config::blocked_operations`], from the next operation on.
    pub blocked_operations: Option<Vec<Op>>,
}

impl Change {
    /// These values, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Change)) -> Change {
        set(&mut self);
        self
    }

    /// The settings after it.
    ///
    /// # Errors
    /// All that would be out of their range.
    pub(crate) fn made_to(&self, config: &Config) -> Result<Config, ConfigFaults> {
        let mut changed = config.clone();
        set(&mut changed.lease, &self.lease);
        set(&mut changed.grace, &self.grace);
        set(&mut changed.min_minor_version, &self.min_minor_version);
        set(&mut changed.max_minor_version, &self.max_minor_version);
        set(&mut changed.fore_slots, &self.fore_slots);
        set(
            &mut changed.max_connections_per_session,
            &self.max_connections_per_session,
        );
        set(&mut changed.binding_policy, &self.binding_policy);
        set(&mut changed.blocked_operations, &self.blocked_operations);
        changed.validate()?;
        Ok(changed)
    }
}

fn set<T: Clone>(setting: &mut T, value: &Option<T>) {
    if let Some(value) = value {
        setting.clone_from(value);
    }
}
