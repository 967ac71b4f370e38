//! Squashing: credentials as the file system of an export gets them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::fs::{Credential, Flavor};
use crate::squash::Squash;

/// The user that squashed requests of an export are made for.
pub(super) struct Anonymous {
    ids: (u32, u32),
    squashed: Arc<Credential>,
    /// The user of requests without a credential.
    none: Arc<Credential>,
}

impl Anonymous {
    pub(super) fn new((uid, gid): (u32, u32)) -> Anonymous {
        Anonymous {
            ids: (uid, gid),
            squashed: Arc::new(Credential::sys(uid, gid, &[])),
            none: Arc::new(Credential::none_as(uid, gid)),
        }
    }
}

/// The squashed credentials, so that they are not made again for each request.
pub(super) struct Squashed {
    /// The credentials that lost user 0 and group 0 last, what took their place, and the results; the
    /// latest first.
    known: Vec<WithoutRoot>,
}

/// A credential, the ids that took the place of user 0 and group 0, and the result.
type WithoutRoot = (Arc<Credential>, (u32, u32), Arc<Credential>);

impl Squashed {
    pub(super) const fn new() -> Squashed {
        Squashed { known: Vec::new() }
    }

    /// The credential that the request of a user is made with.
    pub(super) fn user(
        &mut self,
        squash: Squash,
        anonymous: &Anonymous,
        cred: &Arc<Credential>,
    ) -> Arc<Credential> {
        match squash {
            _ if cred.flavor() == Flavor::None => Arc::clone(&anonymous.none),
            Squash::None => Arc::clone(cred),
            Squash::Root if cred.is_root() || cred.is_in_group(0) => {
                self.without_root(anonymous, cred)
            }
            Squash::Root => Arc::clone(cred),
            Squash::All => Arc::clone(&anonymous.squashed),
        }
    }

    fn without_root(&mut self, anonymous: &Anonymous, cred: &Arc<Credential>) -> Arc<Credential> {
        let ids = anonymous.ids;
        let is = |(known, of, _): &(Arc<Credential>, (u32, u32), _)| *of == ids && known == cred;
        if let Some(at) = self.known.iter().position(is) {
            self.known[..=at].rotate_right(1);
        } else {
            let squashed = Arc::new(cred.without_root(ids));
            self.known.truncate(KEPT - 1);
            self.known.insert(0, (Arc::clone(cred), ids, squashed));
        }
        let latest = self.known.first();
        Arc::clone(latest.map_or(&anonymous.squashed, |(_, _, squashed)| squashed))
    }
}

/// Maximum number of credentials kept: users with group 0 are few.
const KEPT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_no_group_and_other_users_keep_theirs() {
        for anon in [Credential::NOBODY, 99] {
            let group = anon + 1;
            let table = [
                (
                    Credential::sys(0, 0, &[]),
                    Credential::sys(anon, group, &[]),
                ),
                (
                    Credential::sys(0, 5, &[0, 6]),
                    Credential::sys(anon, 5, &[group, 6]),
                ),
                (Credential::sys(7, 0, &[7]), Credential::sys(7, group, &[7])),
                (
                    Credential::sys(7, 7, &[6, 0]),
                    Credential::sys(7, 7, &[6, group]),
                ),
                (Credential::sys(7, 7, &[6]), Credential::sys(7, 7, &[6])),
                (Credential::none(), Credential::none_as(anon, group)),
            ];
            let (mut squashed, anonymous) = (Squashed::new(), Anonymous::new((anon, group)));
            for (cred, expected) in table {
                let cred = Arc::new(cred);
                assert_eq!(*squashed.user(Squash::Root, &anonymous, &cred), expected);
                let all = squashed.user(Squash::All, &anonymous, &cred);
                assert_eq!((all.uid, all.gid, all.groups()), (anon, group, &[][..]));
                assert_eq!(all.flavor(), cred.flavor());
                let kept = squashed.user(Squash::None, &anonymous, &cred);
                match cred.flavor() {
                    Flavor::None => assert_eq!(*kept, expected),
                    Flavor::Sys => assert_eq!(kept, cred),
                }
            }
        }
    }

    #[test]
    fn a_squashed_user_is_made_once_for_each_anonymous_user() {
        let mut squashed = Squashed::new();
        let anonymous = [Anonymous::new((1, 2)), Anonymous::new((1, 3))];
        let users: Vec<_> = (0..20)
            .map(|gid| Arc::new(Credential::sys(0, gid, &[])))
            .collect();
        for _ in 0..2 {
            for user in &users {
                for (anonymous, group) in anonymous.iter().zip([2, 3]) {
                    let first = squashed.user(Squash::Root, anonymous, user);
                    let equal = Arc::new(**user);
                    let second = squashed.user(Squash::Root, anonymous, &equal);
                    assert!(Arc::ptr_eq(&first, &second));
                    assert_eq!(*first, user.without_root((1, group)));
                }
            }
        }
        assert_eq!(squashed.known.len(), KEPT);
    }
}
