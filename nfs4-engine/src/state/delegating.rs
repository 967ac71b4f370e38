//! Delegations in relation to files, opens and clients.

use nfs4_proto::nfs4::basic::Stateid;

use super::delegation::{Delegation, DelegationPhase, Grant, Revocation};
use super::ending::Ending;
use super::file::Share;
use super::stateid::Named;
use super::table::States;
use crate::count::Count;
use crate::delegation_kind::{DelegationKind, Touch};
use crate::fh::Fh;
use crate::key_index::KeyIndex;
use crate::keys::{ClientKey, DelegationKey, FileKey, kind};
use crate::state::delegated::Obstacle;

impl States {
    pub(crate) fn delegation(&self, key: DelegationKey) -> Option<&Delegation> {
        self.delegated.slab.get(key)
    }

    pub(crate) fn delegation_mut(&mut self, key: DelegationKey) -> Option<&mut Delegation> {
        self.delegated.slab.get_mut(key)
    }

    /// Whether no delegation is held.
    pub(crate) fn is_nothing_delegated(&self) -> bool {
        self.delegated.is_none_held()
    }

    /// Whether a write delegation is held.
    pub(crate) fn is_any_for_writing(&self) -> bool {
        self.delegated.held[DelegationKind::Write as usize] > 0
    }

    /// Whether any is revoked, and its client has not acknowledged it.
    pub(crate) fn has_revoked(&self) -> bool {
        self.delegated.revoked() > 0
    }

    /// Number of delegations there are, revoked ones included.
    pub(crate) fn delegations(&self) -> usize {
        self.delegated.len()
    }

