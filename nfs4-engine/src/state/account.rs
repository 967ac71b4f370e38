//! State, counted by peer.

use crate::count::Count;
use crate::keys::{FileKey, PartyKey};
use crate::map::{KeyMap, Keyed};
use crate::peer::{Peer, Shares};

/// How much state each peer has.
pub(crate) struct Accounts {
    /// Opens, and those about to be made, lock stateids, locked ranges, locks that are waited for,
    /// and delegations.
    pub(crate) all: Shares,
    /// Delegations, which are of these.
    pub(crate) delegations: Shares,
    /// Locked ranges of each party in each file that has more than [`FEW`].
    ranges: KeyMap<(PartyKey, FileKey), usize>,
}

impl Accounts {
    pub(super) fn new(keyed: Keyed) -> Accounts {
        Accounts {
            all: Shares::new(),
            delegations: Shares::new(),
            ranges: KeyMap::of_keys(keyed),
        }
    }

    /// Number of ranges that a party has locked in a file.
    pub(crate) fn ranges(&self, party: PartyKey, file: FileKey) -> usize {
        self.ranges.get(&(party, file)).copied().unwrap_or(0)
    }

    /// Number of pairs of a party and a file with counted ranges.
    pub(crate) fn files(&self) -> usize {
        self.ranges.len()
    }

    /// Of the ranges that a peer has locked in a file there were `before`, and are `after`.
    pub(super) fn change_ranges(&mut self, peer: Peer, file: FileKey, before: usize, after: usize) {
        for party in peer.parties() {
            let key = (party, file);
            if let Some(held) = self.ranges.get_mut(&key) {
                held.replace(before, after);
                if *held == 0 {
                    self.ranges.remove(&key);
                }
            } else if after > before {
                self.ranges.insert(key, after - before);
            }
        }
    }
}

/// Maximum number of locked ranges of a file that are not counted by peer: no peer is refused more for
/// having these, and most files have no others. It is also the maximum that is counted at once.
pub(crate) const FEW: usize = 16;
