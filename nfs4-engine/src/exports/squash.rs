//! Squashing: the users whose requests are made on behalf of [`Credential::NOBODY`].

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::fs::{Credential, Flavor};

/// The users whose requests are made on behalf of [`Credential::NOBODY`]; each variant includes the
/// one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Squash {
    /// No user is squashed.
    #[default]
    None,
    /// User 0 and group 0, as primary or supplementary group, become [`Credential::NOBODY`]. Other
    /// groups stay.
    Root,
    /// Every user becomes [`Credential::NOBODY`] and loses all groups.
    All,
}

impl Squash {
    /// Whether the user itself is squashed.
    pub(super) fn takes(self, cred: &Credential) -> bool {
        match self {
            Squash::None => false,
            Squash::Root => cred.is_root(),
            Squash::All => true,
        }
    }
}

/// The squashed credentials, so that they are not made again for each request.
pub(super) struct Squashed {
    nobody: Arc<Credential>,
    /// The credentials that were squashed last and the results, the latest first.
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

    /// The credential that the request of a user is made with.
    pub(super) fn user(&mut self, squash: Squash, cred: &Arc<Credential>) -> Arc<Credential> {
        match squash {
            Squash::None => Arc::clone(cred),
            Squash::Root if cred.is_root() || cred.is_in_group(0) => self.without_root(cred),
            Squash::Root => Arc::clone(cred),
            // A request without a credential is on behalf of `NOBODY` already.
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

/// Maximum number of credentials kept: users with group 0 are few.
const KEPT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = Credential::NOBODY;

    #[test]
    fn root_keeps_no_group_and_other_users_keep_theirs() {
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
    fn a_squashed_user_is_made_once() {
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
