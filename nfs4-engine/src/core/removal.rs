//! Removal of sessions, opens and clients from all tables.

use alloc::vec::Vec;

use crate::action::{Action, Outbox};
use crate::callback::CallbackFailed;
use crate::core::Core;
use crate::core::stable::Durable;
use crate::count::Count;
use crate::event::{ClientGone, Event, SessionGone};
use crate::fh::Fh;
use crate::fs::{ByteLock, FsHandle};
use crate::keys::{ClientKey, FileKey, OpenKey, SessionKey};
use crate::stable::StableTicket;
use crate::state::ending::Ending;
use crate::timer::Due;

impl Core {
    /// Removes a session from every table.
    pub(crate) fn destroy_session(
        &mut self,
        key: SessionKey,
        reason: SessionGone,
        out: &mut Outbox,
    ) {
        let Some(mut session) = self.sessions.remove(key) else {
            return;
        };
        out.metrics
            .session_lived(out.now.mono.since(session.created.mono));
        self.states.walked += session.bindings.len();
        self.unbind_all(key, &session, reason, out);
        if let Some(client) = self.clients.get_mut(session.client) {
            client.sessions.retain(|own| *own != key);
            // Requests that still run keep the lease until they are answered.
            client.lease.join(session.last_used, session.running);
            client.traffic.add(session.traffic);
            self.clients.note_idle(session.client);
        }
        out.event(Event::SessionDestroyed {
            session: session.id,
            reason,
        });
        self.cancel_callbacks(session.back.clear(), out);
    }

    /// Closes an open at its owner's request, and releases the file.
    pub(crate) fn close(&mut self, key: OpenKey, out: &mut Outbox) {
        self.end_open(key, Ending::Asked, out);
    }

    /// Ends an open, and releases the file.
    pub(crate) fn end_open(&mut self, key: OpenKey, why: Ending, out: &mut Outbox) {
        if let Some(file) = self.drop_open(key, why, out) {
            self.end_delegations_of_unopened(file, out);
            self.grant_locks(file, out);
        }
    }

    /// Ends an open, and releases the file, which is returned; delegations and waiters of the file stay.
    pub(crate) fn drop_open(
        &mut self,
        key: OpenKey,
        why: Ending,
        out: &mut Outbox,
    ) -> Option<FileKey> {
        let open = self.states.get(key)?;
        let (key_of_client, file, taken) = (open.client, open.file, open.revoked);
        let client = self.clients.get_mut(key_of_client)?;
        client.taken.lower(u32::from(taken));
        if let Some(fh) = self.states.close(&mut client.opens, key, why) {
            self.release(fh.export, fh.handle, out);
        }
        self.clients.note_idle(key_of_client);
        Some(file)
    }

    /// Releases a file that a file system holds for an open.
    pub(crate) fn release(&self, export: u16, fh: FsHandle, out: &mut Outbox) {
        if let Some(backend) = self.exports.backend(export) {
            out.push(Action::Release {
                export,
                backend,
                fh,
            });
        }
    }

    /// Returns to file systems the locks that have ended.
    pub(crate) fn return_unlocked(&mut self, out: &mut Outbox) {
        for (fh, locks) in core::mem::take(&mut self.states.unlocked) {
            self.unlock(&fh, locks, out);
        }
    }

    /// Returns locks that a file system has counted.
    pub(crate) fn unlock(&self, fh: &Fh, locks: Vec<ByteLock>, out: &mut Outbox) {
        if let Some(backend) = self.exports.backend(fh.export) {
            out.push(Action::Unlock {
                export: fh.export,
                backend,
                fh: fh.handle,
                locks,
            });
        }
    }

    /// Takes up to `budget` steps to remove a client with all its state. State that the client still
    /// believes to have ends only when the client can reclaim nothing after a restart, or another client
    /// could have got it meanwhile. [RFC 8881 §8.4.3, first edge condition]
    pub(crate) fn remove_client(
        &mut self,
        key: ClientKey,
        reason: ClientGone,
        budget: &mut usize,
        out: &mut Outbox,
    ) -> Removal {
        let now = out.now;
        // Also if another request finds what is left of it.
        let going = self.clients.get(key).and_then(|client| client.going);
        let reason = going.unwrap_or(reason);
        let session_reason = match reason {
            ClientGone::LeaseExpired => SessionGone::LeaseExpired,
            ClientGone::Request => SessionGone::Request,
            ClientGone::Replaced => SessionGone::Replaced,
            ClientGone::Evicted => SessionGone::Evicted,
            // Such a client has no session.
            ClientGone::Crowded => SessionGone::Replaced,
        };
        self.close_path(key, CallbackFailed::Cancelled, out);
        self.clients.end_courtesy(key);
        self.forget_losses(key);
        loop {
            let Some(client) = self.clients.get(key) else {
                return Removal::Done;
            };
            let (session, open) = (client.sessions.last().copied(), client.opens.any());
            let delegation = client.delegations.any();
            let stateless = session.is_none() && open.is_none() && delegation.is_none();
            let must_forget = open.is_some() || delegation.is_some() || client.recorded.owes_loss();
            if session.is_none()
                && must_forget
                && let Durable::After(ticket) = self.forget_record(key, out)
            {
                if let Some(client) = self.clients.get_mut(key) {
                    client.going = Some(reason);
                }
                return Removal::Waits(ticket);
            }
            if stateless && !self.states.has_owners(key) {
                break;
            }
            if *budget == 0 {
                // A client that has lost a part of its state must not use the rest.
                if let Some(client) = self.clients.get_mut(key) {
                    client.going = Some(reason);
                }
                if going.is_none() {
                    // The timer removes the rest.
                    self.timers.set(now.mono, Due::Lease(key));
                }
                return Removal::Later;
            }
            *budget -= 1;
            let before = self.states.walked;
            if let Some(session) = session {
                self.destroy_session(session, session_reason, out);
            } else if let Some(open) = open {
                // The locks under it go first, one by one.
                let most = (*budget).max(1);
                if self.states.end_locks_under(open, Ending::Lost, most) {
                    self.end_open(open, Ending::Lost, out);
                }
            } else if let Some(delegation) = delegation {
                let recalled = self
                    .states
                    .delegation(delegation)
                    .is_some_and(|held| held.is_recalled());
                if recalled && reason == ClientGone::LeaseExpired {
                    // The client fell silent instead of returning it.
                    self.record_lapse(key, now.mono);
                }
                self.undelegate(delegation, Ending::Lost, out);
            } else {
                self.states.forget_an_owner(key);
            }
            let walked = self.states.walked - before;
            *budget = budget.saturating_sub(walked.saturating_sub(1));
        }
        if let Some(client) = self.clients.get(key) {
            // Requests that still run find the client gone.
            self.states.release_reserved(key, client.opening as usize);
        }
        self.forget_gone(key, reason, out);
        let removed = self.clients.remove(key, reason);
        self.losses_stored(key, out);
        if let Some(client) = removed {
            self.peers.release(client.peer);
            if client.confirmed {
                out.event(Event::ClientGone {
                    client: client.id,
                    reason,
                });
            }
        }
        Removal::Done
    }
}

/// How far the removal of a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The client is gone.
    Done,
    /// There is more to remove; its timer does that.
    Later,
    /// Stable storage is to forget the client first; its timer is set then.
    Waits(StableTicket),
}
