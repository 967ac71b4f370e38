//! A set of exports.

use alloc::vec::Vec;

/// A set of exports, as their numbers in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExportSet(Vec<u16>);

impl ExportSet {
    /// Adds an export; `false` if it was there.
    pub(crate) fn insert(&mut self, export: u16) -> bool {
        match self.0.binary_search(&export) {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, export);
                true
            }
        }
    }

    /// Whether an export was added.
    pub(crate) fn contains(&self, export: u16) -> bool {
        self.0.binary_search(&export).is_ok()
    }

    /// The exports, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_added_once() {
        let mut set = ExportSet::default();
        for export in [3, 65_534, 64, 3, 0, 64] {
            set.insert(export);
        }
        assert!(!set.insert(65_534) && set.insert(63));
        assert!(set.contains(63) && !set.contains(62));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 3, 63, 64, 65_534]);
    }
}
