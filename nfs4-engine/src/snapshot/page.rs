//! Pages of a table.

use alloc::vec::Vec;

use crate::slab::{Entry, Key, Place};

/// Where a page ends and the next begins; the default is the start of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cursor(pub(super) u32);

/// Some entries of a table.
///
/// What is there from the first page to the last is in exactly one of them; what comes or goes
/// meanwhile is in one or in none. A page can be short, or empty, and yet not the last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where to continue; none if this was the last.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub next: Option<Cursor>,
}

impl Cursor {
    /// The place with this number, as [`Cursor::number`] returned it.
    pub const fn at(number: u32) -> Cursor {
        Cursor(number)
    }

    /// Its number, for a program that keeps it as text.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// A page of at most `max` entries, and at least one, within a cost.
pub(super) fn page<'a, T: Entry + 'a, V>(
    places: impl Iterator<Item = Place<'a, T>>,
    max: usize,
    cost: impl Fn(&T) -> usize,
    view: impl Fn(Key<T::Kind>, &T) -> V,
) -> Page<V> {
    let mut items = Vec::new();
    let mut spent = 0;
    for (key, value) in places {
        if spent >= PAGE || items.len() >= max.max(1) {
            let next = Some(Cursor(key.index));
            return Page { items, next };
        }
        match value {
            Some(value) => {
                spent += ENTRY * cost(value);
                items.push(view(key, value));
            }
            None => spent += 1,
        }
    }
    Page { items, next: None }
}

// The cost of a page is measured in checks of empty places: 200 µs must not be exceeded, with
// every place in another cache line.
const PAGE: usize = 4_096;
/// A view, or a connection within one: some strings are copied.
const ENTRY: usize = 16;
