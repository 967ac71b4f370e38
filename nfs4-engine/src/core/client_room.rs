//! Room for client records. [RFC 8881 §18.35.4, RFC 7530 §16.33.5]

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::client::ClientIdentity;
use crate::core::Core;
use crate::core::removal::Removal;
use crate::event::ClientGone;
use crate::ids::ConnId;
use crate::keys::ClientKey;
use crate::peer::{LimitReached, Peer};
use crate::principal::Principal;
use crate::state::table::WALKED_AT_ONCE;
use crate::timer::Due;

impl Core {
    /// A record for a client whose other unconfirmed ones are gone.
    ///
    /// # Errors
    /// The peer has its share of records, or there is no room: see [`LimitReached::of_client`]; DELAY if
    /// the removal of another record takes several tries.
    pub(crate) fn new_client(
        &mut self,
        identity: ClientIdentity<'_>,
        conn: ConnId,
        out: &mut Outbox,
    ) -> Result<ClientKey, Status> {
        let now = out.now;
        let peer = self.peer_by(conn, identity.principal);
        if let Err(status) = self.make_room_for(peer, &identity, out) {
            self.peers.release(peer);
            return Err(status);
        }
        let since = self.terms.since();
        let key = self.clients.insert(identity, peer, now.mono, since);
        self.states.enroll(key, peer);
        let lease = now.mono.after(self.config.lease);
        self.set_timer(lease, Due::Lease(key));
        Ok(key)
    }

    /// Removes a record.
    ///
    /// # Errors
    /// DELAY if it has too much to be removed at once: it is removed soon.
    pub(crate) fn discard(
        &mut self,
        key: ClientKey,
        reason: ClientGone,
        out: &mut Outbox,
    ) -> Result<(), Status> {
        let mut budget = REMOVED_AT_ONCE;
        match self.remove_client(key, reason, &mut budget, out) {
            Removal::Done => Ok(()),
            Removal::Waits(ticket) => {
                self.stores.delays(ticket);
                Err(Status::DELAY)
            }
            Removal::Later => Err(Status::DELAY),
        }
    }

    /// Makes room for one more record of a peer. A record without state, or of a client whose lease has
    /// expired, is removed: one of the peer's own first, so that a peer keeps no other out however many names it uses; if all peers together
    /// have too many records, one of any peer.
    fn make_room_for(
        &mut self,
        peer: Peer,
        identity: &ClientIdentity<'_>,
        out: &mut Outbox,
    ) -> Result<(), Status> {
        let replaced = identity.replaces.and_then(|old| self.clients.get(old));
        let is_counted = replaced.is_some_and(|old| old.peer == peer);
        let admits = |core: &Core| {
            let held = core.clients.shares.held(peer);
            match held.admits(core.config.max_clients as usize, 1) {
                // There are two records for a while, and then one again.
                Err(LimitReached::Share | LimitReached::Others) if is_counted => Ok(()),
                admitted => admitted,
            }
        };
        let Err(full) = self.admit_beside_kept(out, admits) else {
            return Ok(());
        };
        let own = self.clients.gives_way(Some(peer));
        let other = match full {
            LimitReached::Share | LimitReached::Soon => None,
            LimitReached::Others => self.clients.courteous(),
            LimitReached::Node => self.clients.gives_way(None),
        };
        let first = own.or(other).ok_or(full.of_client(identity.minor))?;
        let record = self.clients.get(first);
        let reason = match record.is_some_and(|client| client.courteous) {
            true => ClientGone::LeaseExpired,
            false => ClientGone::Crowded,
        };
        self.discard(first, reason, out)
    }

    /// The peer that sends by a connection, with one more use.
    fn peer_by(&mut self, conn: ConnId, principal: Principal) -> Peer {
        if let Some(connection) = self.connections.get(conn) {
            return self.peers.user(connection.host.host, principal);
        }
        // The driver has closed the connection meanwhile.
        let nowhere = self.peers.host("");
        let peer = self.peers.user(nowhere.host, principal);
        self.peers.release(nowhere);
        peer
    }
}

/// Steps of removal within one request; a client with more gets DELAY.
const REMOVED_AT_ONCE: usize = WALKED_AT_ONCE;
