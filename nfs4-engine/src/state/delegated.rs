//! The table of delegations.

use nfs4_proto::nfs4::status::Status;

use super::delegation::{Delegation, DelegationPhase, Revocation};
use super::ending::gone;
use crate::delegation_kind::DelegationKind;
use crate::keys::DelegationKey;
use crate::seal::Draw;
use crate::slab::Slab;

/// All delegations.
pub(crate) struct Delegated {
    pub(super) slab: Slab<Delegation>,
    /// Number of delegations that are held, by kind.
    pub(super) held: [usize; DelegationKind::ALL.len()],
}

/// What keeps a file from being delegated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// Another client has it open or delegated.
    Others,
    /// It is delegated to too many.
    Many,
}

impl Delegated {
    pub(super) const fn new(draw: Draw) -> Delegated {
        Delegated {
            slab: Slab::secret(draw),
            held: [0; DelegationKind::ALL.len()],
        }
    }

    /// Number of there are, revoked ones included.
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Number of delegations that are held, by kind.
    pub(crate) fn held(&self) -> [usize; DelegationKind::ALL.len()] {
        self.held
    }

    /// Number of are revoked.
    pub(crate) fn revoked(&self) -> usize {
        self.slab.len() - self.held.iter().sum::<usize>()
    }

    /// Whether no delegation is held.
    pub(crate) fn is_none_held(&self) -> bool {
        self.held == [0; DelegationKind::ALL.len()]
    }

    pub(crate) fn get(&self, key: DelegationKey) -> Option<&Delegation> {
        self.slab.get(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (DelegationKey, &Delegation)> + '_ {
        self.slab.entries()
    }

    /// The delegation that a stateid names.
    ///
    /// # Errors
    /// EXPIRED for one that was lost, as long as that is remembered, else BAD_STATEID.
    pub(super) fn named(&self, key: DelegationKey) -> Result<&Delegation, Status> {
        self.slab.get(key).ok_or_else(|| gone(&self.slab, key))
    }

    /// # Errors
    /// DELEG_REVOKED if it is revoked, ADMIN_REVOKED if the administrator took it, EXPIRED if that was because the lease had expired.
    pub(super) fn check(&self, key: DelegationKey) -> Result<(), Status> {
        let Some(held) = self.slab.get(key) else {
            return Ok(());
        };
        let revoked = match held.phase {
            DelegationPhase::Revoked(why) => Some(why),
            DelegationPhase::Held | DelegationPhase::Recalled(_) => held.doomed,
        };
        match revoked {
            Some(Revocation::NotReturned) => Err(Status::DELEG_REVOKED),
            Some(Revocation::Administrator) => Err(Status::ADMIN_REVOKED),
            Some(Revocation::LeaseExpired) => Err(Status::EXPIRED),
            None => Ok(()),
        }
    }

    pub(super) fn count(&mut self, kind: DelegationKind, change: impl FnOnce(&mut usize)) {
        if let Some(count) = self.held.get_mut(kind as usize) {
            change(count);
        }
    }
}
