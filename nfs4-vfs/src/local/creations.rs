//! Exclusive creations under way: their files have names already, and no verifier yet.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::sync::lock;

use super::node::ObjectId;

/// The names that exclusive creations are making: a directory, and a name in it.
#[derive(Default)]
pub(super) struct Creations {
    under_way: Mutex<HashSet<(ObjectId, Vec<u8>)>>,
}

/// One creation, which is under way until this is dropped.
pub(super) struct UnderWay<'a> {
    creations: &'a Creations,
    name: (ObjectId, Vec<u8>),
}

impl Creations {
    /// Begins the creation of a name; none if another one of that name is under way.
    pub(super) fn begin(&self, dir: ObjectId, name: &[u8]) -> Option<UnderWay<'_>> {
        let name = (dir, name.to_vec());
        let is_first = lock(&self.under_way).insert(name.clone());
        // Lazily: one that is refused ends nothing when it is dropped.
        is_first.then(|| UnderWay {
            creations: self,
            name,
        })
    }

    /// Whether the creation of a name is under way.
    pub(super) fn is_under_way(&self, dir: ObjectId, name: &[u8]) -> bool {
        let under_way = lock(&self.under_way);
        // Mostly there is none, and then nothing is copied.
        !under_way.is_empty() && under_way.contains(&(dir, name.to_vec()))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(&self.creations.under_way).remove(&self.name);
    }
}
