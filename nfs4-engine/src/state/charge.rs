//! Charges the state of a client to its peer.

use super::account::FEW;
use super::owner::Owner;
use super::table::States;
use crate::count::Count;
use crate::keys::{ClientKey, FileKey, PartyKey};
use crate::peer::{Peer, PeerUsage};

impl States {
    /// Sets the peer that is charged with the state of a client, which has none yet.
    pub(crate) fn enroll(&mut self, client: ClientKey, peer: Peer) {
        self.open_owners.enroll(client, peer);
        self.lock_owners.enroll(client, peer);
    }

    /// The state that a client's peer, its host and all peers have.
    pub(crate) fn held(&self, client: ClientKey) -> PeerUsage {
        let peer = self.open_owners.peer_of(client);
        peer.map_or_else(PeerUsage::default, |peer| self.accounts.all.held(peer))
    }

    /// The delegations that a client's peer, its host and all peers have.
    pub(crate) fn delegated(&self, client: ClientKey) -> PeerUsage {
        let peer = self.open_owners.peer_of(client);
        peer.map_or_else(PeerUsage::default, |peer| {
            self.accounts.delegations.held(peer)
        })
    }

    /// The locked ranges of a file that a client's peer, its host and all peers have. Up to [`FEW`] count
    /// as if all were its own.
    pub(crate) fn locked(&self, file: FileKey, client: ClientKey) -> PeerUsage {
        let all = self.files.get(file).map_or(0, |file| file.locked.len());
        let of = |party: PartyKey| match all {
            0..=FEW => all,
            _ => self.accounts.ranges(party, file),
        };
        let peer = self.open_owners.peer_of(client);
        peer.map_or_else(PeerUsage::default, |peer| PeerUsage {
            own: peer.user.map_or(0, of),
            host: of(peer.host),
            all,
        })
    }

    /// Charges a client with one more delegation.
    pub(super) fn charge_delegation(&mut self, client: ClientKey) {
        self.charge(client, 1);
        if let Some(peer) = self.open_owners.peer_of(client) {
            self.accounts.delegations.add(peer, 1);
        }
    }

    /// Refunds a client one delegation.
    pub(super) fn refund_delegation(&mut self, client: ClientKey) {
        self.refund(client, 1);
        if let Some(peer) = self.open_owners.peer_of(client) {
            self.accounts.delegations.take(peer, 1);
        }
    }

    /// Charges a client with more state.
    pub(crate) fn charge(&mut self, client: ClientKey, more: usize) {
        if let Some(peer) = self.open_owners.peer_of(client) {
            self.accounts.all.add(peer, more);
        }
    }

    /// Refunds a client state that has ended.
    pub(crate) fn refund(&mut self, client: ClientKey, less: usize) {
        if let Some(peer) = self.open_owners.peer_of(client) {
            self.accounts.all.take(peer, less);
        }
    }

    /// Charges a client with one more stateid that its record remembers as revoked.
    pub(crate) fn charge_lost(&mut self, client: ClientKey) {
        self.remembered += 1;
        self.charge(client, 1);
    }

    /// Refunds a client such stateids, which are forgotten.
    pub(crate) fn refund_lost(&mut self, client: ClientKey, less: usize) {
        self.remembered.lower(less);
        self.refund(client, less);
    }

    /// The number of locked ranges of a file has changed from `before` to `after`, by ranges of this
    /// client.
    pub(super) fn change_ranges(
        &mut self,
        client: ClientKey,
        file: FileKey,
        (before, after): (usize, usize),
    ) {
        if before == after {
            return;
        }
        self.ranges.replace(before, after);
        self.walked += after.abs_diff(before);
        let Some(peer) = self.open_owners.peer_of(client) else {
            return;
        };
        self.accounts.all.change(peer, before, after);
        if before > FEW {
            self.accounts.change_ranges(peer, file, before, after);
        }
        // All ranges are counted by peer once there are more than a few, and none once there are not.
        match (before > FEW, after > FEW) {
            (false, true) => self.count_ranges(file, (0, 1)),
            (true, false) => self.count_ranges(file, (1, 0)),
            (false, false) | (true, true) => {}
        }
    }

    /// Changes what each range of a file counts from `before` to `after`.
    fn count_ranges(&mut self, file: FileKey, (before, after): (usize, usize)) {
        let Some(file_of_them) = self.files.get(file) else {
            return;
        };
        for (owner, _) in file_of_them.locked.owners() {
            let client = self.lock_owners.get(owner).map(Owner::client);
            let peer = client.and_then(|client| self.open_owners.peer_of(client));
            if let Some(peer) = peer {
                self.accounts.change_ranges(peer, file, before, after);
            }
        }
    }
}

impl States {
    /// Reserves room for one more open of a client.
    pub(crate) fn reserve_open(&mut self, client: ClientKey) {
        self.opening += 1;
        self.charge(client, 1);
    }

    /// Releases the room reserved for this many opens of a client.
    pub(crate) fn release_reserved(&mut self, client: ClientKey, opens: usize) {
        self.opening.lower(opens);
        self.refund(client, opens);
    }
}
