//! Revocation of single opens and lock stateids of clients whose leases have expired.
//! [RFC 8881 §8.4.2.4, RFC 7530 §9.6.3.1]

use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::core::Core;
use crate::core::stable::Durable;
use crate::fh::Fh;
use crate::keys::{ClientKey, OpenKey};
use crate::map::Keyed;
use crate::state::contended::Piece;
use crate::state::ending::Ending;
use crate::state::stateid::Named;
use crate::timer::Due;

impl Core {
    /// Takes a part of its state from a client. Its stateid is of no use from now on, also if the client
    /// comes back; an open excludes no other, and locked ranges are unlocked by [`Core::take_revoked`]. `false`
    /// if others must wait for that until the client cannot reclaim it after a restart.
    pub(super) fn begin_revocation(&mut self, piece: Piece, out: &mut Outbox) -> bool {
        let Some((client, fh)) = self.states.holder_of(piece) else {
            return true;
        };
        if !self.states.is_revoked(piece) && !self.has_room_for_doomed(client) {
            return false;
        }
        let durable = self.record_loss(client, &fh, out);
        let is_durable = !matches!(durable, Durable::After(_));
        if let Durable::After(ticket) = durable {
            self.stores.delays(ticket);
        }
        let record = self.clients.get(client);
        if !is_durable
            && record.is_none_or(|it| it.going.is_some() || it.recorded.forgetting.is_some())
        {
            // All that the client has ends once it is forgotten.
            return false;
        }
        if let Some((client, named)) = self.disown(piece) {
            self.remember_lost(client, named);
            if is_durable {
                self.revoking.push_back(piece);
            } else if let Some(client) = self.clients.get_mut(client) {
                client.doomed.push(piece);
            }
        }
        if is_durable && let Piece::Open(key) = piece {
            self.states.release_share(key);
        }
        is_durable
    }

    fn has_room_for_doomed(&mut self, client: ClientKey) -> bool {
        let Some(client) = self.clients.get(client) else {
            return true;
        };
        let has_room = client.doomed.len() < MOST_DOOMED;
        if let Some(ticket) = client.recorded.writing.filter(|_| !has_room) {
            self.stores.delays(ticket);
        }
        has_room
    }

    /// Ends what was taken from a client and need not wait any more: its loss is durable, or the client knows
    /// of it.
    pub(super) fn end_doomed(&mut self, client: ClientKey, out: &Outbox) {
        let Some(record) = self.clients.get_mut(client) else {
            return;
        };
        let (states, recorded) = (&self.states, &record.recorded);
        let waits = |piece: &Piece| {
            let holder = states.holder_of(*piece);
            holder.is_some_and(|(_, fh)| recorded.waits_for_loss(&fh))
        };
        // At most MOST_DOOMED.
        let before = self.revoking.len();
        let revoking = &mut self.revoking;
        record.doomed.retain(|piece| {
            let waits = waits(piece);
            if !waits {
                revoking.push_back(*piece);
            }
            waits
        });
        if self.revoking.len() > before && !self.revoking_is_set {
            self.revoking_is_set = true;
            self.set_timer(out.now.mono, Due::Revocation);
        }
    }

    fn disown(&mut self, piece: Piece) -> Option<(ClientKey, Named)> {
        match piece {
            Piece::Open(key) => {
                let client = self.states.disown_open(key)?;
                if let Some(client) = self.clients.get_mut(client) {
                    client.taken += 1;
                }
                Some((client, Named::Open(key)))
            }
            Piece::Lock(key) => Some((self.states.disown_lock(key)?, Named::Lock(key))),
        }
    }

    /// Ends what is being revoked, as far as `budget` allows; the timer does the rest.
    pub(super) fn take_revoked(&mut self, budget: &mut usize, out: &mut Outbox) {
        if !self.end_revoked(budget, out) && !self.revoking_is_set {
            self.revoking_is_set = true;
            self.set_timer(out.now.mono, Due::Revocation);
        }
    }

    /// Goes on with what is being revoked; `false` if there is more to do than `budget` allows.
    pub(crate) fn on_revocation_timer(&mut self, budget: &mut usize, out: &mut Outbox) -> bool {
        let done = self.end_revoked(budget, out);
        self.revoking_is_set = !done;
        done
    }

    fn end_revoked(&mut self, budget: &mut usize, out: &mut Outbox) -> bool {
        while let Some(piece) = self.revoking.front().copied() {
            if *budget == 0 {
                return false;
            }
            let before = self.states.walked;
            let done = self.end_piece(piece, *budget, out);
            let walked = self.states.walked - before;
            *budget = budget.saturating_sub(walked.max(1));
            if !done {
                return false;
            }
            self.revoking.pop_front();
        }
        true
    }

