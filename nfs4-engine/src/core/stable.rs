//! Writes to stable storage: the records of clients, and when they are durable.
//! [RFC 8881 §8.4.2, §8.4.3]

use alloc::vec::Vec;

use nfs4_proto::nfs4::status::Status;

use crate::action::{Action, Outbox};
use crate::client::Client;
use crate::core::Core;
use crate::event::{ClientGone, Event};
use crate::fh::Fh;
use crate::keys::{ClientKey, CompoundKey, OpenOwnerKey};
use crate::stable::{ClientRecord, RecordKey, StableError, StableTicket, StableWrite};
use crate::stores::{FailedStore, StorePurpose};
use crate::timer::Due;

/// Whether stable storage has what an operation depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Durable {
    /// It has, or nothing depends on it.
    Yes,
    /// Once this write has ended.
    After(StableTicket),
    /// There is no such client.
    Never,
}

impl Core {
    /// Asks for a write, if there is stable storage.
    pub(crate) fn store(
        &mut self,
        write: StableWrite,
        purpose: StorePurpose,
        out: &mut Outbox,
    ) -> Option<StableTicket> {
        if !self.stores.are_kept {
            return None;
        }
        let ticket = self.stores.begin(purpose);
        out.push(Action::Stable { ticket, write });
        Some(ticket)
    }

    /// Sees to a record of a client, by which it can reclaim its state after a restart.
    pub(crate) fn record_client(&mut self, key: ClientKey, out: &mut Outbox) -> Durable {
        let is_grace = self.in_grace(out.now.mono);
        let Some(client) = self.clients.get_mut(key) else {
            return Durable::Never;
        };
        let recorded = &mut client.recorded;
        if !is_grace {
            recorded.knows_told();
        }
        if !self.stores.are_kept || recorded.is_durable() && !recorded.owes_knowledge() {
            return Durable::Yes;
        }
        if client.going.is_some() {
            return Durable::Never;
        }
        match client.recorded.forgetting.or(client.recorded.writing) {
            Some(ticket) => Durable::After(ticket),
            None => self.write_record(key, out),
        }
    }

    /// Whether a client can reclaim after a restart what it gets now.
    ///
    /// # Errors
    /// DELAY until that is so: its record may be missing, or says of something that the client has lost it.
    pub(crate) fn admit_recorded(
        &mut self,
        key: ClientKey,
        out: &mut Outbox,
    ) -> Result<(), Status> {
        match self.record_client(key, out) {
            Durable::Yes => Ok(()),
            Durable::After(ticket) => {
                self.stores.delays(ticket);
                Err(Status::DELAY)
            }
            Durable::Never => Err(Status::DELAY),
        }
    }

    /// Notes that the server takes state of a file from a client, which may not reclaim anything of that
    /// file until it knows. The state may be given to others once that is durable.
    pub(crate) fn record_loss(&mut self, key: ClientKey, fh: &Fh, out: &mut Outbox) -> Durable {
        let Some(client) = self.clients.get_mut(key) else {
            return Durable::Yes;
        };
        if client.going.is_some() {
            // A record that is written after it is forgotten would stay.
            return self.forget_record(key, out);
        }
        if let Some(ticket) = client.recorded.forgetting {
            return Durable::After(ticket);
        }
        // A client without a record reclaims nothing at all; one that is written later has the loss.
        if client.recorded.loses(fh) || !client.recorded.is_any() {
            return Durable::Yes;
        }
        match client.recorded.writing {
            Some(ticket) => Durable::After(ticket),
            None => self.write_record(key, out),
        }
    }

