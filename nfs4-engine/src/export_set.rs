//! A set of exports.

use alloc::vec::Vec;

/// A set of exports by number, as bits: 128 bytes at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExportSet(Vec<u64>);

impl ExportSet {
    /// Adds an export; `false` if it was there.
    pub(crate) fn insert(&mut self, export: u16) -> bool {
        let (word, bit) = (usize::from(export) / 64, 1 << (export % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0.get_mut(word).is_some_and(|word| {
            let added = *word & bit == 0;
            *word |= bit;
            added
        })
    }

    /// Whether an export was added.
    pub(crate) fn contains(&self, export: u16) -> bool {
        let word = self.0.get(usize::from(export) / 64);
        word.is_some_and(|word| word >> (export % 64) & 1 == 1)
    }

    /// The exports, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..).zip(&self.0).flat_map(|(at, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| at * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_added_once() {
        let mut set = ExportSet::default();
        for export in [3, 1_023, 64, 3, 0, 64] {
            set.insert(export);
        }
        assert!(!set.insert(1_023) && set.insert(63));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 3, 63, 64, 1_023]);
    }
}
