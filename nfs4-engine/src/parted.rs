//! Lists that peers can make long: they grow in parts, so that no step moves more than one part.

use alloc::vec::Vec;

/// A list. An index in the first part, which is all that most lists have, is looked up as in a
/// `Vec`.
#[derive(Debug)]
pub(crate) struct Parted<T> {
    first: Vec<T>,
    /// The elements beyond the first part: all parts are full but the last, and none is empty.
    rest: Vec<Vec<T>>,
}

impl<T> Parted<T> {
    pub(crate) const fn new() -> Parted<T> {
        Parted {
            first: Vec::new(),
            rest: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        let Some((last, full)) = self.rest.split_last() else {
            return self.first.len();
        };
        PART * (1 + full.len()) + last.len()
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.first.get(place).or_else(|| {
            let beyond = place.checked_sub(PART)?;
            self.rest.get(beyond / PART)?.get(beyond % PART)
        })
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let Parted { first, rest } = self;
        first.get_mut(place).or_else(|| {
            let beyond = place.checked_sub(PART)?;
            rest.get_mut(beyond / PART)?.get_mut(beyond % PART)
        })
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.rest.last().unwrap_or(&self.first).last()
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.first.len() < PART {
            self.first.push(value);
            return;
        }
        match self.rest.last_mut() {
            Some(last) if last.len() < PART => last.push(value),
            _ => self.rest.push(alloc::vec![value]),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let Some(last) = self.rest.last_mut() else {
            return self.first.pop();
        };
        let value = last.pop();
        if last.is_empty() {
            self.rest.pop();
        }
        value
    }

    /// Removes the element at an index; the last element takes its place.
    pub(crate) fn swap_remove(&mut self, place: usize) -> Option<T> {
        if place >= self.len() {
            return None;
        }
        let last = self.pop()?;
        match self.get_mut(place) {
            Some(there) => Some(core::mem::replace(there, last)),
            None => Some(last),
        }
    }

    /// Extends the list up to an index: a few elements at a time, because indices are handed out in
    /// order.
    pub(crate) fn reach(&mut self, place: usize, mut fill: impl FnMut() -> T) {
        for _ in self.len()..=place {
            self.push(fill());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.first.iter().chain(self.rest.iter().flatten())
    }
}

/// Number of elements in a part.
const PART: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parted_list_behaves_like_a_vec() {
        let (mut parted, mut list) = (Parted::new(), Vec::new());
        let mut seed = 1_u64;
        // The list grows past two parts, shrinks to nothing, and so on.
        for step in 0..8 * PART {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = (seed >> 33) as usize % (list.len() + 1);
            let grows = (step / (3 * PART)).is_multiple_of(2);
            if grows {
                parted.push(step);
                list.push(step);
            } else {
                let expected = (place < list.len()).then(|| list.swap_remove(place));
                assert_eq!(parted.swap_remove(place), expected);
            }
            assert_eq!(parted.len(), list.len());
            assert_eq!(parted.last(), list.last());
            assert_eq!(parted.get(place), list.get(place));
            assert_eq!(parted.get_mut(place), list.get_mut(place));
        }
        assert!(parted.iter().eq(&list));
        while let Some(value) = list.pop() {
            assert_eq!(parted.pop(), Some(value));
        }
        assert_eq!((parted.pop(), parted.len()), (None, 0));
        parted.reach(2 * PART, || 7);
        parted.reach(3, || 8);
        assert_eq!(parted.len(), 2 * PART + 1);
        assert!(parted.iter().all(|value| *value == 7));
    }

    #[test]
    fn elements_are_not_moved_when_the_list_grows_beyond_a_part() {
        let mut parted = Parted::new();
        parted.reach(PART - 1, || 7_u64);
        let first = parted.first.as_ptr();
        parted.reach(2 * PART, || 7);
        let second = parted.rest.first().map(Vec::as_ptr);
        parted.reach(64 * PART, || 7);
        assert_eq!(parted.first.as_ptr(), first);
        assert_eq!(parted.rest.first().map(Vec::as_ptr), second);
    }
}
