//! The status flags of SEQUENCE: the client's backchannels and its state. [RFC 8881 §18.46.3, sr_status_flags]

use nfs4_proto::nfs4::consts::{
    SEQ4_STATUS_ADMIN_STATE_REVOKED, SEQ4_STATUS_BACKCHANNEL_FAULT, SEQ4_STATUS_CB_PATH_DOWN,
    SEQ4_STATUS_CB_PATH_DOWN_SESSION, SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED,
    SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED, SEQ4_STATUS_RECALLABLE_STATE_REVOKED,
};

use crate::client::Client;
use crate::core::Core;
use crate::keys::SessionKey;

impl Core {
    /// The status flags of a session's SEQUENCE. Clients act on each at once, so that none is set
    /// but for what the tables hold.
    pub(crate) fn status_flags(&self, key: SessionKey) -> u32 {
        let Some(session) = self.sessions.get(key) else {
            return 0;
        };
        let mut flags = 0;
        let client = || self.clients.get(session.client);
        // Mostly nothing is revoked, and then no client record is looked up.
        if (self.states.has_revoked() || self.states.is_any_remembered())
            && let Some(client) = client()
        {
            if client.revoked > client.revoked_by_administrator + client.lost.delegations {
                flags |= SEQ4_STATUS_RECALLABLE_STATE_REVOKED;
            }
            if client.revoked_by_administrator > 0 || client.lost.is_any_of_removed() {
                flags |= SEQ4_STATUS_ADMIN_STATE_REVOKED;
            }
            flags |= lost_flags(client);
        }
        if session.back.has_fault() {
            flags |= SEQ4_STATUS_BACKCHANNEL_FAULT;
        }
        if session.bindings.has_back() {
            return flags;
        }
        if session.back.wanted {
            flags |= SEQ4_STATUS_CB_PATH_DOWN_SESSION;
        }
        let sessions = client().map(|client| client.sessions.as_slice());
        let sessions = sessions.unwrap_or_default().iter();
        let mut sessions = sessions.filter_map(|key| self.sessions.get(*key));
        let mut wanted = session.back.wanted;
        let reachable = sessions.any(|other| {
            wanted |= other.back.wanted;
            other.bindings.has_back()
        });
        if wanted && !reachable {
            flags |= SEQ4_STATUS_CB_PATH_DOWN;
        }
        flags
    }
}

/// What a client has lost because its lease had expired: all, as long as it has nothing new. A client that
/// learns that it was all gives its client id up.
fn lost_flags(client: &Client) -> u32 {
    let bare = client.opens.is_empty() && client.delegations.len() == client.revoked as usize;
    match client.lost.is_empty() {
        true => 0,
        false if client.lost.all && bare => SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED,
        false => SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED,
    }
}
