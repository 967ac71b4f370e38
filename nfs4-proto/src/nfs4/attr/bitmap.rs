//! Sets of attributes.

use core::ops::{BitAnd, BitOr, BitOrAssign, Not};

use crate::xdr::{Decode, Encode, Reader, Writer, XdrError};

/// A set of attribute numbers 0 to 95 [RFC 8881 §3.2].
///
/// Longer bitmaps are accepted; that a bit beyond 95 was set is remembered and nothing more, and
/// encoded as bit 96.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bitmap {
    words: [u32; Bitmap::WORDS],
    pub(super) beyond: bool,
}

impl Bitmap {
    /// The number of words kept.
    pub const WORDS: usize = 3;
    /// The most words that are accepted from a peer.
    pub const MAX_WIRE_WORDS: usize = 256;
    /// The set without elements.
    pub const EMPTY: Self = Self::from_words([0; Self::WORDS]);

    /// The set with these words, attribute 0 in the lowest bit of the first.
    #[inline]
    pub const fn from_words(words: [u32; Self::WORDS]) -> Self {
        Self {
            words,
            beyond: false,
        }
    }

    /// The set of these numbers; numbers beyond 95 count as [`beyond`](Self::beyond).
    pub const fn of(numbers: &[u32]) -> Self {
        let mut set = Self::EMPTY;
        let mut rest = numbers;
        while let [n, tail @ ..] = rest {
            set = set.with(*n);
            rest = tail;
        }
        set
    }

    /// The set and one more number.
    pub const fn with(mut self, n: u32) -> Self {
        let bit = 1 << (n % 32);
        let [a, b, c] = &mut self.words;
        match n / 32 {
            0 => *a |= bit,
            1 => *b |= bit,
            2 => *c |= bit,
            _ => self.beyond = true,
        }
        self
    }

    /// Adds a number.
    #[inline]
    pub const fn insert(&mut self, n: u32) {
        *self = self.with(n);
    }

    /// Takes a number out.
    #[inline]
    pub fn remove(&mut self, n: u32) {
        if let Some(word) = self.words.get_mut((n / 32) as usize) {
            *word &= !(1 << (n % 32));
        }
    }

    /// Whether a number is in the set.
    #[inline]
    pub fn contains(&self, n: u32) -> bool {
        self.words
            .get((n / 32) as usize)
            .is_some_and(|word| word & (1 << (n % 32)) != 0)
    }

    /// Whether every number of `other` is in the set, those beyond 95 never.
    #[inline]
    pub fn contains_all(&self, other: &Self) -> bool {
        !other.beyond && (*other & !*self).is_empty()
    }

    /// Whether the two sets have a number in common.
    #[inline]
    pub fn intersects(&self, other: &Self) -> bool {
        !(*self & *other).is_empty()
    }

    /// Whether a bit beyond 95 was set on the wire.
    #[inline]
    pub const fn beyond(&self) -> bool {
        self.beyond
    }

    /// Whether nothing is set, beyond 95 neither.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        let [a, b, c] = self.words;
        a | b | c == 0 && !self.beyond
    }

    /// How many numbers up to 95 are set.
    #[inline]
    pub const fn len(&self) -> usize {
        let [a, b, c] = self.words;
        (a.count_ones() + b.count_ones() + c.count_ones()) as usize
    }

    /// The words.
    #[inline]
    pub const fn words(&self) -> [u32; Self::WORDS] {
        self.words
    }

    /// The numbers in ascending order, those beyond 95 left out.
    #[inline]
    pub const fn iter(&self) -> BitmapIter {
        let [a, b, c] = self.words;
        BitmapIter {
            low: a as u64 | (b as u64) << 32,
            high: c,
        }
    }

    /// The number of bytes of the encoded form.
    #[inline]
    pub const fn encoded_len(&self) -> usize {
        4 + 4 * self.significant()
    }

    const fn significant(&self) -> usize {
        match self.words {
            _ if self.beyond => Self::WORDS + 1,
            [0, 0, 0] => 0,
            [_, 0, 0] => 1,
            [_, _, 0] => 2,
            [_, _, _] => 3,
        }
    }
}

/// Trailing zero words are left out.
impl Encode for Bitmap {
    #[inline]
    fn encode(&self, w: &mut Writer) {
        let n = self.significant();
        w.u32(n as u32);
        for word in self.words.iter().take(n) {
            w.u32(*word);
        }
        if self.beyond {
            w.u32(1);
        }
    }
}

