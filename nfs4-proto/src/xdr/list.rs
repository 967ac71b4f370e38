//! Variable-length arrays that never allocate.

use core::fmt;

use super::{Decode, DecodeMax, Encode, Reader, Writer, XdrError};

/// A variable-length array: either items of the caller's, or wire bytes that were checked once and
/// are decoded again by each walk [RFC 4506 §4.13].
#[derive(Clone, Copy)]
pub struct List<'a, T> {
    repr: Repr<'a, T>,
}

impl<'a, T> List<'a, T> {
    /// A list of `items`, to be encoded.
    #[inline]
    pub const fn new(items: &'a [T]) -> Self {
        Self {
            repr: Repr::Items(items),
        }
    }

    /// A list without elements.
    #[inline]
    pub const fn empty() -> Self {
        Self::new(&[])
    }

    /// The number of elements.
    #[inline]
    pub const fn len(&self) -> usize {
        match self.repr {
            Repr::Items(items) => items.len(),
            Repr::Wire { count, .. } => count as usize,
        }
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Decode<'a> + Copy> List<'a, T> {
    /// Walks over the elements.
    #[inline]
    pub fn iter(&self) -> ListIter<'a, T> {
        match self.repr {
            Repr::Items(items) => ListIter {
                inner: Inner::Items(items.iter()),
            },
            Repr::Wire { count, body } => ListIter {
                inner: Inner::Wire {
                    left: count,
                    reader: Reader::new(body),
                },
            },
        }
    }

    /// The first element.
    pub fn first(&self) -> Option<T> {
        self.iter().next()
    }
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(items: &'a [T]) -> Self {
        Self::new(items)
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<'a, T: Decode<'a> + Copy> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Decode<'a> + Copy> IntoIterator for &List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Decode<'a> + Copy + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Decode<'a> + Copy + Eq> Eq for List<'a, T> {}

impl<'a, T: Decode<'a> + Copy + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Encode> Encode for List<'_, T> {
    fn encode(&self, w: &mut Writer) {
        match self.repr {
            Repr::Items(items) => {
                w.u32(items.len() as u32);
                for item in items {
                    item.encode(w);
                }
            }
            Repr::Wire { count, body } => {
                w.u32(count);
                w.raw(body);
            }
        }
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for List<'a, T> {
    const MIN: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        Self::decode_max(r, usize::MAX)
    }
}

impl<'a, T: Decode<'a>> DecodeMax<'a> for List<'a, T> {
    fn decode_max(r: &mut Reader<'a>, max: usize) -> Result<Self, XdrError> {
        let count = r.u32()?;
        if count as usize > max {
            return Err(XdrError::TooLong);
        }
        // An element of no bytes would let a count alone decide how long the walk is.
        let least = const { if T::MIN == 0 { 1 } else { T::MIN } };
        if count as usize > r.remaining() / least {
            return Err(XdrError::Short);
        }
        let start = r.position();
        for _ in 0..count {
            T::decode(r)?;
        }
        Ok(Self {
            repr: Repr::Wire {
                count,
                body: r.since(start),
            },
        })
    }
}

/// The walk over a [`List`].
#[derive(Clone)]
pub struct ListIter<'a, T> {
    inner: Inner<'a, T>,
}

impl<'a, T: Decode<'a> + Copy> Iterator for ListIter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match &mut self.inner {
            Inner::Items(items) => items.next().copied(),
            Inner::Wire { left, reader } => {
                *left = left.checked_sub(1)?;
                // It was decoded once when the list was.
                T::decode(reader).ok()
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let n = match &self.inner {
            Inner::Items(items) => items.len(),
            Inner::Wire { left, .. } => *left as usize,
        };
        (n, Some(n))
    }
}

impl<'a, T: Decode<'a> + Copy> ExactSizeIterator for ListIter<'a, T> {}

impl<T> fmt::Debug for ListIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ListIter")
    }
}

#[derive(Clone, Copy)]
enum Repr<'a, T> {
    Items(&'a [T]),
    Wire { count: u32, body: &'a [u8] },
}

#[derive(Clone)]
enum Inner<'a, T> {
    Items(core::slice::Iter<'a, T>),
    Wire { left: u32, reader: Reader<'a> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_equal() {
        let items = [&b"a"[..], b"bcdef", b""];
        let ours = List::new(&items);
        let mut w = Writer::new();
        ours.encode(&mut w);
        let mut r = Reader::new(w.as_slice());
        let theirs = List::<'_, &[u8]>::decode(&mut r).unwrap();
        assert!(r.is_empty());
        assert_eq!(ours, theirs);
        assert_eq!(theirs.len(), 3);
        assert!(theirs.iter().eq(items));
        let mut again = Writer::new();
        theirs.encode(&mut again);
        assert_eq!(w, again);
    }

    #[test]
    fn counts_are_checked_first() {
        let lie = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        assert_eq!(
            List::<'_, u32>::decode(&mut Reader::new(&lie)),
            Err(XdrError::Short)
        );
        assert_eq!(
            List::<'_, ()>::decode(&mut Reader::new(&lie)),
            Err(XdrError::Short)
        );
        assert_eq!(
            List::<'_, u32>::decode_max(&mut Reader::new(&lie), 3),
            Err(XdrError::TooLong)
        );
    }
}
