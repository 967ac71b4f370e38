//! Filehandles: the boot epoch, the place in the table with its generation, and a check word.
//!
//! The check word is a keyed hash of the rest, so that a handle is known only to clients that got it
//! from the server. It is made once for each object and kept with it: a check of a handle compares.

use std::hash::Hasher as _;

use nfs4_engine::fs::{FsError, FsHandle};

use siphasher::sip::SipHasher24;

/// Names an object, and no other one for as long as the file system lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InodeId {
    // The generation comes first in comparisons: any total order will do.
    pub(super) generation: u32,
    /// The place in the table; never 0.
    pub(super) index: u32,
}

/// Encodes and decodes the handles of one run of one file system.
pub(super) struct Handles {
    epoch: u32,
    keyed: SipHasher24,
}

impl InodeId {
    pub(super) fn fileid(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(super) fn from_fileid(fileid: u64) -> InodeId {
        InodeId {
            generation: (fileid >> 32) as u32,
            index: fileid as u32,
        }
    }
}

impl Handles {
    pub(super) fn new(epoch: u32, entropy: &[u8; 16]) -> Handles {
        Handles {
            epoch,
            keyed: SipHasher24::new_with_key(entropy),
        }
    }

    /// The check word of an object.
    pub(super) fn check(&self, id: InodeId) -> u64 {
        let mut hasher = self.keyed;
        // The same key may have other uses.
        hasher.write(b"MemFs handle");
        hasher.write(&self.epoch.to_be_bytes());
        hasher.write(&id.fileid().to_be_bytes());
        hasher.finish()
    }

    /// The handle of an object, whose check word this is.
    #[inline]
    pub(super) fn make(&self, id: InodeId, check: u64) -> FsHandle {
        let mut bytes = [0; LEN];
        bytes[..4].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[4..12].copy_from_slice(&id.fileid().to_be_bytes());
        bytes[12..].copy_from_slice(&check.to_be_bytes());
        FsHandle::new(&bytes).expect("twenty bytes are fewer than sixty")
    }

    /// Decodes a handle: an object, and a check word that is still to be compared with the
    /// object's.
    pub(super) fn read(&self, fh: &FsHandle) -> Result<(InodeId, u64), FsError> {
        let bytes: &[u8; LEN] = fh.as_bytes().try_into().map_err(|_| FsError::BadHandle)?;
        let (epoch, rest) = bytes.split_first_chunk().ok_or(FsError::BadHandle)?;
        let (fileid, check) = rest.split_first_chunk().ok_or(FsError::BadHandle)?;
        let check = check.try_into().map_err(|_| FsError::BadHandle)?;
        if u32::from_be_bytes(*epoch) != self.epoch {
            return Err(FsError::Stale);
        }
        let id = InodeId::from_fileid(u64::from_be_bytes(*fileid));
        Ok((id, u64::from_be_bytes(check)))
    }
}

const LEN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_object_in_its_epoch_only() {
        let id = InodeId {
            generation: 3,
            index: 0xffff_fff0,
        };
        let [now, later] = [9, 10].map(|epoch| Handles::new(epoch, &[7; 16]));
        let check = now.check(id);
        assert_eq!(now.read(&now.make(id, check)), Ok((id, check)));
        assert_eq!(later.read(&now.make(id, check)), Err(FsError::Stale));
        assert_eq!(InodeId::from_fileid(id.fileid()), id);
        for bytes in [&[][..], &[0; 19], &[0; 21], &[0xff; 60]] {
            let fh = FsHandle::new(bytes).unwrap();
            assert_eq!(now.read(&fh), Err(FsError::BadHandle));
        }
    }

    #[test]
    fn check_words_tell_nothing_of_each_other() {
        let of = |index| InodeId {
            generation: 0,
            index,
        };
        let handles = Handles::new(9, &[7; 16]);
        let words: Vec<u64> = (16..1040).map(|at| handles.check(of(at))).collect();
        // Half of all bits differ between neighbours: 32 of 64, give or take.
        for pair in words.windows(2) {
            let differ = (pair[0] ^ pair[1]).count_ones();
            assert!((8..=56).contains(&differ), "{differ}");
        }
        let steps: std::collections::HashSet<u64> = words
            .windows(2)
            .map(|pair| pair[1].wrapping_sub(pair[0]))
            .collect();
        assert_eq!(steps.len(), words.len() - 1);
        for other in [Handles::new(10, &[7; 16]), Handles::new(9, &[8; 16])] {
            assert_ne!(other.check(of(16)), handles.check(of(16)));
        }
    }
}
