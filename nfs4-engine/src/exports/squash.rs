//! Squashing: requests that are made on behalf of the anonymous user.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::fs::{Credential, Flavor};

/// Which requests are squashed; each kind includes the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Squash {
    /// Every user's are made as they come.
    #[default]
    None,
    /// The superuser's, and those of the group 0, be it the primary or a supplementary one: user 0
    /// and group 0 become [`Credential::NOBODY`]. Other groups stay.
    Root,
    /// Every user's, without any group of theirs.
    All,
}

impl Squash {
    /// Whether the requests of this user are made as the anonymous user.
    pub(super) fn takes(self, cred: &Credential) -> bool {
        match self {
            Squash::None => false,
            Squash::Root => cred.is_root(),
            Squash::All => true,
        }
    }
}

/// What users become, without making it anew for each request.
pub(super) struct Squashed {
    nobody: Arc<Credential>,
    /// Users that were squashed lately and what they became, the latest first.
    known: Vec<(Arc<Credential>, Arc<Credential>)>,
}

impl Squashed {
    pub(super) fn new() -> Squashed {
        let nobody = Credential::sys(Credential::NOBODY, Credential::NOBODY, &[]);
        Squashed {
            nobody: Arc::new(nobody),
            known: Vec::new(),
        }
    }

    /// On whose behalf the request of a user is made.
    pub(super) fn user(&mut self, squash: Squash, cred: &Arc<Credential>) -> Arc<Credential> {
        match squash {
            Squash::None => Arc::clone(cred),
            Squash::Root if cred.is_root() || cred.is_in_group(0) => self.without_root(cred),
            Squash::Root => Arc::clone(cred),
            // It is anonymous already.
            Squash::All if cred.flavor() == Flavor::None => Arc::clone(cred),
            Squash::All => Arc::clone(&self.nobody),
        }
    }

    fn without_root(&mut self, cred: &Arc<Credential>) -> Arc<Credential> {
        if let Some(at) = self.known.iter().position(|(known, _)| known == cred) {
            self.known[..=at].rotate_right(1);
        } else {
            let squashed = Arc::new(cred.without_root());
            self.known.truncate(KEPT - 1);
            self.known.insert(0, (Arc::clone(cred), squashed));
        }
        let latest = self.known.first();
        Arc::clone(latest.map_or(&self.nobody, |(_, squashed)| squashed))
    }
}

/// How many users are remembered: those of the group 0 are few.
const KEPT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = Credential::NOBODY;

    #[test]
    fn root_has_no_group_left_and_others_keep_theirs() {
        let table = [
            (
                Credential::sys(0, 0, &[]),
                Credential::sys(NOBODY, NOBODY, &[]),
            ),
            (
                Credential::sys(0, 5, &[0, 6]),
                Credential::sys(NOBODY, 5, &[NOBODY, 6]),
            ),
            (
                Credential::sys(7, 0, &[7]),
                Credential::sys(7, NOBODY, &[7]),
            ),
            (
                Credential::sys(7, 7, &[6, 0]),
                Credential::sys(7, 7, &[6, NOBODY]),
            ),
            (Credential::sys(7, 7, &[6]), Credential::sys(7, 7, &[6])),
            (Credential::none(), Credential::none()),
        ];
        let mut squashed = Squashed::new();
        for (cred, expected) in table {
            let cred = Arc::new(cred);
            assert_eq!(*squashed.user(Squash::Root, &cred), expected);
            assert_eq!(squashed.user(Squash::None, &cred), cred);
            let all = squashed.user(Squash::All, &cred);
            assert_eq!((all.uid, all.gid, all.groups()), (NOBODY, NOBODY, &[][..]));
            assert_eq!(all.flavor(), cred.flavor());
        }
    }

    #[test]
    fn the_same_user_becomes_the_same_without_being_made_again() {
        let mut squashed = Squashed::new();
        let users: Vec<_> = (0..20)
            .map(|gid| Arc::new(Credential::sys(0, gid, &[])))
            .collect();
        for _ in 0..2 {
            for user in &users {
                let first = squashed.user(Squash::Root, user);
                let equal = Arc::new(**user);
                assert!(Arc::ptr_eq(&first, &squashed.user(Squash::Root, &equal)));
                assert_eq!(*first, user.without_root());
            }
        }
        assert_eq!(squashed.known.len(), KEPT);
    }
}
