//! A list that mostly has one element.

use alloc::vec::Vec;
use core::slice;

/// A list whose first element is stored inline: it allocates with the second element only, where a
/// `Vec` would allocate four.
#[derive(Debug)]
pub(crate) struct SmallList<T> {
    /// Present whenever there are others.
    first: Option<T>,
    others: Vec<T>,
}

impl<T> SmallList<T> {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(crate) fn iter(&self) -> core::iter::Chain<core::option::Iter<'_, T>, slice::Iter<'_, T>> {
        self.first.iter().chain(&self.others)
    }

    pub(crate) fn iter_mut(
        &mut self,
    ) -> core::iter::Chain<core::option::IterMut<'_, T>, slice::IterMut<'_, T>> {
        self.first.iter_mut().chain(&mut self.others)
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.first.is_none() {
            self.first = Some(value);
        } else {
            self.others.push(value);
        }
    }

    /// Removes an element; those after it move up.
    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        if let Some(index) = index.checked_sub(1) {
            return (index < self.others.len()).then(|| self.others.remove(index));
        }
        let next = (!self.others.is_empty()).then(|| self.others.remove(0));
        core::mem::replace(&mut self.first, next)
    }
}

// A derive would require the same of `T`.
impl<T> Default for SmallList<T> {
    fn default() -> SmallList<T> {
        SmallList {
            first: None,
            others: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_list_behaves_like_a_vec() {
        let (mut few, mut list) = (SmallList::default(), Vec::new());
        for value in 0..5 {
            few.push(value);
            list.push(value);
        }
        for index in [9, 4, 0, 1, 0, 0, 0] {
            let expected = (index < list.len()).then(|| list.remove(index));
            assert_eq!(few.remove(index), expected);
            assert_eq!(few.len(), list.len());
            assert!(few.iter().eq(&list) && few.iter_mut().eq(&list));
        }
        few.push(7);
        assert!(few.iter().eq(&[7]));
    }
}
