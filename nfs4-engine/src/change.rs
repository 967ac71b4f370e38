//! Settings that can change while the server runs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use nfs4_proto::nfs4::opnum::Op;

use crate::config::{BindingPolicy, Config, ConfigFaults};

/// Other values for settings; what is none stays as it is, and is not part of its `Debug` form.
#[derive(Clone, Default, PartialEq, Eq)]
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
    /// [`Config::max_cached_reply`], for sessions that are created from now on.
    pub max_cached_reply: Option<u32>,
    /// [`Config::max_reply_cache`], from the next request on. What is kept stays until its slot is used
    /// again or recalled.
    pub max_reply_cache: Option<u64>,
    /// [`Config::max_operations`]: in minor version 0 from the next operation on, later for sessions that
    /// are created from now on.
    pub max_operations: Option<u32>,
    /// [`Config::sessions_per_client`]. A client with more keeps them.
    pub sessions_per_client: Option<u32>,
    /// [`Config::max_sessions`]. Sessions beyond it stay.
    pub max_sessions: Option<u32>,
    /// [`Config::drain_deadline`], for connections that begin to drain from now on.
    pub drain_deadline: Option<Duration>,
    /// [`Config::callback_timeout`], for callbacks that are sent from now on.
    pub callback_timeout: Option<Duration>,
    /// [`Config::callback_pause`], for callbacks that are sent again from now on.
    pub callback_pause: Option<Duration>,
    /// [`Config::max_clients`]. Records beyond it stay until others need their room.
    pub max_clients: Option<u32>,
    /// [`Config::max_opens_per_client`]. Opens beyond it stay.
    pub max_opens_per_client: Option<u32>,
    /// [`Config::max_states`]. State beyond it stays.
    pub max_states: Option<u32>,
    /// [`Config::delegations`], from the next OPEN on; what is delegated stays.
    pub delegations: Option<bool>,
    /// [`Config::max_delegations_per_client`]. Delegations beyond it stay.
    pub max_delegations_per_client: Option<u32>,
    /// [`Config::max_delegations`]. Delegations beyond it stay.
    pub max_delegations: Option<u32>,
    /// [`Config::delegation_pause`], for recalls from now on.
    pub delegation_pause: Option<Duration>,
    /// [`Config::delegation_penalty`], for revocations from now on.
    pub delegation_penalty: Option<Duration>,
    /// [`Config::courtesy`], also for clients whose leases have expired already.
    pub courtesy: Option<Duration>,
    /// [`Config::slow_request`], also for requests and callbacks that wait already.
    pub slow_request: Option<Duration>,
}

/// Applies every field of a change: one that is forgotten in the list does not compile.
macro_rules! applied {
    ($($setting:ident),* $(,)?) => {
        /// Sets what a change has values for.
        fn apply(change: &Change, config: &mut Config) {
            let Change { $($setting),* } = change;
            $(if let Some(value) = $setting {
                config.$setting.clone_from(value);
            })*
        }

        /// The names of the settings that differ, of those that can change.
        pub(crate) fn differing(before: &Config, after: &Config) -> Vec<String> {
            let mut names = Vec::new();
            $(if before.$setting != after.$setting {
                names.push(String::from(stringify!($setting)));
            })*
            names
        }

        impl fmt::Debug for Change {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut form = f.debug_struct("Change");
                $(if let Some(value) = &self.$setting {
                    form.field(stringify!($setting), value);
                })*
                form.finish()
            }
        }
    };
}

applied! {
    lease, grace, min_minor_version, max_minor_version, fore_slots, max_connections_per_session,
    binding_policy, blocked_operations, max_cached_reply, max_reply_cache, max_operations,
    sessions_per_client, max_sessions, drain_deadline, callback_timeout, callback_pause, max_clients,
    max_opens_per_client, max_states, delegations, max_delegations_per_client, max_delegations,
    delegation_pause, delegation_penalty, courtesy, slow_request,
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
        apply(self, &mut changed);
        changed.validate()?;
        Ok(changed)
    }
}