    /// Ends a part of a client's state in at most `most` steps; `true` when it has ended.
    fn end_piece(&mut self, piece: Piece, most: usize, out: &mut Outbox) -> bool {
        match piece {
            Piece::Lock(key) => {
                let Some(file) = self.states.lock(key).map(|lock| lock.file) else {
                    return true;
                };
                let done = self.states.end_lock_within(key, Ending::Lost, most);
                self.grant_locks(file, out);
                done
            }
            Piece::Open(key) => {
                self.states.release_share(key);
                let end = self.states.walked.saturating_add(most);
                while let Some(lock) = self.states.get(key).and_then(|open| open.locks.any()) {
                    let left = end.saturating_sub(self.states.walked);
                    if left == 0 {
                        return false;
                    }
                    if let Some((client, named)) = self.disown(Piece::Lock(lock)) {
                        self.remember_lost(client, named);
                    }
                    if !self.states.end_lock_within(lock, Ending::Lost, left) {
                        return false;
                    }
                }
                let client = self.states.get(key).map(|open| open.client);
                self.end_open(key, Ending::Lost, out);
                if let Some(client) = client {
                    self.note_loss(client, out);
                }
                true
            }
        }
    }

    /// A client that knows FREE_STATEID is to acknowledge the loss; in minor version 0 the table remembers it.
    fn remember_lost(&mut self, client: ClientKey, named: Named) {
        let keyed = self.keyed();
        let Some(record) = self.clients.get_mut(client) else {
            return;
        };
        if record.about.minor == 0 || record.going.is_some() {
            return;
        }
        let grows = match named {
            Named::Open(key) => record.lost.add_open(key, keyed),
            Named::Lock(key) => record.lost.add_lock(key, keyed),
            Named::Deleg(_) => false,
        };
        if grows {
            self.states.charge_lost(client);
        }
    }

    /// A client has lost something. One that has nothing left is removed in minor version 0, and later learns
    /// that it was all.
    pub(super) fn note_loss(&mut self, client: ClientKey, out: &Outbox) {
        let Some(record) = self.clients.get_mut(client) else {
            return;
        };
        record.lost.all |= !record.lost.is_empty()
            && record.opens.is_empty()
            && record.delegations.len() == record.revoked as usize;
        if !record.has_state() {
            self.set_timer(out.now.mono, Due::Lease(client));
        }
    }

    /// As [`States::check`](crate::state::States::check), of a client that may have lost the state.
    ///
    /// # Errors
    /// Besides, EXPIRED for what the client has lost because its lease had expired, and ADMIN_REVOKED for what has
    /// ended with its export.
    pub(crate) fn check_stateid(
        &self,
        stateid: &Stateid,
        client: ClientKey,
        fh: Option<&Fh>,
    ) -> Result<Named, Status> {
        match self.states.check(stateid, client, fh) {
            Err(Status::BAD_STATEID) if self.states.is_any_remembered() => {
                let lost = self.named(stateid).ok();
                let why = lost.and_then(|named| self.why_lost(client, named));
                Err(why.unwrap_or(Status::BAD_STATEID))
            }
            checked => checked,
        }
    }

    /// What a stateid names or has named.
    ///
    /// # Errors
    /// BAD_STATEID, STALE_STATEID.
    pub(crate) fn named(&self, stateid: &Stateid) -> Result<Named, Status> {
        Named::decode(stateid, self.boot.epoch)
    }

    /// The status of state that this client has lost, and has not acknowledged; none if no such is remembered.
    pub(crate) fn why_lost(&self, client: ClientKey, named: Named) -> Option<Status> {
        let lost = &self.clients.get(client)?.lost;
        match named {
            Named::Open(key) if lost.has_of_removed(key) => Some(Status::ADMIN_REVOKED),
            Named::Open(key) => lost.has_open(key).then_some(Status::EXPIRED),
            Named::Lock(key) => lost.has_lock(key).then_some(Status::EXPIRED),
            Named::Deleg(_) => None,
        }
    }

    const fn keyed(&self) -> Keyed {
        Keyed::new(self.boot.entropy)
    }

    /// As [`Core::remember_lost`], of an open that ends with its export.
    pub(super) fn remember_removed(&mut self, key: OpenKey) {
        let Some(client) = self.states.get(key).map(|open| open.client) else {
            return;
        };
        let keyed = self.keyed();
        let record = self.clients.get_mut(client);
        // The locks under it are lost with it.
        if let Some(record) = record.filter(|it| it.about.minor > 0 && it.going.is_none())
            && record.lost.add_of_removed(key, keyed)
        {
            self.states.charge_lost(client);
        }
    }

    /// A client acknowledges that it has lost this.
    pub(crate) fn acknowledge_loss(&mut self, client: ClientKey, named: Named) {
        let Some(record) = self.clients.get_mut(client) else {
            return;
        };
        let known = match named {
            Named::Open(key) => record.lost.forget_open(key),
            Named::Lock(key) => record.lost.forget_lock(key),
            Named::Deleg(_) => false,
        };
        record.lost.all &= !record.lost.is_empty();
        if known {
            self.states.refund_lost(client, 1);
        }
    }

    /// A client goes, and what it has lost is forgotten.
    pub(super) fn forget_losses(&mut self, client: ClientKey) {
        let Some(record) = self.clients.get_mut(client) else {
            return;
        };
        let delegations = record.lost.delegations;
        let lost = core::mem::take(&mut record.lost);
        record.lost.delegations = delegations;
        self.states.refund_lost(client, lost.remembered());
    }
}

/// Maximum number of opens and lock stateids of a client whose end waits for stable storage. More of them are
/// taken when that is over.
const MOST_DOOMED: usize = 256;
