//! Stateids, which name state on the wire. [RFC 8881 §8.2]

use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;

use crate::keys::{DelegationKey, LockKey, OpenKey};
use crate::slab::Key;

/// The state that a stateid names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Open(OpenKey),
    Lock(LockKey),
    Deleg(DelegationKey),
}

impl Named {
    /// The stateid; its `other` is the boot epoch, the kind of state, its index and its generation.
    pub(crate) fn encode(self, epoch: u32, seqid: u32) -> Stateid {
        let (kind, index, generation) = match self {
            Named::Open(key) => (OPEN, key.index, key.generation),
            Named::Lock(key) => (LOCK, key.index, key.generation),
            Named::Deleg(key) => (DELEG, key.index, key.generation),
        };
        let mut other = [0; 12];
        other[..4].copy_from_slice(&epoch.to_be_bytes());
        other[4..8].copy_from_slice(&(kind << KIND_SHIFT | index).to_be_bytes());
        other[8..].copy_from_slice(&generation.to_be_bytes());
        Stateid { seqid, other }
    }

    /// # Errors
    /// STALE_STATEID for a stateid of another boot, BAD_STATEID for one that this server does not make.
    pub(crate) fn decode(stateid: &Stateid, epoch: u32) -> Result<Named, Status> {
        let [e0, e1, e2, e3, i0, i1, i2, i3, g0, g1, g2, g3] = stateid.other;
        if u32::from_be_bytes([e0, e1, e2, e3]) != epoch {
            return Err(Status::STALE_STATEID);
        }
        let place = u32::from_be_bytes([i0, i1, i2, i3]);
        let index = place & ((1 << KIND_SHIFT) - 1);
        let generation = u32::from_be_bytes([g0, g1, g2, g3]);
        match place >> KIND_SHIFT {
            OPEN => Ok(Named::Open(Key::new(index, generation))),
            LOCK => Ok(Named::Lock(Key::new(index, generation))),
            DELEG => Ok(Named::Deleg(Key::new(index, generation))),
            _ => Err(Status::BAD_STATEID),
        }
    }
}

/// Checks the seqid that a client sent against the state's; zero is the current one. [RFC 8881 §8.2.2]
///
/// # Errors
/// OLD_STATEID for an earlier seqid, BAD_STATEID for one that no client ever got.
pub(crate) fn check_seqid(given: u32, current: u32) -> Result<(), Status> {
    match given {
        0 => Ok(()),
        given if given == current => Ok(()),
        // Serial number arithmetic: half of all numbers are earlier ones.
        given if current.wrapping_sub(given) < 1 << 31 => Err(Status::OLD_STATEID),
        _ => Err(Status::BAD_STATEID),
    }
}

/// As [`check_seqid`] in minor version 0, where zero is earlier than all others. [RFC 7530 §9.1.4.4]
///
/// # Errors
/// As [`check_seqid`].
pub(crate) fn check_seqid_v40(given: u32, current: u32) -> Result<(), Status> {
    if given == 0 {
        return Err(Status::OLD_STATEID);
    }
    check_seqid(given, current)
}

const KIND_SHIFT: u32 = 28;
const OPEN: u32 = 0;
const LOCK: u32 = 1;
const DELEG: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stateid_decodes_to_the_state_that_it_encodes() {
        for named in [
            Named::Open(Key::new(7, 9)),
            Named::Lock(Key::new(7, 9)),
            Named::Deleg(Key::new(7, 9)),
        ] {
            let stateid = named.encode(3, 1);
            assert_eq!(Named::decode(&stateid, 3), Ok(named));
            assert_eq!(Named::decode(&stateid, 4), Err(Status::STALE_STATEID));
        }
        let mut other = [0xff; 12];
        other[..4].copy_from_slice(&[0, 0, 0, 3]);
        assert_eq!(
            Named::decode(&Stateid { seqid: 1, other }, 3),
            Err(Status::BAD_STATEID)
        );
    }

    #[test]
    fn seqids_are_serial_numbers() {
        assert_eq!(check_seqid(0, 5), Ok(()));
        assert_eq!(check_seqid(5, 5), Ok(()));
        assert_eq!(check_seqid(4, 5), Err(Status::OLD_STATEID));
        assert_eq!(check_seqid(6, 5), Err(Status::BAD_STATEID));
        assert_eq!(check_seqid(u32::MAX, 2), Err(Status::OLD_STATEID));
    }
}
