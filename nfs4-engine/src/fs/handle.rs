//! The file system's part of a filehandle.

use core::fmt;

use super::FsError;

/// A file system's name for one of its objects: at most [`FsHandle::MAX`] bytes of its choice.
///
/// A handle stays valid, and names no other object, as long as the server runs. Clients can see and
/// forge it: a file system checks every handle that it gets, and answers
/// [`FsError::Stale`](super::FsError::Stale) or [`FsError::BadHandle`](super::FsError::BadHandle).
/// With a guessed handle a client reaches an object that the rights of the directories above it
/// deny.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FsHandle {
    len: u8,
    // Zero beyond `len`, so that the derived comparisons hold.
    bytes: [u8; FsHandle::MAX],
}

impl FsHandle {
    pub(crate) const EMPTY: FsHandle = FsHandle {
        len: 0,
        bytes: [0; FsHandle::MAX],
    };
    /// A handle of maximum length.
    pub(crate) const LONGEST: FsHandle = FsHandle {
        len: FsHandle::MAX as u8,
        ..FsHandle::EMPTY
    };
    /// Maximum length of a handle, in bytes.
    pub const MAX: usize = 60;

    /// The handle of these bytes.
    ///
    /// # Errors
    /// [`HandleTooLong`] if there are more than [`FsHandle::MAX`].
    #[inline]
    pub fn new(bytes: &[u8]) -> Result<FsHandle, HandleTooLong> {
        let mut handle = FsHandle {
            len: 0,
            bytes: [0; FsHandle::MAX],
        };
        let Some(place) = handle.bytes.get_mut(..bytes.len()) else {
            return Err(HandleTooLong);
        };
        place.copy_from_slice(bytes);
        handle.len = u8::try_from(bytes.len()).map_err(|_| HandleTooLong)?;
        Ok(handle)
    }

    /// The handle of a number, for a file system that numbers its objects.
    pub fn from_number(number: u64) -> FsHandle {
        let mut handle = FsHandle::EMPTY;
        for (place, byte) in handle.bytes.iter_mut().zip(number.to_be_bytes()) {
            *place = byte;
        }
        handle.len = 8;
        handle
    }

    /// The number of a handle that [`FsHandle::from_number`] made.
    ///
    /// # Errors
    /// [`FsError::BadHandle`] if it has another length. Whether there is such an object, the file
    /// system checks.
    pub fn number(&self) -> Result<u64, FsError> {
        match self.as_bytes().try_into() {
            Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
            Err(_) => Err(FsError::BadHandle),
        }
    }

    /// The handle's bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for FsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fh:")?;
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A filehandle of more than [`FsHandle::MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a file system's handle has at most {} bytes", FsHandle::MAX)]
pub struct HandleTooLong;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_in_comparisons_and_is_bounded() {
        assert_ne!(FsHandle::new(&[1]), FsHandle::new(&[1, 0]));
        assert!(FsHandle::new(&[7; 60]).is_ok());
        assert_eq!(FsHandle::new(&[7; 61]), Err(HandleTooLong));
    }

    #[test]
    fn a_number_comes_back_and_another_handle_is_bad() {
        for number in [0, 1, u64::MAX] {
            assert_eq!(FsHandle::from_number(number).number(), Ok(number));
        }
        let longer = FsHandle::new(&[0; 9]).unwrap();
        assert_eq!(longer.number(), Err(FsError::BadHandle));
    }
}
