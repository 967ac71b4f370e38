//! Open owners and lock owners. [RFC 8881 §9.1.1, RFC 7530 §9.1.5]

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::hash::{Hash, Hasher};

use hashbrown::Equivalent;

use super::turns::Turns;
use crate::client::Client;
use crate::map::{DetMap, Keyed};
use crate::places::Places;
use crate::slab::{Key, Slab};
use crate::time::Mono;

/// A client's name for whoever opens or locks, with the opens or the sets of locks that are his.
///
/// He lives as long as he has some; in minor version 0 longer, for his seqid and his last reply.
pub(crate) struct Owner<T> {
    name: OwnerName,
    held: Places<T>,
    turns: Option<Box<Turns>>,
    /// When his last turn began.
    used: Mono,
}

/// Owners of one kind, by name.
pub(crate) struct Owners<T> {
    slab: Slab<Owner<T>>,
    by_name: DetMap<OwnerName, Key<Owner<T>>>,
    /// Those that nothing binds to the server but their turns, by client.
    loose: BTreeSet<(Key<Client>, Mono, Key<Owner<T>>)>,
    /// Those of them of whom no turn runs, by age.
    resting: BTreeSet<(Mono, Key<Owner<T>>)>,
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

impl<T> Owner<T> {
    pub(crate) fn client(&self) -> Key<Client> {
        self.name.client
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name.name
    }

    /// The opens or sets of locks that are his.
    pub(crate) fn held(&self) -> &Places<T> {
        &self.held
    }

    /// His seqid and last reply, if he is of minor version 0.
    pub(crate) fn turns(&self) -> Option<&Turns> {
        self.turns.as_deref()
    }

    /// Whether he may be forgotten once he has been silent for long.
    pub(crate) fn is_loose(&self) -> bool {
        let turns = self.turns();
        turns.is_some_and(|turns| self.held.is_empty() || !turns.is_confirmed())
    }
}

impl<T> Owners<T> {
    pub(crate) const fn new(keyed: Keyed) -> Owners<T> {
        Owners {
            slab: Slab::new(),
            by_name: DetMap::new(keyed),
            loose: BTreeSet::new(),
            resting: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn find(&self, client: Key<Client>, name: &[u8]) -> Option<Key<Owner<T>>> {
        self.by_name.get(&OwnerRef { client, name }).copied()
    }

    pub(crate) fn get(&self, key: Key<Owner<T>>) -> Option<&Owner<T>> {
        self.slab.get(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (Key<Owner<T>>, &Owner<T>)> + '_ {
        self.slab.entries()
    }

    /// How many names are known, owners loose, and owners resting.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.by_name.len(), self.loose.len(), self.resting.len())
    }

    /// What an owner is called.
    pub(crate) fn name(&self, key: Key<Owner<T>>) -> Option<&[u8]> {
        self.slab.get(key).map(|owner| &*owner.name.name)
    }

    /// The owner of this name; whoever asks has something for him to [`Owners::hold`].
    pub(crate) fn named(&mut self, client: Key<Client>, name: &[u8]) -> Key<Owner<T>> {
        self.find(client, name).unwrap_or_else(|| {
            let name = OwnerName {
                client,
                name: name.into(),
            };
            let key = self.slab.insert(Owner {
                name: name.clone(),
                held: Places::new(),
                turns: None,
                used: Mono::ZERO,
            });
            self.by_name.insert(name, key);
            key
        })
    }

    /// Where in an owner's list the next thing will stand.
    pub(crate) fn next_place(&self, key: Key<Owner<T>>) -> u32 {
        let owner = self.slab.get(key);
        owner.map_or(0, |owner| owner.held.next_place())
    }

    /// Gives an owner an open or a set of locks.
    pub(crate) fn hold(&mut self, key: Key<Owner<T>>, what: Key<T>) {
        self.unlist(key);
        if let Some(owner) = self.slab.get_mut(key) {
            owner.held.push(what);
        }
        self.list(key);
    }

    /// Takes what stands at a place of an owner's list away; what stands there now is returned.
    pub(crate) fn release(&mut self, key: Key<Owner<T>>, place: u32) -> Option<Key<T>> {
        self.unlist(key);
        let owner = self.slab.get_mut(key)?;
        let moved = owner.held.remove(place);
        if owner.held.is_empty() && owner.turns.is_none() {
            self.remove(key);
        } else {
            self.list(key);
        }
        moved
    }

    /// Changes an owner's turns, which are made if he has none; `now` if a turn begins.
    pub(crate) fn take_turn<R>(
        &mut self,
        key: Key<Owner<T>>,
        now: Option<Mono>,
        change: impl FnOnce(&mut Turns) -> R,
    ) -> Option<R> {
        self.unlist(key);
        let owner = self.slab.get_mut(key)?;
        owner.used = now.unwrap_or(owner.used);
        let result = change(owner.turns.get_or_insert_default());
        self.list(key);
        Some(result)
    }

    /// Removes an owner who holds nothing.
    pub(crate) fn remove(&mut self, key: Key<Owner<T>>) {
        self.unlist(key);
        if let Some(owner) = self.slab.remove(key) {
            debug_assert!(owner.held.is_empty(), "an owner goes after what he holds");
            self.by_name.remove(&owner.name);
        }
    }

    /// One of a client's owners that nothing else keeps.
    pub(crate) fn loose_of(&self, client: Key<Client>) -> Option<Key<Owner<T>>> {
        let first = (client, Mono::ZERO, Key::new(0, 0));
        let mut rest = self.loose.range(first..);
        let (whose, _, key) = rest.next()?;
        (*whose == client).then_some(*key)
    }

    /// One of a client's owners of whom nothing was heard since then.
    pub(crate) fn silent_since(&self, client: Key<Client>, since: Mono) -> Option<Key<Owner<T>>> {
        let all = (client, Mono::ZERO, Key::new(0, 0))..(client, since, Key::new(0, 0));
        let mut silent = self.loose.range(all).map(|(_, used, key)| (*used, *key));
        silent
            .find(|resting| self.resting.contains(resting))
            .map(|(_, key)| key)
    }

    /// The one that has been silent longest, if more rest than so many.
    pub(crate) fn crowded_out(&self, most: usize) -> Option<Key<Owner<T>>> {
        let oldest = self.resting.first().filter(|_| self.resting.len() > most);
        oldest.map(|(_, key)| *key)
    }

    fn list(&mut self, key: Key<Owner<T>>) {
        if let Some(owner) = self.slab.get(key)
            && owner.is_loose()
        {
            self.loose.insert((owner.client(), owner.used, key));
            if !owner.turns().is_some_and(Turns::is_running) {
                self.resting.insert((owner.used, key));
            }
        }
    }

    fn unlist(&mut self, key: Key<Owner<T>>) {
        if let Some(owner) = self.slab.get(key)
            && owner.is_loose()
        {
            self.loose.remove(&(owner.client(), owner.used, key));
            self.resting.remove(&(owner.used, key));
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