impl<'a> Decode<'a> for Bitmap {
    const MIN: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        let n = r.u32()? as usize;
        if n > Self::MAX_WIRE_WORDS {
            return Err(XdrError::TooLong);
        }
        let (words, _) = r.fixed(4 * n)?.as_chunks::<4>();
        let (known, beyond) = words.split_at(n.min(Self::WORDS));
        let mut set = Self::EMPTY;
        for (word, bytes) in set.words.iter_mut().zip(known) {
            *word = u32::from_be_bytes(*bytes);
        }
        set.beyond = beyond.iter().any(|bytes| *bytes != [0; 4]);
        Ok(set)
    }
}

impl BitAnd for Bitmap {
    type Output = Self;

    #[inline]
    fn bitand(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.words, other.words);
        Self {
            words: [a & d, b & e, c & f],
            beyond: self.beyond && other.beyond,
        }
    }
}

impl BitOr for Bitmap {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.words, other.words);
        Self {
            words: [a | d, b | e, c | f],
            beyond: self.beyond || other.beyond,
        }
    }
}

impl BitOrAssign for Bitmap {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// All numbers up to 95 that are not in the set.
impl Not for Bitmap {
    type Output = Self;

    #[inline]
    fn not(self) -> Self {
        Self::from_words(self.words.map(|word| !word))
    }
}

impl FromIterator<u32> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        numbers.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl IntoIterator for Bitmap {
    type Item = u32;
    type IntoIter = BitmapIter;

    fn into_iter(self) -> BitmapIter {
        self.iter()
    }
}

impl IntoIterator for &Bitmap {
    type Item = u32;
    type IntoIter = BitmapIter;

    fn into_iter(self) -> BitmapIter {
        self.iter()
    }
}

/// The numbers of a [`Bitmap`] in ascending order.
#[derive(Debug, Clone)]
pub struct BitmapIter {
    /// Numbers 0 to 63.
    low: u64,
    /// Numbers 64 to 95.
    high: u32,
}

impl Iterator for BitmapIter {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.low != 0 {
            let bit = self.low.trailing_zeros();
            self.low &= self.low - 1;
            return Some(bit);
        }
        if self.high != 0 {
            let bit = self.high.trailing_zeros();
            self.high &= self.high - 1;
            return Some(64 + bit);
        }
        None
    }
}

crate::xdr::as_debug!(Bitmap);

#[cfg(any(test, feature = "__fuzz"))]
impl crate::xdr::sample::Sample for Bitmap {
    fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
        let set: Self = (0..tape.below(5)).map(|_| tape.below(96) as u32).collect();
        set.encode(w);
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn trims_and_tolerates() {
        let mut w = Writer::new();
        Bitmap::EMPTY.encode(&mut w);
        assert_eq!(w.as_slice(), [0; 4]);
        w.clear();
        Bitmap::of(&[33]).encode(&mut w);
        assert_eq!(w.as_slice(), [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2]);
        let five = [5, 1, 0, 0, 0, 8_u32].map(u32::to_be_bytes).concat();
        let set = Bitmap::decode(&mut Reader::new(&five)).unwrap();
        assert!(set.contains(0) && set.beyond() && !set.contains(131));
        let zeros = [5, 1, 0, 0, 0, 0_u32].map(u32::to_be_bytes).concat();
        assert_eq!(
            Bitmap::decode(&mut Reader::new(&zeros)),
            Ok(Bitmap::of(&[0]))
        );
        let lie = [0xff; 8];
        assert_eq!(
            Bitmap::decode(&mut Reader::new(&lie)),
            Err(XdrError::TooLong)
        );
        assert_eq!(
            Bitmap::decode(&mut Reader::new(&five[..20])),
            Err(XdrError::Short)
        );
    }

    #[test]
    fn is_a_set() {
        let set: Bitmap = [4, 0, 33, 95, 64].into_iter().collect();
        assert!(set.iter().eq([0, 4, 33, 64, 95]));
        assert_eq!(set.len(), 5);
        assert_eq!(set & Bitmap::of(&[4, 5]), Bitmap::of(&[4]));
        assert!(set.contains_all(&Bitmap::of(&[0, 95])));
        assert!(!set.contains_all(&Bitmap::of(&[96])));
        assert_eq!((!set).len(), 91);
        let mut less = set;
        less.remove(33);
        assert!(!less.contains(33) && !less.contains(4096));
        assert_eq!(format!("{:?}", Bitmap::of(&[1, 96])), "{type, beyond}");
    }
}
