//! Principals: the identity that a request is made under. [RFC 8881 §2.3]

use crate::fs::{Credential, Flavor};

/// The identity of a client in RPC; two requests with equal principals come from the same
/// principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Principal {
    flavor: Flavor,
    uid: u32,
}

impl Principal {
    pub(crate) const fn flavor(self) -> Flavor {
        self.flavor
    }

    pub(crate) const fn uid(self) -> u32 {
        self.uid
    }

    pub(crate) fn of(cred: &Credential) -> Principal {
        Principal {
            flavor: cred.flavor(),
            uid: cred.uid,
        }
    }
}
