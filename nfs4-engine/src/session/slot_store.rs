//! Memory for the slots of a session.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::slot::{Retired, Slot};

/// The slots of a session that were used. The first, which every client uses and most use alone,
/// lies within; the others are made in small chunks when they are first used.
#[derive(Default)]
pub(super) struct SlotStore {
    first: Slot,
    chunks: Vec<Chunk>,
}

/// Neighbouring slots that are made together.
enum Chunk {
    /// Never used.
    Unused,
    Used(Box<[Slot; CHUNK]>),
    /// All are retired: only what identifies their last requests is remembered.
    Retired(Box<[Retired; CHUNK]>),
}

impl SlotStore {
    /// Number of slots up to the last one that has memory.
    pub(super) fn made(&self) -> u32 {
        let used = |chunk: &Chunk| matches!(chunk, Chunk::Used(_));
        let chunks = self
            .chunks
            .iter()
            .rposition(used)
            .map_or(0, |last| last + 1);
        // There are no more slots than a u32 counts.
        u32::try_from(1 + chunks * CHUNK).unwrap_or(u32::MAX)
    }

    /// The slot of this number, if it has memory.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Slot> {
        let Some((chunk, within)) = place(number) else {
            return Some(&mut self.first);
        };
        match self.chunks.get_mut(chunk)? {
            Chunk::Used(slots) => slots.get_mut(within),
            Chunk::Unused | Chunk::Retired(_) => None,
        }
    }

    /// The slot of this number, if it has memory.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Slot> {
        let Some((chunk, within)) = place(number) else {
            return Some(&self.first);
        };
        match self.chunks.get(chunk)? {
            Chunk::Used(slots) => slots.get(within),
            Chunk::Unused | Chunk::Retired(_) => None,
        }
    }

    /// All slots that have memory.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> + '_ {
        let others = self.chunks.iter().flat_map(|chunk| match chunk {
            Chunk::Used(slots) => &slots[..],
            Chunk::Unused | Chunk::Retired(_) => &[],
        });
        core::iter::once(&self.first).chain(others)
    }

    /// The slot of this number; it gets memory if it has none.
    pub(super) fn make(&mut self, number: u32) -> Option<&mut Slot> {
        let Some((chunk, within)) = place(number) else {
            return Some(&mut self.first);
        };
        while chunk >= self.chunks.len() {
            self.chunks.push(Chunk::Unused);
        }
        let chunk = self.chunks.get_mut(chunk)?;
        match chunk {
            Chunk::Used(_) => {}
            Chunk::Unused => *chunk = Chunk::Used(Box::default()),
            Chunk::Retired(retired) => {
                let slots = retired.map(Slot::restored);
                *chunk = Chunk::Used(Box::new(slots));
            }
        }
        match chunk {
            Chunk::Used(slots) => slots.get_mut(within),
            Chunk::Unused | Chunk::Retired(_) => None,
        }
    }

    /// Whether a request runs on a slot from number `first` on.
    pub(super) fn any_running(&self, first: u32) -> bool {
        let Some((chunk, mut skip)) = place(first) else {
            return self.iter().any(Slot::is_running);
        };
        self.chunks.iter().skip(chunk).any(|chunk| {
            let from = core::mem::take(&mut skip);
            match chunk {
                Chunk::Used(slots) => slots.iter().skip(from).any(Slot::is_running),
                Chunk::Unused | Chunk::Retired(_) => false,
            }
        })
    }

    /// Retires the slots from number `first` on, which is not 0.
    ///
    /// Returns the number of bytes of kept replies that went with them.
    pub(super) fn retire(&mut self, first: u32) -> usize {
        let Some((chunk, mut skip)) = place(first) else {
            debug_assert!(false, "a session has a slot");
            return 0;
        };
        let mut freed = 0;
        for chunk in self.chunks.iter_mut().skip(chunk) {
            let from = core::mem::take(&mut skip);
            let Chunk::Used(slots) = chunk else { continue };
            freed += slots.iter_mut().skip(from).map(Slot::retire).sum::<usize>();
            if from == 0 {
                let retired = slots.each_ref().map(Slot::retired);
                *chunk = Chunk::Retired(Box::new(retired));
            }
        }
        freed
    }
}

/// The chunk of a slot, and its place in it; none for the first slot.
#[inline]
fn place(number: u32) -> Option<(usize, usize)> {
    let number = number.checked_sub(1)? as usize;
    Some((number / CHUNK, number % CHUNK))
}

/// At least this many slots, and no chunk that is only used in part.
pub(super) fn whole(count: u32) -> u32 {
    let others = count
        .saturating_sub(1)
        .checked_next_multiple_of(CHUNK as u32);
    others.map_or(u32::MAX, |others| others.saturating_add(1))
}

/// Number of slots that are made together, after the first.
const CHUNK: usize = 8;
