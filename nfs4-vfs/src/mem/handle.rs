//! Filehandles: the boot epoch, the place in the table and its generation.

use nfs4_engine::fs::{FsError, FsHandle};

/// Names an object, and no other one for as long as the file system lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InodeId {
    // The generation comes first in comparisons: any total order will do.
    pub(super) generation: u32,
    /// The place in the table; never 0.
    pub(super) index: u32,
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

    pub(super) fn handle(self, epoch: u32) -> FsHandle {
        let mut bytes = [0; LEN];
        bytes[..4].copy_from_slice(&epoch.to_be_bytes());
        bytes[4..].copy_from_slice(&self.fileid().to_be_bytes());
        FsHandle::new(&bytes).expect("twelve bytes are fewer than sixty")
    }

    pub(super) fn of_handle(fh: &FsHandle, epoch: u32) -> Result<InodeId, FsError> {
        let bytes: &[u8; LEN] = fh.as_bytes().try_into().map_err(|_| FsError::BadHandle)?;
        let number = bytes
            .iter()
            .fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        if (number >> 64) as u32 != epoch {
            return Err(FsError::Stale);
        }
        Ok(InodeId::from_fileid(number as u64))
    }
}

const LEN: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_object_in_its_epoch_only() {
        let id = InodeId {
            generation: 3,
            index: 0xffff_fff0,
        };
        assert_eq!(InodeId::of_handle(&id.handle(9), 9), Ok(id));
        assert_eq!(InodeId::of_handle(&id.handle(9), 10), Err(FsError::Stale));
        assert_eq!(InodeId::from_fileid(id.fileid()), id);
        for bytes in [&[][..], &[0; 11], &[0; 13], &[0xff; 60]] {
            let fh = FsHandle::new(bytes).unwrap();
            assert_eq!(InodeId::of_handle(&fh, 9), Err(FsError::BadHandle));
        }
    }
}
