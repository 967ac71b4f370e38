//! The users whose requests are made on behalf of the anonymous user of an export.

use crate::fs::Credential;

/// The users whose requests are made on behalf of the [anonymous user](crate::Export::anonymous) of an
/// export; each variant includes the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Squash {
    /// No user is squashed.
    #[default]
    None,
    /// User 0 becomes the anonymous user, and group 0, as primary or supplementary group, the anonymous
    /// group. Other groups stay.
    Root,
    /// Every user becomes the anonymous user and loses all groups.
    All,
}

impl Squash {
    /// Whether the user itself is squashed.
    pub(crate) fn takes(self, cred: &Credential) -> bool {
        match self {
            Squash::None => false,
            Squash::Root => cred.is_root(),
            Squash::All => true,
        }
    }
}
