//! Chance out of a seed.

/// SplitMix64: small, and good enough to choose delays with.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of this seed.
    pub const fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0 if that is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        // The bias of a remainder does not matter here.
        if end == 0 { 0 } else { self.next_u64() % end }
    }

    /// An index into something of this length.
    pub const fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }
}
