//! Stable storage: what the server must still know after it has died, so that its clients can reclaim
//! their state from the next one. [RFC 8881 §8.4.2, RFC 7530 §9.6]
//!
//! The engine asks for a write by [`Action::Stable`](crate::Action::Stable), and hears of its end by
//! [`Input::StableDone`](crate::Input::StableDone); a reply that depends on the write leaves only then. It
//! is given what a former server has stored by [`Boot::recovered`](crate::Boot::recovered).

use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::xdr::{Reader, Writer, XdrError};

use crate::fs::Flavor;

/// One write. Writes take effect in the order in which the engine asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StableWrite {
    /// This record is kept, in place of one with the same key.
    Client(ClientRecord),
    /// The record with this key is removed, if there is one.
    Forget {
        /// The key.
        key: RecordKey,
    },
    /// The grace period is over: all records are removed that were there at the start of the server and that
    /// no [`StableWrite::Client`] has replaced since.
    GraceOver,
}

/// The client that a record is of: there is one record of each. [RFC 8881 §8.4.3]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RecordKey {
    /// The client speaks minor version 0. A client that speaks a later one is another.
    pub v40: bool,
    /// `co_ownerid`; in minor version 0 the `id` of SETCLIENTID.
    pub owner: Vec<u8>,
    /// The flavour of the principal that the client was established by.
    pub flavor: Flavor,
    /// The user id of that principal.
    pub uid: u32,
}

/// A client that may reclaim state after a restart of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientRecord {
    /// The client.
    pub key: RecordKey,
    /// `co_verifier`: another incarnation of the client has nothing to reclaim.
    pub verifier: [u8; 8],
    /// The lease that the client was given; the grace period is at least as long. Whole seconds are kept.
    pub lease: Duration,
    /// The filehandles of files of which state was revoked, and the client has not acknowledged that: it
    /// reclaims nothing of them. One without the file system's part stands for all files of an export. At
    /// most [`ClientRecord::MOST_LOST`].
    pub lost: Vec<Vec<u8>>,
    /// Whether the client may reclaim at all: not if it has lost state of more files than that.
    pub reclaims: bool,
}

/// The name of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StableTicket {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Why something is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StableError {
    /// No space is left.
    #[error("no space is left")]
    NoSpace,
    /// What it would be stored on is read-only.
    #[error("the storage is read-only")]
    ReadOnly,
    /// The write failed for another reason.
    #[error("the write failed")]
    Failed,
    /// The write was dropped without an answer.
    #[error("the storage gave no answer")]
    NoAnswer,
}

/// Bytes are no record, or one of a later version of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of a client is damaged, or was written by a later version")]
pub struct RecordDamage;

impl RecordKey {
    /// The key of a client that speaks minor version 0, or a later one, by this name and principal.
    pub fn new(v40: bool, owner: impl Into<Vec<u8>>, flavor: Flavor, uid: u32) -> RecordKey {
        RecordKey {
            v40,
            owner: owner.into(),
            flavor,
            uid,
        }
    }

    /// Bytes that distinguish it from all other keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.put(&mut w);
        w.as_slice().to_vec()
    }

    fn put(&self, w: &mut Writer) {
        w.bool(self.v40);
        w.u32(match self.flavor {
            Flavor::None => 0,
            Flavor::Sys => 1,
        });
        w.u32(self.uid);
        w.opaque(&self.owner);
    }

    fn take(r: &mut Reader<'_>) -> Result<RecordKey, XdrError> {
        let v40 = r.bool()?;
        let flavor = match r.u32()? {
            0 => Flavor::None,
            1 => Flavor::Sys,
            _ => return Err(XdrError::BadDiscriminant),
        };
        Ok(RecordKey {
            v40,
            flavor,
            uid: r.u32()?,
            owner: r.opaque(usize::MAX)?.to_vec(),
        })
    }
}

impl ClientRecord {
    /// Maximum number of files in [`ClientRecord::lost`].
    pub const MOST_LOST: usize = 32;

    /// The record of a client that has lost nothing.
    pub fn new(key: RecordKey, verifier: [u8; 8], lease: Duration) -> ClientRecord {
        ClientRecord {
            key,
            verifier,
            lease,
            lost: Vec::new(),
            reclaims: true,
        }
    }

    /// The bytes to keep: at most some 4 KiB.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u32(VERSION);
        self.key.put(&mut w);
        w.fixed(&self.verifier);
        w.u64(self.lease.as_secs());
        w.bool(self.reclaims);
        w.u32(u32::try_from(self.lost.len()).unwrap_or(u32::MAX));
        self.lost.iter().for_each(|fh| w.opaque(fh));
        w.as_slice().to_vec()
    }

    /// The record that [`ClientRecord::to_bytes`] has made these bytes of.
    ///
    /// # Errors
    /// They are no record that this version can read.
    pub fn from_bytes(bytes: &[u8]) -> Result<ClientRecord, RecordDamage> {
        let mut r = Reader::new(bytes);
        let record = ClientRecord::take(&mut r).map_err(|_| RecordDamage)?;
        r.finish().map_err(|_| RecordDamage)?;
        Ok(record)
    }

    fn take(r: &mut Reader<'_>) -> Result<ClientRecord, XdrError> {
        if r.u32()? != VERSION {
            return Err(XdrError::BadDiscriminant);
        }
        let mut record = ClientRecord::new(
            RecordKey::take(r)?,
            r.array()?,
            Duration::from_secs(r.u64()?),
        );
        record.reclaims = r.bool()?;
        for _ in 0..r.u32()? {
            record.lost.push(r.opaque(usize::MAX)?.to_vec());
        }
        Ok(record)
    }
}

/// The version of the bytes of a record.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ClientRecord {
        let key = RecordKey::new(true, b"host".to_vec(), Flavor::Sys, 7);
        let mut record = ClientRecord::new(key, [3; 8], Duration::from_secs(90));
        record.lost = alloc::vec![b"fh".to_vec(), Vec::new()];
        record.reclaims = false;
        record
    }

    #[test]
    fn a_record_is_read_back_and_no_part_of_one_is() {
        let bytes = record().to_bytes();
        assert_eq!(ClientRecord::from_bytes(&bytes), Ok(record()));
        for len in 0..bytes.len() {
            let cut = ClientRecord::from_bytes(&bytes[..len]);
            assert_eq!(cut, Err(RecordDamage), "{len} bytes");
        }
        let mut longer = bytes.clone();
        longer.extend_from_slice(&[0; 4]);
        assert_eq!(ClientRecord::from_bytes(&longer), Err(RecordDamage));
        let mut later = bytes;
        later[3] += 1;
        assert_eq!(ClientRecord::from_bytes(&later), Err(RecordDamage));
    }

    #[test]
    fn each_part_of_a_key_distinguishes_it() {
        let key = record().key;
        let others = [
            RecordKey::new(false, b"host".to_vec(), Flavor::Sys, 7),
            RecordKey::new(true, b"hose".to_vec(), Flavor::Sys, 7),
            RecordKey::new(true, b"host".to_vec(), Flavor::None, 7),
            RecordKey::new(true, b"host".to_vec(), Flavor::Sys, 8),
        ];
        for other in others {
            assert_ne!(other.to_bytes(), key.to_bytes(), "{other:?}");
        }
    }
}
