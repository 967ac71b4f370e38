//! Open owners and lock owners. [RFC 8881 §9.1.1]

use alloc::boxed::Box;
use core::hash::{Hash, Hasher};

use hashbrown::Equivalent;

use crate::client::Client;
use crate::map::{DetMap, Keyed};
use crate::slab::{Key, Slab};

/// A client's name for whoever opens or locks; it lives as long as it has state.
pub(crate) struct Owner {
    name: OwnerName,
    holds: u32,
}

/// Owners of one kind, by name.
pub(crate) struct Owners {
    slab: Slab<Owner>,
    by_name: DetMap<OwnerName, Key<Owner>>,
}

#[derive(Clone, PartialEq, Eq)]
struct OwnerName {
    client: Key<Client>,
    name: Box<[u8]>,
}

/// An [`OwnerName`] that is still in the request.
#[derive(PartialEq, Eq, Hash)]
struct OwnerRef<'a> {
    client: Key<Client>,
    name: &'a [u8],
}

impl Owner {
    pub(crate) fn client(&self) -> Key<Client> {
        self.name.client
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name.name
    }

    /// How many opens or sets of locks are his.
    pub(crate) fn holds(&self) -> u32 {
        self.holds
    }
}

impl Owners {
    pub(crate) const fn new(keyed: Keyed) -> Owners {
        Owners {
            slab: Slab::new(),
            by_name: DetMap::new(keyed),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn find(&self, client: Key<Client>, name: &[u8]) -> Option<Key<Owner>> {
        self.by_name.get(&OwnerRef { client, name }).copied()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (Key<Owner>, &Owner)> + '_ {
        self.slab.entries()
    }

    /// How many names are known.
    pub(crate) fn names(&self) -> usize {
        self.by_name.len()
    }

    /// The owner of this name, for one more open or set of locks.
    pub(crate) fn hold(&mut self, client: Key<Client>, name: &[u8]) -> Key<Owner> {
        let key = self.find(client, name).unwrap_or_else(|| {
            let name = OwnerName {
                client,
                name: name.into(),
            };
            let key = self.slab.insert(Owner {
                name: name.clone(),
                holds: 0,
            });
            self.by_name.insert(name, key);
            key
        });
        if let Some(owner) = self.slab.get_mut(key) {
            owner.holds += 1;
        }
        key
    }

    /// What an owner is called.
    pub(crate) fn name(&self, key: Key<Owner>) -> Option<&[u8]> {
        self.slab.get(key).map(|owner| &*owner.name.name)
    }

    /// Ends one [`Owners::hold`].
    pub(crate) fn release(&mut self, key: Key<Owner>) {
        let Some(owner) = self.slab.get_mut(key) else {
            return;
        };
        owner.holds -= 1;
        if owner.holds == 0
            && let Some(owner) = self.slab.remove(key)
        {
            self.by_name.remove(&owner.name);
        }
    }
}

impl Hash for OwnerName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        OwnerRef {
            client: self.client,
            name: &self.name,
        }
        .hash(state);
    }
}

impl Equivalent<OwnerName> for OwnerRef<'_> {
    fn equivalent(&self, key: &OwnerName) -> bool {
        self.client == key.client && *self.name == *key.name
    }
}
