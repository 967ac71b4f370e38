//! State as it is counted to the peers of clients.

use super::file::File;
use super::owner::Owner;
use super::table::States;
use crate::client::Client;
use crate::map::{KeyMap, Keyed};
use crate::peer::{Held, Party, Peer, Shares};
use crate::slab::Key;

/// How much state each peer has.
pub(crate) struct Accounts {
    /// Opens, and those about to be made, lock stateids, locked ranges, locks that are waited for,
    /// and delegations.
    pub(crate) all: Shares,
    /// Delegations, which are of these.
    pub(crate) delegations: Shares,
    /// Locked ranges of each party in each file that has more than [`FEW`].
    ranges: KeyMap<(Key<Party>, Key<File>), usize>,
}

impl Accounts {
    pub(super) fn new(keyed: Keyed) -> Accounts {
        Accounts {
            all: Shares::new(),
            delegations: Shares::new(),
            ranges: KeyMap::of_keys(keyed),
        }
    }

    /// How many ranges a party has locked in a file.
    pub(crate) fn ranges(&self, party: Key<Party>, file: Key<File>) -> usize {
        self.ranges.get(&(party, file)).copied().unwrap_or(0)
    }

    /// In how many files parties have locked ranges.
    pub(crate) fn files(&self) -> usize {
        self.ranges.len()
    }

    fn change_ranges(&mut self, peer: Peer, file: Key<File>, before: usize, after: usize) {
        for party in peer.parties() {
            let key = (party, file);
            if let Some(held) = self.ranges.get_mut(&key) {
                *held = *held + after - before;
                if *held == 0 {
                    self.ranges.remove(&key);
                }
            } else if after > before {
                self.ranges.insert(key, after - before);
            }
        }
    }
}

impl States {
    /// To whom what a client has is counted from now on; it has nothing yet.
    pub(crate) fn enroll(&mut self, client: Key<Client>, peer: Peer) {
        self.open_owners.enroll(client, peer);
        self.lock_owners.enroll(client, peer);
    }

    /// How much state is held, as a client sees it.
    pub(crate) fn held(&self, client: Key<Client>) -> Held {
        let peer = self.open_owners.peer_of(client);
        peer.map_or_else(Held::default, |peer| self.accounts.all.held(peer))
    }

    /// How many delegations there are, as a client sees it.
    pub(crate) fn delegated(&self, client: Key<Client>) -> Held {
        let peer = self.open_owners.peer_of(client);
        peer.map_or_else(Held::default, |peer| self.accounts.delegations.held(peer))
    }

    /// How many ranges are locked in a file, as a client sees it: a few as if all were its own.
    pub(crate) fn locked(&self, file: Key<File>, client: Key<Client>) -> Held {
        let all = self.files.get(file).map_or(0, |file| file.locked.len());
        let of = |party: Key<Party>| match all {
            0..=FEW => all,
            _ => self.accounts.ranges(party, file),
        };
        let peer = self.open_owners.peer_of(client);
        peer.map_or_else(Held::default, |peer| Held {
            own: peer.user.map_or(0, of),
            host: of(peer.host),
            all,
        })
    }

    /// A client has a delegation.
    pub(super) fn charge_delegation(&mut self, client: Key<Client>) {
        self.charge(client, 1);
        if let Some(peer) = self.open_owners.peer_of(client) {
            self.accounts.delegations.add(peer, 1);
        }
    }

    /// A client has one delegation less.
    pub(super) fn refund_delegation(&mut self, client: Key<Client>) {
        self.refund(client, 1);
        if let Some(peer) = self.open_owners.peer_of(client) {
            self.accounts.delegations.take(peer, 1);
        }
    }

    /// A client has more state.
    pub(super) fn charge(&mut self, client: Key<Client>, more: usize) {
        if let Some(peer) = self.open_owners.peer_of(client) {
            self.accounts.all.add(peer, more);
        }
    }

    /// A client has less state.
    pub(super) fn refund(&mut self, client: Key<Client>, less: usize) {
        if let Some(peer) = self.open_owners.peer_of(client) {
            self.accounts.all.take(peer, less);
        }
    }

    /// The ranges that are locked in a file were `before`, and are `after`; what was added or taken
    /// is a client's.
    pub(super) fn change_ranges(
        &mut self,
        client: Key<Client>,
        file: Key<File>,
        (before, after): (usize, usize),
    ) {
        if before == after {
            return;
        }
        self.ranges = self.ranges + after - before;
        self.walked += after.abs_diff(before);
        let Some(peer) = self.open_owners.peer_of(client) else {
            return;
        };
        self.accounts.all.change(peer, before, after);
        if before > FEW {
            self.accounts.change_ranges(peer, file, before, after);
        }
        // With the one that makes them more than a few all are counted, and with the last of those
        // none is any more.
        match (before > FEW, after > FEW) {
            (false, true) => self.count_ranges(file, (0, 1)),
            (true, false) => self.count_ranges(file, (1, 0)),
            (false, false) | (true, true) => {}
        }
    }

    /// Each range of a file was counted so often, and is so often now.
    fn count_ranges(&mut self, file: Key<File>, (before, after): (usize, usize)) {
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

/// Of a file with so few locked ranges it is not counted whose they are: nobody is refused more for
/// having these, and mostly there are no others. It is also the most that is counted at once.
pub(crate) const FEW: usize = 16;
