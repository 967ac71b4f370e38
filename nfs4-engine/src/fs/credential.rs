//! The user of a request.

/// The flavour of the RPC credential of a request. [RFC 5531 §8.2]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Flavor {
    /// AUTH_NONE: the user is the [anonymous user](crate::Export::anonymous) of the export.
    None,
    /// AUTH_SYS.
    Sys,
}

/// The user on whose behalf a request is made, after any squashing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credential {
    flavor: Flavor,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    group_count: u8,
    // Zero beyond `group_count`, so that the derived comparisons hold.
    groups: [u32; Credential::MAX_GROUPS],
}

impl Credential {
    /// Maximum number of supplementary groups in AUTH_SYS. [RFC 5531 §14]
    pub const MAX_GROUPS: usize = 16;
    /// The user id and group id of requests without a credential.
    pub const NOBODY: u32 = 65_534;

    /// The credential of a request with AUTH_NONE.
    pub const fn none() -> Credential {
        Credential::none_as(Credential::NOBODY, Credential::NOBODY)
    }

    /// The credential of a request with AUTH_NONE, where that stands for this user.
    pub(crate) const fn none_as(uid: u32, gid: u32) -> Credential {
        Credential {
            flavor: Flavor::None,
            uid,
            gid,
            group_count: 0,
            groups: [0; Credential::MAX_GROUPS],
        }
    }

    /// The credential of a request with AUTH_SYS; groups beyond the sixteenth are ignored. The id
    /// 2^32 - 1, which system calls take for "unchanged", becomes [`Credential::NOBODY`].
    pub fn sys(uid: u32, gid: u32, groups: &[u32]) -> Credential {
        let named = |id| {
            if id == u32::MAX {
                Credential::NOBODY
            } else {
                id
            }
        };
        let mut own = [0; Credential::MAX_GROUPS];
        let mut group_count = 0;
        for (place, group) in own.iter_mut().zip(groups) {
            *place = named(*group);
            group_count += 1;
        }
        Credential {
            flavor: Flavor::Sys,
            uid: named(uid),
            gid: named(gid),
            group_count,
            groups: own,
        }
    }

    /// The flavour of the RPC credential.
    pub const fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Supplementary group ids.
    pub fn groups(&self) -> &[u32] {
        &self.groups[..usize::from(self.group_count)]
    }

    /// Whether the user has `gid` as primary or supplementary group.
    pub fn is_in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups().contains(&gid)
    }

    /// Whether the user is the superuser.
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The same user without the rights of the superuser: these ids take the place of user 0 and of
    /// group 0, primary or supplementary.
    pub(crate) fn without_root(&self, (user, group): (u32, u32)) -> Credential {
        let squashed = |id| if id == 0 { group } else { id };
        let mut groups = self.groups;
        for group in &mut groups[..usize::from(self.group_count)] {
            *group = squashed(*group);
        }
        Credential {
            uid: if self.uid == 0 { user } else { self.uid },
            gid: squashed(self.gid),
            groups,
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_primary_or_supplementary_and_bounded() {
        let many: alloc::vec::Vec<u32> = (100..120).collect();
        let user = Credential::sys(7, 8, &many);
        assert_eq!(user.groups().len(), Credential::MAX_GROUPS);
        assert!(user.is_in_group(8) && user.is_in_group(115));
        assert!(!user.is_in_group(116) && !user.is_in_group(0));
        let unchanged = Credential::sys(u32::MAX, u32::MAX, &[u32::MAX]);
        let nobody = Credential::NOBODY;
        assert_eq!(unchanged, Credential::sys(nobody, nobody, &[nobody]));
    }
}
