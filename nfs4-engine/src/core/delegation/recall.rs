//! Recall of delegations, and revocation of those that are not returned. [RFC 8881 §10.4.4 to 10.4.6]

use core::time::Duration;

use alloc::vec::Vec;

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::callback::{CallPurpose, CallbackEnd, CallbackOp};
use crate::core::Core;
use crate::core::stable::Durable;
use crate::count::Count;
use crate::delegation_kind::RecallReason;
use crate::delegation_kind::Touch;
use crate::event::Event;
use crate::fh::Fh;
use crate::keys::{ClientKey, DelegationKey, FileKey};
use crate::state::delegation::{Delegation, DelegationPhase, Recall, RecallProgress, Revocation};
use crate::state::ending::Ending;
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Whether delegations of other clients than `sender` conflict with this access; they are recalled then.
    ///
    /// `truncate` says that the file is to be truncated to length zero.
    pub(crate) fn recall_for(
        &mut self,
        fh: &Fh,
        sender: Option<ClientKey>,
        touch: Touch,
        truncate: bool,
        out: &mut Outbox,
    ) -> bool {
        if self.states.is_nothing_delegated() {
            return false;
        }
        if self.states.in_the_way(fh, sender, touch).next().is_none() {
            return false;
        }
        self.expire(out);
        // The maximum number of delegations of a file.
        let found: Vec<_> = self.states.in_the_way(fh, sender, touch).collect();
        self.recall_all(&found, truncate, out)
    }

    /// As [`Core::recall_for`] for a LOCKT, which takes nothing from clients with expired leases.
    pub(crate) fn recall_for_test(
        &mut self,
        fh: &Fh,
        sender: Option<ClientKey>,
        out: &mut Outbox,
    ) -> bool {
        let mut found: Vec<_> = self.states.in_the_way(fh, sender, Touch::Read).collect();
        if found.is_empty() {
            return false;
        }
        self.expire(out);
        let now = out.now.mono;
        found.retain(|key| {
            let held = self.states.delegation(*key);
            held.is_some_and(|held| !self.is_expired(held.client, now))
        });
        self.recall_all(&found, false, out)
    }

    /// Recalls delegations; returns whether any of them is left.
    fn recall_all(&mut self, found: &[DelegationKey], truncate: bool, out: &mut Outbox) -> bool {
        let mut any = false;
        for key in found.iter().copied() {
            self.recall(key, truncate, RecallReason::Conflict, out);
            any |= self
                .states
                .delegation(key)
                .is_some_and(|held| !held.is_revoked());
        }
        any
    }

    /// A program that is no client is about to access a file in this way.
    pub(crate) fn touched(&mut self, fh: &Fh, touch: Touch, out: &mut Outbox) {
        self.recall_for(fh, None, touch, false, out);
        // No client reports when it is done.
        let until = out.now.mono.after(self.config.delegation_pause);
        self.guards.note_recall(fh, until);
    }

    /// Recalls a delegation.
    pub(crate) fn recall(
        &mut self,
        key: DelegationKey,
        truncate: bool,
        reason: RecallReason,
        out: &mut Outbox,
    ) {
        let now = out.now;
        let Some(held) = self.states.delegation(key) else {
            return;
        };
        let is_lost = held.doomed.is_some() || self.is_expired(held.client, now.mono);
        if !held.is_revoked() && is_lost {
            // The holder is not called back, and no request waits for it.
            self.revoke(key, out);
            return;
        }
        match held.phase {
            DelegationPhase::Held => {
                let (client, kind) = (held.client, held.kind);
                let until = now.mono.after(self.lease_length(client));
                let Some(held) = self.states.delegation_mut(key) else {
                    return;
                };
                held.phase = DelegationPhase::Recalled(Recall {
                    until,
                    progress: RecallProgress::No,
                    again: now.mono,
                    truncate,
                    refusals: 0,
                });
                let client = self.clients.get(client).map_or(0, |client| client.id);
                out.event(Event::DelegationRecalled {
                    client,
                    kind,
                    reason,
                });
                self.pause_delegating(key, now.mono);
                self.set_timer(until, Due::Recall(key));
                self.send_recall(key, out);
            }
            DelegationPhase::Recalled(recall) if now.mono >= recall.until => {
                self.revoke(key, out);
            }
            DelegationPhase::Recalled(_) => self.send_recall(key, out),
            DelegationPhase::Revoked(_) => {}
        }
    }

    /// The reply that grants a delegation says that it is recalled: no CB_RECALL is sent.
    pub(crate) fn recall_by_reply(&mut self, key: DelegationKey, now: Mono) {
        let Some(held) = self.states.delegation(key) else {
            return;
        };
        let until = now.after(self.lease_length(held.client));
        if let Some(held) = self.states.delegation_mut(key) {
            held.phase = DelegationPhase::Recalled(Recall {
                until,
                progress: RecallProgress::Yes,
                again: now,
                truncate: false,
                refusals: 0,
            });
        }
        self.set_timer(until, Due::Recall(key));
    }

    /// Checks whether a recall has had its time, or must be sent again.
    pub(crate) fn on_recall_timer(&mut self, key: DelegationKey, out: &mut Outbox) {
        let Some(held) = self.states.delegation(key) else {
            return;
        };
        match held.phase {
            DelegationPhase::Recalled(recall) if out.now.mono >= recall.until => {
                if !self.revoke(key, out) {
                    let again = out.now.mono.after(self.stores.pause());
                    self.set_timer(again, Due::Recall(key));
                }
            }
            DelegationPhase::Recalled(_) => self.send_recall(key, out),
            DelegationPhase::Held | DelegationPhase::Revoked(_) => {}
        }
    }

    /// CB_RECALL has ended. [RFC 8881 §20.2.4]
    pub(crate) fn recall_ended(&mut self, key: DelegationKey, end: CallbackEnd, out: &mut Outbox) {
        let held = self.states.delegation_mut(key);
        let Some(recall) = held.and_then(Delegation::recall_mut) else {
            return;
        };
        recall.progress = RecallProgress::No;
        let wait = match end {
            CallbackEnd::Done {
                status: Status::OK, ..
            } => {
                recall.progress = RecallProgress::Yes;
                return;
            }
            CallbackEnd::Done {
                status: Status::DELAY,
                ..
            } => BUSY,
            // The client may not know the delegation because the callback has overtaken the reply that
            // granted it. If it says so again, it will not return it. That the delegation is revoked and not
            // removed shows in the client's status flags, should it have the delegation after all.
            CallbackEnd::Done { .. } if recall.refusals > 0 => {
                if self.revoke(key, out) {
                    return;
                }
                let again = out.now.mono.after(self.stores.pause());
                let held = self.states.delegation_mut(key);
                let Some(recall) = held.and_then(Delegation::recall_mut) else {
                    return;
                };
                recall.again = again;
                self.set_timer(again, Due::Recall(key));
                return;
            }
            CallbackEnd::Done { .. } => {
                recall.refusals += 1;
                REFUSED
            }
            CallbackEnd::Failed(_) => FAILED,
        };
        let again = out.now.mono.after(wait);
        recall.again = again;
        self.set_timer(again, Due::Recall(key));
    }

    /// Revokes a delegation that was not returned, or whose holder's lease has expired: it is of no use to the
    /// client from now on, also if that comes back; `false` if others must wait until the client cannot reclaim
    /// it after a restart.
    pub(crate) fn revoke(&mut self, key: DelegationKey, out: &mut Outbox) -> bool {
        let now = out.now.mono;
        let Some(held) = self.states.delegation(key) else {
            return true;
        };
        let (client, recalled) = (held.client, held.is_recalled());
        let why = held.doomed.unwrap_or(match self.is_expired(client, now) {
            true => Revocation::LeaseExpired,
            false => Revocation::NotReturned,
        });
        if let Some(fh) = self.states.delegated_fh(key)
            && let Durable::After(ticket) = self.record_loss(client, &fh, out)
        {
            self.stores.delays(ticket);
            if let Some(held) = self.states.delegation_mut(key) {
                held.doomed = Some(why);
            }
            return false;
        }
        self.pause_delegating(key, now);
        if recalled {
            self.record_lapse(client, now);
        }
        self.take_delegation(key, why, out);
        true
    }

    /// Revokes a delegation without a recall, since its file is not served any more.
    pub(crate) fn revoke_for_administrator(&mut self, key: DelegationKey, out: &mut Outbox) {
        self.take_delegation(key, Revocation::Administrator, out);
    }

    fn take_delegation(&mut self, key: DelegationKey, why: Revocation, out: &mut Outbox) {
        let Some(held) = self.states.delegation(key) else {
            return;
        };
        let (client_key, kind) = (held.client, held.kind);
        self.end_lease(key, out);
        self.states.revoke(key, why);
        let Some(client) = self.clients.get_mut(client_key) else {
            return;
        };
        client.revoked += 1;
        client.revoked_by_administrator += u32::from(why == Revocation::Administrator);
        client.lost.delegations += u32::from(why == Revocation::LeaseExpired);
        let (id, minor) = (client.id, client.about.minor);
        out.event(Event::DelegationRevoked { client: id, kind });
        if minor == 0 {
            // Such a client cannot acknowledge it.
            self.undelegate(key, Ending::Lost, out);
        }
        if why == Revocation::LeaseExpired {
            self.note_loss(client_key, out);
        }
    }

    /// Removes a delegation: its client returns it, or acknowledges that it is lost, or goes.
    pub(crate) fn undelegate(&mut self, key: DelegationKey, why: Ending, out: &mut Outbox) {
        self.end_lease(key, out);
        let Some(held) = self.states.delegation(key) else {
            return;
        };
        let (of, revoked) = (held.client, held.is_revoked());
        let expired = held.phase == DelegationPhase::Revoked(Revocation::LeaseExpired);
        let by_administrator = held.phase == DelegationPhase::Revoked(Revocation::Administrator);
        if held.is_recalled() {
            self.pause_delegating(key, out.now.mono);
        }
        let Some(client) = self.clients.get_mut(of) else {
            return;
        };
        client.revoked.lower(u32::from(revoked));
        client
            .revoked_by_administrator
            .lower(u32::from(by_administrator));
        client.lost.delegations.lower(u32::from(expired));
        client.lost.all &= !client.lost.is_empty();
        self.states.undelegate(&mut client.delegations, key, why);
        self.clients.note_idle(of);
    }

    /// A file has lost its last name, by the client that holds its delegation: it cannot be opened by
    /// name, so its delegations end with its last open.
    pub(crate) fn file_is_gone(&mut self, file: FileKey, out: &mut Outbox) {
        self.states.is_gone(file);
        self.end_delegations_of_unopened(file, out);
    }

    /// Ends the delegations of a file that is not there any more; at most as many as a file may have.
    pub(crate) fn end_delegations_of_unopened(&mut self, file: FileKey, out: &mut Outbox) {
        while let Some(key) = self.states.delegation_of_unopened(file) {
            self.end_with_file(key, out);
        }
    }

    /// The file system does not know a file any more, and this client gets STALE and forgets what it has of
    /// it.
    pub(crate) fn note_stale_file(&mut self, fh: &Fh, sender: Option<ClientKey>, out: &mut Outbox) {
        let own = sender.and_then(|client| self.states.delegation_to(client, fh));
        if let Some(own) = own {
            self.end_with_file(own, out);
        }
    }

    /// A delegation ends with its file; its holder need not know that when it returns it.
    fn end_with_file(&mut self, key: DelegationKey, out: &mut Outbox) {
        let holder = self.states.delegation(key).map(|held| held.client);
        self.undelegate(key, Ending::Asked, out);
        if let Some(client) = holder.and_then(|holder| self.clients.get_mut(holder)) {
            client.forgets_soon(key);
        }
    }

    /// Sends CB_RECALL unless that has been done, or it is too soon.
    fn send_recall(&mut self, key: DelegationKey, out: &mut Outbox) {
        let now = out.now;
        let Some(fh) = self.states.delegated_fh(key) else {
            return;
        };
        let stateid = self.states.delegation_stateid(key);
        let Some(held) = self.states.delegation_mut(key) else {
            return;
        };
        let (client, granted) = (held.client, held.granted_by);
        let Some(recall) = held.recall_mut() else {
            return;
        };
        if recall.progress != RecallProgress::No || now.mono < recall.again {
            return;
        }
        recall.progress = RecallProgress::Asked;
        let op = CallbackOp::Recall {
            stateid,
            truncate: recall.truncate,
            fh,
            granted,
        };
        let hint = granted.map(|by| by.session);
        let accepted = self.send_callback_to(client, hint, op, CallPurpose::Recall(key), out);
        if accepted.is_err()
            && let Some(held) = self.states.delegation_mut(key)
            && let Some(recall) = held.recall_mut()
        {
            recall.progress = RecallProgress::No;
            recall.again = now.mono.after(FAILED);
            let again = recall.again;
            self.set_timer(again, Due::Recall(key));
        }
    }

    /// Keeps the file of a recalled delegation from being delegated again for a while: other clients will
    /// want it again.
    fn pause_delegating(&mut self, key: DelegationKey, now: Mono) {
        if let Some(fh) = self.states.delegated_fh(key) {
            let until = now.after(self.config.delegation_pause);
            self.guards.note_recall(&fh, until);
        }
    }
}

/// How long to wait before a busy client gets CB_RECALL again.
const BUSY: Duration = Duration::from_secs(1);
/// The same for a client that did not know the delegation.
const REFUSED: Duration = Duration::from_secs(2);
/// The same for a client that could not be reached.
const FAILED: Duration = Duration::from_secs(5);
