//! Words that no peer can predict: one word reveals nothing of another.

use core::hash::BuildHasher;

use crate::map::Keyed;

/// A permutation of the 64-bit words, keyed with the entropy of the boot: a Feistel network of four
/// rounds over the keyed hash.
#[derive(Clone, Copy)]
pub(crate) struct Seal(Keyed);

/// A sequence of words that cannot be distinguished from random ones.
#[derive(Clone, Copy)]
pub(crate) struct Draw {
    keyed: Keyed,
    purpose: SealPurpose,
    drawn: u64,
    /// The other half of the last hash, if it was not drawn yet.
    left: Option<u32>,
}

/// The purpose of a word: each purpose has its own sequence.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) enum SealPurpose {
    Client,
    Confirm,
    Open,
    Lock,
    Delegation,
}

impl Seal {
    pub(crate) const fn new(keyed: Keyed) -> Seal {
        Seal(keyed)
    }

    /// The sealed form of this word.
    pub(crate) fn close(&self, purpose: SealPurpose, word: u64) -> u64 {
        let mut halves = [(word >> 32) as u32, word as u32];
        for round in 0..ROUNDS {
            halves = [halves[1], halves[0] ^ self.mix(purpose, round, halves[1])];
        }
        join(halves)
    }

    /// The word of this sealed form.
    pub(crate) fn open(&self, purpose: SealPurpose, sealed: u64) -> u64 {
        let mut halves = [(sealed >> 32) as u32, sealed as u32];
        for round in (0..ROUNDS).rev() {
            halves = [halves[1] ^ self.mix(purpose, round, halves[0]), halves[0]];
        }
        join(halves)
    }

    fn mix(&self, purpose: SealPurpose, round: u8, half: u32) -> u32 {
        self.0.hash_one((purpose, round, half)) as u32
    }
}

impl Draw {
    pub(crate) const fn new(keyed: Keyed, purpose: SealPurpose) -> Draw {
        Draw {
            keyed,
            purpose,
            drawn: 0,
            left: None,
        }
    }

    /// The next word; never zero.
    pub(crate) fn next(&mut self) -> u32 {
        loop {
            let word = self.left.take().unwrap_or_else(|| self.next_hash());
            if word != 0 {
                return word;
            }
        }
    }

    /// The first half of the next hash, which has two words.
    fn next_hash(&mut self) -> u32 {
        self.drawn = self.drawn.wrapping_add(1);
        let hash = self.keyed.hash_one((self.purpose, self.drawn));
        self.left = Some((hash >> 32) as u32);
        hash as u32
    }
}

const fn join([high, low]: [u32; 2]) -> u64 {
    (high as u64) << 32 | low as u64
}

const ROUNDS: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_word_opens_to_what_it_was() {
        let seal = Seal::new(Keyed::new([7; 16]));
        let mut word = 1_u64;
        for _ in 0..1_000 {
            let sealed = seal.close(SealPurpose::Client, word);
            assert_eq!(seal.open(SealPurpose::Client, sealed), word);
            assert_ne!(seal.open(SealPurpose::Confirm, sealed), word);
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
    }

    #[test]
    fn consecutive_words_are_not_sealed_to_consecutive_words() {
        let seal = Seal::new(Keyed::new([7; 16]));
        let other = Seal::new(Keyed::new([8; 16]));
        for word in 0..1_000_u64 {
            let sealed = seal.close(SealPurpose::Client, word);
            let next = seal.close(SealPurpose::Client, word + 1);
            assert!((sealed ^ next).count_ones() > 8, "{sealed:x} {next:x}");
            assert_ne!(sealed, other.close(SealPurpose::Client, word));
        }
    }

    #[test]
    fn purposes_draw_different_words() {
        let keyed = Keyed::new([7; 16]);
        let mut opens = Draw::new(keyed, SealPurpose::Open);
        let mut locks = Draw::new(keyed, SealPurpose::Lock);
        let same = (0..1_000).filter(|_| opens.next() == locks.next());
        assert_eq!(same.count(), 0);
    }
}