    /// The delegations of a file that are held; at most [`MOST_PER_FILE`].
    pub(crate) fn delegations_of(&self, fh: &Fh) -> impl Iterator<Item = DelegationKey> + '_ {
        // Usually there is none at all, and no need to look for the file.
        let file = if self.delegated.is_none_held() {
            None
        } else {
            self.files.find(fh).and_then(|key| self.files.get(key))
        };
        file.into_iter().flat_map(|file| file.delegations.iter())
    }

    /// The file of a handle, if it is delegated.
    pub(crate) fn delegated_file(&self, fh: &Fh) -> Option<FileKey> {
        self.delegations_of(fh)
            .next()
            .and_then(|key| Some(self.delegation(key)?.file))
    }

    /// One of the delegations of a file that does not exist any more, unless a client has it open.
    pub(crate) fn delegation_of_unopened(&self, key: FileKey) -> Option<DelegationKey> {
        let file = self.files.get(key)?;
        let nothing = file.gone && file.opens.is_empty();
        file.delegations.any().filter(|_| nothing)
    }

    /// A file has lost its last name.
    pub(crate) fn is_gone(&mut self, key: FileKey) {
        if let Some(file) = self.files.get_mut(key) {
            file.gone = true;
        }
    }

    /// A delegation of the file that conflicts with this access by the client `sender`.
    pub(crate) fn in_the_way(
        &self,
        fh: &Fh,
        sender: Option<ClientKey>,
        touch: Touch,
    ) -> impl Iterator<Item = DelegationKey> + '_ {
        self.delegations_of(fh).filter(move |key| {
            self.delegation(*key)
                .is_some_and(|held| Some(held.client) != sender && held.forbids(touch))
        })
    }

    /// What a client has of a file.
    pub(crate) fn delegation_to(&self, client: ClientKey, fh: &Fh) -> Option<DelegationKey> {
        self.delegations_of(fh).find(|key| {
            self.delegation(*key)
                .is_some_and(|held| held.client == client)
        })
    }

    /// The handle of a delegation's file.
    pub(crate) fn delegated_fh(&self, key: DelegationKey) -> Option<Fh> {
        let held = self.delegation(key)?;
        self.files.get(held.file).map(|file| file.fh)
    }

    /// Whether a file that a client has open can be delegated to it: for reading if no other client has
    /// it open for writing or denies reading, for writing if no other client has it open at all.
    ///
    /// # Errors
    /// The obstacle.
    pub(crate) fn can_delegate(
        &self,
        client: ClientKey,
        fh: &Fh,
        kind: DelegationKind,
    ) -> Result<(), Obstacle> {
        let Some(file) = self.files.find(fh).and_then(|key| self.files.get(key)) else {
            return Ok(());
        };
        if file.delegations.len() >= MOST_PER_FILE || file.opens.len() > MOST_OPENS {
            return Err(Obstacle::Many);
        }
        let foreign = file.delegations.iter().any(|key| {
            let held = self.delegation(key);
            held.is_some_and(|held| {
                held.client != client
                    && (kind == DelegationKind::Write || held.kind == DelegationKind::Write)
            })
        });
        let shares = file.opens.iter().filter_map(|key| self.opens.get(key));
        let contended = |share: Share| match kind {
            DelegationKind::Read => share.writes() || share.denies_read(),
            DelegationKind::Write => true,
        };
        let mut others = shares.filter(|open| open.client != client);
        if foreign || others.any(|open| contended(open.share)) {
            return Err(Obstacle::Others);
        }
        Ok(())
    }

    /// Delegates a file to a client; the caller has checked that nothing conflicts.
    pub(crate) fn delegate(
        &mut self,
        client: ClientKey,
        list: &mut KeyIndex<kind::Delegation>,
        fh: &Fh,
        grant: Grant,
    ) -> DelegationKey {
        let kind = grant.kind;
        let file = self.files.get_or_insert(fh);
        let file_place = self
            .files
            .get(file)
            .map_or(0, |file| file.delegations.next_place());
        let place = list.next_place();
        let key = self
            .delegated
            .slab
            .insert(Delegation::new(client, file, grant, place, file_place));
        list.push(key);
        if let Some(file) = self.files.get_mut(file) {
            file.delegations.push(key);
        }
        self.delegated.count(kind, |count| *count += 1);
        self.charge_delegation(client);
        key
    }

    /// Turns a read delegation into a write delegation; the caller has checked that nothing
    /// conflicts.
    pub(crate) fn upgrade(&mut self, key: DelegationKey, grant: Grant) {
        let Some(held) = self.delegated.slab.get_mut(key) else {
            return;
        };
        let (from, to) = (held.kind, grant.kind);
        held.grant_anew(grant);
        self.delegated.count(from, |count| count.lower(1));
        self.delegated.count(to, |count| *count += 1);
    }

    /// The stateid of a delegation.
    pub(crate) fn delegation_stateid(&self, key: DelegationKey) -> Stateid {
        let seqid = self.delegation(key).map_or(0, |held| held.seqid);
        Named::Deleg(key).encode(self.epoch, seqid)
    }

    /// Revokes a delegation, and keeps its stateid until the client acknowledges that.
    pub(crate) fn revoke(&mut self, key: DelegationKey, why: Revocation) {
        let Some(held) = self.delegated.slab.get_mut(key) else {
            return;
        };
        if held.is_revoked() {
            return;
        }
        held.phase = DelegationPhase::Revoked(why);
        let (file, kind, place) = (held.file, held.kind, held.file_place);
        self.delegated.count(kind, |count| count.lower(1));
        self.leave_file(file, place);
        if let Some(file) = self.files.get_mut(file) {
            file.revoked += 1;
        }
    }

    /// Removes a delegation from every table.
    pub(crate) fn undelegate(
        &mut self,
        list: &mut KeyIndex<kind::Delegation>,
        key: DelegationKey,
        why: Ending,
    ) {
        let ended = match why {
            Ending::Asked => self.delegated.slab.remove(key),
            Ending::Lost => self.delegated.slab.lose(key),
        };
        let Some(held) = ended else {
            return;
        };
        self.refund_delegation(held.client);
        if held.is_revoked() {
            if let Some(file) = self.files.get_mut(held.file) {
                file.revoked.lower(1);
            }
        } else {
            self.delegated.count(held.kind, |count| count.lower(1));
            self.leave_file(held.file, held.file_place);
        }
        self.files.forget_if_idle(held.file);
        if let Some(moved) = list.remove(held.place)
            && let Some(moved) = self.delegated.slab.get_mut(moved)
        {
            moved.place = held.place;
        }
    }

    fn leave_file(&mut self, file: FileKey, place: u32) {
        let file = self.files.get_mut(file);
        if let Some(moved) = file.and_then(|file| file.delegations.remove(place))
            && let Some(moved) = self.delegated.slab.get_mut(moved)
        {
            moved.file_place = place;
        }
    }
}

/// Maximum number of clients that a file is delegated to: all delegations are recalled together.
pub(crate) const MOST_PER_FILE: usize = 256;
/// A file with more opens is not delegated: each of them would have to be checked.
const MOST_OPENS: usize = 64;
