//! Courtesy to clients whose leases have expired: their state stays until another client needs it, room is
//! short, or they have been away for too long. [RFC 8881 §8.4.2.4, RFC 7530 §9.6.3.1]

use crate::action::Outbox;
use crate::callback::CallbackFailed;
use crate::client::Client;
use crate::core::Core;
use crate::core::removal::Removal;
use crate::event::{ClientGone, Event};
use crate::ids::ConnId;
use crate::keys::ClientKey;
use crate::peer::{LimitReached, Peer};
use crate::state::table::WALKED_AT_ONCE;
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Whether nothing of a client is kept: it is gone, or its lease has expired and the server is not
    /// courteous to it. The clock decides.
    pub(crate) fn is_lost(&self, key: ClientKey, now: Mono) -> bool {
        let Some(client) = self.clients.get(key) else {
            return true;
        };
        client.going.is_some()
            || self.is_expired(key, now)
                && !(self.deserves_courtesy(client) && now <= self.courtesy_end(client))
    }

    /// Whether the state of a client would be kept beyond its lease: not what was taken from it and has not ended.
    /// A client of 4.0 that is left with nothing learns that from any use of its client id. [RFC 7530 §9.6.3.2]
    fn deserves_courtesy(&self, client: &Client) -> bool {
        !self.config.courtesy.is_zero() && client.confirmed && client.has_own_state()
    }

    /// Until when the state of a client is kept if its lease is not renewed.
    fn courtesy_end(&self, client: &Client) -> Mono {
        let lease = self.lease_of(client).renewed();
        let length = self.terms.of(client.since);
        lease.after(length).after(self.config.courtesy)
    }

    /// The lease of a client has expired; its state is kept for now, and the client is not called back.
    pub(super) fn begin_courtesy(&mut self, key: ClientKey, out: &mut Outbox) {
        let Some(client) = self.clients.get(key) else {
            return;
        };
        let (id, end) = (client.id, self.courtesy_end(client));
        self.clients.begin_courtesy(key);
        if self.courtesy_check == Mono::NEVER {
            self.check_courtesy_at(end.after(ONE));
        }
        self.close_path(key, CallbackFailed::Cancelled, out);
        out.event(Event::ClientCourteous { client: id });
    }

    /// A client has renewed its lease, which had expired; by this connection it has come back.
    #[cold]
    pub(crate) fn end_courtesy(&mut self, key: ClientKey, by: ConnId, out: &mut Outbox) {
        if !self.clients.end_courtesy(key) {
            return;
        }
        let Some(client) = self.clients.get(key) else {
            return;
        };
        let (id, minor) = (client.id, client.about.minor);
        let length = self.terms.of(client.since);
        let again = self.lease_of(client).next_check(out.now.mono, length);
        self.set_timer(again, Due::Lease(key));
        out.event(Event::ClientReturned { client: id });
        // What it has not lost after all, it may reclaim.
        self.record_knowledge(key, None, out);
        if minor == 0 {
            self.open_path(key, by, out);
        }
    }

    /// How long courtesy lasts has changed.
    pub(super) fn courtesy_changed(&mut self, now: Mono) {
        if self.clients.courteous().is_some() {
            self.check_courtesy_at(now);
        }
    }

    fn check_courtesy_at(&mut self, at: Mono) {
        self.courtesy_check = at;
        self.set_timer(at, Due::Courtesy);
    }

    /// Removes clients to which the server has been courteous for long enough; `false` if there is more to
    /// do than `budget` allows.
    pub(crate) fn on_courtesy_timer(&mut self, budget: &mut usize, out: &mut Outbox) -> bool {
        let now = out.now.mono;
        if now < self.courtesy_check {
            // Another timer is set for a later time.
            return true;
        }
        // They are listed in the order in which their leases expired.
        while let Some(key) = self.clients.courteous() {
            if !self.is_lost(key, now) {
                let client = self.clients.get(key);
                let end = client.map_or(now, |client| self.courtesy_end(client));
                self.check_courtesy_at(end.after(ONE));
                return true;
            }
            // One that stable storage is to forget first is listed no more.
            let reason = ClientGone::LeaseExpired;
            if *budget == 0 || self.remove_client(key, reason, budget, out) == Removal::Later {
                return false;
            }
        }
        self.courtesy_check = Mono::NEVER;
        true
    }

    /// The limit that keeps a peer from having more, once clients with expired leases have given way: those
    /// of the peer's own host first, and of others if the limit is reached because of them.
    pub(super) fn admit(
        &mut self,
        peer: Peer,
        out: &mut Outbox,
        admits: impl Fn(&Core) -> Result<(), LimitReached>,
    ) -> Result<(), LimitReached> {
        let Err(mut full) = self.admit_beside_kept(out, &admits) else {
            return Ok(());
        };
        let mut budget = WALKED_AT_ONCE;
        loop {
            let own = self.clients.courteous_of(peer);
            let other = match full {
                LimitReached::Share | LimitReached::Soon => None,
                LimitReached::Others | LimitReached::Node => self.clients.courteous(),
            };
            let Some(first) = own.or(other) else {
                return Err(full);
            };
            let reason = ClientGone::LeaseExpired;
            if budget == 0 {
                return Err(LimitReached::Soon);
            }
            match self.remove_client(first, reason, &mut budget, out) {
                Removal::Done => {}
                Removal::Later => return Err(LimitReached::Soon),
                Removal::Waits(ticket) => {
                    self.stores.delays(ticket);
                    return Err(LimitReached::Soon);
                }
            }
            match admits(self) {
                Ok(()) => return Ok(()),
                Err(again) => full = again,
            }
        }
    }

    /// The limit that keeps a peer from having more, once clients are removed whose state is not kept.
    pub(super) fn admit_beside_kept(
        &mut self,
        out: &mut Outbox,
        admits: impl Fn(&Core) -> Result<(), LimitReached>,
    ) -> Result<(), LimitReached> {
        if admits(self).is_ok() {
            return Ok(());
        }
        self.expire(out);
        admits(self)
    }
}

/// The first moment after an end.
const ONE: core::time::Duration = core::time::Duration::from_nanos(1);