    /// A client knows that it has lost its state of this file, if one is given, or else perhaps of all.
    pub(crate) fn record_knowledge(&mut self, key: ClientKey, fh: Option<&Fh>, out: &mut Outbox) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let has_more = client.lost.remembered() > 0;
        let has_lost = client.revoked > 0 || !client.lost.is_empty() || has_more;
        let knows_all = client.about.minor > 0 && !has_lost;
        let recorded = &mut client.recorded;
        let changed = if knows_all {
            recorded.knows_all()
        } else {
            // What it does not know of may be of the same file.
            !has_more && fh.is_some_and(|fh| recorded.knows(fh))
        };
        if changed {
            self.write_knowledge(key, out);
        }
    }

    /// An open-owner of a client of minor version 0 sends its next request: the client has the reply to the last
    /// one, which may have said that it has lost its state of a file. That is recorded after the grace period, by
    /// its next OPEN. [RFC 7530 §9.1.7]
    pub(crate) fn note_told(&mut self, key: ClientKey, owner: OpenOwnerKey) {
        if let Some(client) = self.clients.get_mut(key) {
            client.recorded.goes_on(owner);
        }
    }

    /// The record has to say of something no more that the client has lost it.
    fn write_knowledge(&mut self, key: ClientKey, out: &mut Outbox) {
        let client = self.clients.get(key);
        let is_any = client.is_some_and(|client| client.recorded.is_any());
        self.end_doomed(key, out);
        let Some(client) = self.clients.get_mut(key).filter(|_| is_any) else {
            return;
        };
        let recorded = &mut client.recorded;
        if recorded.writing.is_some() {
            recorded.is_outdated = true;
        } else {
            // Until it is written, the client may reclaim less than it could.
            let _ = self.write_record(key, out);
        }
    }

    /// Sees to it that a client can reclaim nothing after a restart: before the state of a client that still
    /// believes to have it ends.
    pub(crate) fn forget_record(&mut self, key: ClientKey, out: &mut Outbox) -> Durable {
        let Some(client) = self.clients.get(key) else {
            return Durable::Never;
        };
        if !client.recorded.is_any() {
            return Durable::Yes;
        }
        if let Some(ticket) = client.recorded.forgetting {
            return Durable::After(ticket);
        }
        let write = StableWrite::Forget {
            key: key_of(client),
        };
        let ticket = self.store(write, StorePurpose::Forget(key), out);
        if let Some(client) = self.clients.get_mut(key) {
            client.recorded.forgetting = ticket;
        }
        ticket.map_or(Durable::Yes, Durable::After)
    }

    /// A client is about to go, and is forgotten; nothing waits for that. One that has not completed its
    /// reclaims may come back for them as long as no other client has got anything.
    pub(crate) fn forget_gone(&mut self, key: ClientKey, reason: ClientGone, out: &mut Outbox) {
        let Some(client) = self.clients.get(key) else {
            return;
        };
        let for_good = matches!(reason, ClientGone::Request | ClientGone::Evicted);
        let was_former = for_good && client.recovered.is_some() && !self.recovered.is_empty();
        let is_any = client.recorded.is_any();
        let is_settled = was_former || is_any || client.recorded.is_forgotten;
        if is_any || was_former {
            let key = key_of(client);
            self.store(
                StableWrite::Forget { key: key.clone() },
                StorePurpose::Gone(key),
                out,
            );
        }
        if is_settled {
            self.settle_reclaims(key, out);
        }
    }

    /// DELAY instead of the status of a conflict, if state that may conflict is about to end.
    pub(crate) fn or_delay(&mut self, conflict: Status) -> Status {
        match self.stores.forgetting() {
            Some(ticket) => {
                self.stores.delays(ticket);
                Status::DELAY
            }
            None => conflict,
        }
    }

    /// DELAY for a client whose own state is ending that was taken from it: once its loss is durable.
    pub(crate) fn delay_until_lost(&mut self, key: ClientKey) -> Status {
        let recorded = self.clients.get(key).map(|client| &client.recorded);
        if let Some(ticket) = recorded.and_then(|it| it.forgetting.or(it.writing)) {
            self.stores.delays(ticket);
        }
        Status::DELAY
    }

    /// A write has ended. Returns the COMPOUNDs that have waited for it.
    pub(crate) fn store_ended(
        &mut self,
        ticket: StableTicket,
        result: Result<(), StableError>,
        out: &mut Outbox,
    ) -> Vec<CompoundKey> {
        let Some(store) = self.stores.end(ticket) else {
            return Vec::new();
        };
        let stored = result.is_ok();
        match store.purpose {
            StorePurpose::Record(key) => {
                self.record_written(key, stored, out);
                self.losses_stored(key, out);
            }
            StorePurpose::Forget(key) => {
                if let Some(client) = self.clients.get_mut(key) {
                    client.recorded.end_forgetting(stored);
                    let is_going = client.going.is_some();
                    let owes = client.recorded.owes_loss() || !client.doomed.is_empty();
                    let is_late = client.recorded.is_late();
                    if stored && is_going {
                        self.set_timer(out.now.mono, Due::Lease(key));
                    } else if is_late || !stored && (is_going || owes) {
                        // The next incarnation may fail to take its place, for which it was to be forgotten.
                        self.note_failed(key);
                    }
                    // Else a client asks for it again.
                }
                self.losses_stored(key, out);
            }
            StorePurpose::Gone(_) if stored => {}
            StorePurpose::Gone(key) => self.stores.note_failed(FailedStore::Gone(key)),
            StorePurpose::GraceOver => self.grace_end_stored(stored, out),
        }
        if let Some(at) = self.stores.next_try(stored, out.now.mono) {
            self.set_timer(at, Due::Stores);
        }
        if let Err(error) = result
            && let Some(failures) = self.stores.note_failure(out.now.mono)
        {
            out.event(Event::StableFailed { error, failures });
        }
        store.waiting
    }

    fn record_written(&mut self, key: ClientKey, stored: bool, out: &mut Outbox) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        client.recorded.end(stored);
        if !stored {
            let recorded = &client.recorded;
            if recorded.is_late() || recorded.owes_loss() || !client.doomed.is_empty() {
                self.note_failed(key);
            }
            return;
        }
        let recorded = &client.recorded;
        // It may have been forgotten after this write, although that is heard of first.
        if (recorded.is_behind() || recorded.is_late()) && recorded.forgetting.is_none() {
            let _ = self.write_record(key, out);
        }
        self.end_doomed(key, out);
    }

    /// A write has failed, or a record is missing, that no client asks for again.
    fn note_failed(&mut self, key: ClientKey) {
        if let Some(client) = self.clients.get_mut(key)
            && !core::mem::replace(&mut client.recorded.is_failed, true)
        {
            self.stores.note_failed(FailedStore::Of(key));
        }
    }

    /// Tries writes again that have failed; `false` if there are more than `budget` allows.
    pub(crate) fn on_stores_timer(&mut self, budget: &mut usize, out: &mut Outbox) -> bool {
        let mut most = self.stores.try_again();
        while most > 0 && self.stores.is_any_failed() {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            let key = match self.stores.take_failed() {
                Some(FailedStore::Of(key)) => key,
                Some(FailedStore::Gone(key)) => {
                    most -= usize::from(self.forget_again(key, out));
                    continue;
                }
                None => break,
            };
            let Some(client) = self.clients.get_mut(key) else {
                continue;
            };
            let recorded = &mut client.recorded;
            recorded.is_failed = false;
            let is_due = recorded.is_late()
                || recorded.is_behind()
                || recorded.owes_loss()
                || !client.doomed.is_empty();
            if recorded.forgetting.is_some() {
                continue;
            } else if client.going.is_some() {
                let _ = self.forget_record(key, out);
            } else if recorded.writing.is_none() && is_due {
                let _ = self.write_record(key, out);
            } else {
                continue;
            }
            most -= 1;
        }
        true
    }

    /// Tries again to forget a client that is gone, unless it has come back and the record is that of its new
    /// incarnation; returns whether that is so.
    fn forget_again(&mut self, key: RecordKey, out: &mut Outbox) -> bool {
        let minor = u32::from(!key.v40);
        let of_owner = self.clients.of_owner(minor, &key.owner);
        let back = [of_owner.confirmed, of_owner.unconfirmed];
        let mut back = back
            .iter()
            .flatten()
            .filter_map(|key| self.clients.get(*key));
        if back.any(|client| client.recorded.is_any() && key_of(client) == key) {
            return false;
        }
        self.store(
            StableWrite::Forget { key: key.clone() },
            StorePurpose::Gone(key),
            out,
        );
        true
    }

    fn write_record(&mut self, key: ClientKey, out: &mut Outbox) -> Durable {
        let lease = self.lease_length(key);
        let Some(client) = self.clients.get_mut(key) else {
            return Durable::Never;
        };
        if let Some(ticket) = client.recorded.forgetting {
            return Durable::After(ticket);
        }
        if client.going.is_some() {
            return Durable::Never;
        }
        let mut record = ClientRecord::new(key_of(client), client.verifier.0, lease);
        client.recorded.begin(&mut record);
        let write = StableWrite::Client(record);
        let ticket = self.store(write, StorePurpose::Record(key), out);
        if let Some(client) = self.clients.get_mut(key) {
            client.recorded.writing = ticket;
        }
        ticket.map_or(Durable::Yes, Durable::After)
    }
}

/// The key of a client's record.
pub(crate) fn key_of(client: &Client) -> RecordKey {
    RecordKey {
        v40: client.about.minor == 0,
        owner: client.owner.to_vec(),
        flavor: client.principal.flavor(),
        uid: client.principal.uid(),
    }
}
