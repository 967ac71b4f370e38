//! The model: shares by open, and the owner and open of each locked byte.

use std::collections::{BTreeMap, BTreeSet};

/// A file that a peer has open as one of its owners: the peer, and the owner.
pub(super) type Opener = (usize, usize);
/// A locker: the peer, and its lock-owner.
pub(super) type Locker = (usize, usize);

/// Bits of access and of deny.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) access: u32,
    pub(super) deny: u32,
}

/// A file, if it was made.
#[derive(Default)]
pub(super) struct File {
    /// Its mode, and whose it is.
    pub(super) made: Option<(u32, u32)>,
    pub(super) opens: BTreeMap<Opener, Open>,
    /// Shares of OPENs that cut it just now.
    pub(super) claims: Vec<Share>,
    bytes: [BTreeMap<Locker, Locked>; BYTES],
    /// Locks of processes that are no clients: each with whether it is exclusive.
    pub(super) local: Vec<((usize, usize), bool)>,
}

/// What is open: all that was asked for and not given up since.
#[derive(Default)]
pub(super) struct Open {
    access: BTreeSet<u32>,
    deny: BTreeSet<u32>,
}

/// How a byte is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) write: bool,
    /// The owner of the open that it was last locked under.
    pub(super) under: usize,
}

impl Share {
    fn conflicts(self, other: Share) -> bool {
        self.access & other.deny != 0 || self.deny & other.access != 0
    }

    pub(super) fn union(self, other: Share) -> Share {
        Share {
            access: self.access | other.access,
            deny: self.deny | other.deny,
        }
    }
}

impl Open {
    pub(super) fn share(&self) -> Share {
        let union = |asked: &BTreeSet<u32>| asked.iter().fold(0, |all, bits| all | bits);
        Share {
            access: union(&self.access),
            deny: union(&self.deny),
        }
    }

    pub(super) fn widen(&mut self, share: Share) {
        self.access.insert(share.access);
        self.deny.insert(share.deny);
    }

    /// Whether this can be left of it: a union of what was asked for.
    pub(super) fn leaves(&self, share: Share) -> bool {
        let mut left = Open {
            access: self.access.clone(),
            deny: self.deny.clone(),
        };
        left.narrow(share);
        let some = !left.access.is_empty() && !left.deny.is_empty();
        some && left.share() == share
    }

    pub(super) fn narrow(&mut self, share: Share) {
        self.access.retain(|bits| bits & !share.access == 0);
        self.deny.retain(|bits| bits & !share.deny == 0);
    }

    /// Whether an OPEN asked for just this.
    pub(super) fn has(&self, share: Share) -> bool {
        self.access.contains(&share.access) && self.deny.contains(&share.deny)
    }
}

impl File {
    /// Whether a share does not go together with all that is taken.
    pub(super) fn denies(&self, share: Share) -> bool {
        let opens = self.opens.values().map(Open::share);
        let mut taken = opens.chain(self.claims.iter().copied());
        taken.any(|taken| taken.conflicts(share))
    }

    /// Whether the user may read it, and write it.
    pub(super) fn rights(&self, uid: u32) -> (bool, bool) {
        let (mode, owner) = self.made.expect("it is there");
        let class = if uid == owner { mode >> 6 } else { mode };
        (class & 5 != 0, class & 2 != 0)
    }

    /// The owner that keeps a locker from these bytes, the first byte first.
    pub(super) fn in_the_way(
        &self,
        range: (usize, usize),
        write: bool,
        by: Locker,
    ) -> Option<Locker> {
        let bytes = &self.bytes[range.0..=range.1];
        bytes.iter().find_map(|byte| {
            let mut others = byte.iter().filter(|(locker, _)| **locker != by);
            let other = others.find(|(_, locked)| write || locked.write);
            other.map(|(locker, _)| *locker)
        })
    }

    /// The lock of a process that keeps clients from these bytes.
    pub(super) fn in_the_way_locally(
        &self,
        range: (usize, usize),
        write: bool,
    ) -> Option<((usize, usize), bool)> {
        let mut local = self.local.iter();
        let overlaps = |(first, last): (usize, usize)| first <= range.1 && range.0 <= last;
        let found = local.find(|(of, exclusive)| overlaps(*of) && (write || *exclusive));
        found.copied()
    }

    /// Whether clients have a lock on a byte, and whether an exclusive one.
    pub(super) fn strength(&self, byte: usize) -> Option<bool> {
        let locks = self.bytes[byte].values();
        locks.map(|locked| locked.write).max()
    }

    /// Locks bytes; whether any was locked under another open before.
    pub(super) fn lock(&mut self, range: (usize, usize), by: Locker, locked: Locked) -> bool {
        let mut taken_over = false;
        for byte in &mut self.bytes[range.0..=range.1] {
            let before = byte.insert(by, locked);
            taken_over |= before.is_some_and(|before| before.under != locked.under);
        }
        taken_over
    }

    pub(super) fn unlock(&mut self, range: (usize, usize), by: Locker) {
        for byte in &mut self.bytes[range.0..=range.1] {
            byte.remove(&by);
        }
    }

    /// An open goes, with all that is locked under it; whether one of the lockers has bytes that
    /// are locked under another.
    pub(super) fn close(&mut self, (peer, owner): Opener) -> bool {
        self.opens.remove(&(peer, owner));
        let mut lockers = BTreeSet::new();
        for byte in &mut self.bytes {
            byte.retain(|locker, locked| {
                let goes = locker.0 == peer && locked.under == owner;
                if goes {
                    lockers.insert(*locker);
                }
                !goes
            });
        }
        let left = self.bytes.iter().flat_map(|byte| byte.keys());
        left.into_iter().any(|locker| lockers.contains(locker))
    }

    /// All of a peer goes.
    pub(super) fn forget(&mut self, peer: usize) {
        self.opens.retain(|(of, _), _| *of != peer);
        for byte in &mut self.bytes {
            byte.retain(|(of, _), _| *of != peer);
        }
    }

    /// Whether a locker has bytes that are locked under this open, or under any.
    pub(super) fn holds(&self, by: Locker, under: Option<usize>) -> bool {
        let held = self.bytes.iter().filter_map(|byte| byte.get(&by));
        held.into_iter()
            .any(|locked| under.is_none_or(|under| locked.under == under))
    }

    /// How a byte is locked by a locker.
    pub(super) fn locked(&self, byte: usize, by: Locker) -> Option<Locked> {
        self.bytes[byte].get(&by).copied()
    }

    /// Which bytes are locked.
    pub(super) fn all_locked(&self) -> [bool; BYTES] {
        std::array::from_fn(|at| !self.bytes[at].is_empty())
    }

    /// Opens, and locked bytes of all lockers: at least as much as the server counts of ranges.
    pub(super) fn weight(&self) -> usize {
        let bytes: usize = self.bytes.iter().map(BTreeMap::len).sum();
        self.opens.len() + self.claims.len() + bytes
    }
}

/// So many bytes are told apart; the last stands for all that follow.
pub(super) const BYTES: usize = 6;
