//! The grace period: after a start, new opens and locks wait until clients have reclaimed theirs.
//! [RFC 8881 §8.4.2.1, RFC 7530 §9.6.2]

use core::time::Duration;

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::client::Client;
use crate::config::Config;
use crate::core::Core;
use crate::core::stable::key_of;
use crate::event::{Event, GraceEnd};
use crate::fh::Fh;
use crate::grace::GracePhase;
use crate::keys::ClientKey;
use crate::recovered::Recovered;
use crate::stable::StableWrite;
use crate::stores::{AGAIN, StorePurpose};
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Whether new opens get GRACE because other clients may still reclaim.
    pub(crate) fn in_grace(&self, now: Mono) -> bool {
        self.grace.runs(now)
    }

    /// Whether an access that a reclaimed open or delegation might forbid gets GRACE. No access does if no
    /// client can reclaim.
    pub(crate) fn awaits_reclaims(&self, now: Mono) -> bool {
        self.stores.are_kept && self.grace.runs(now)
    }

    /// Sets the timer for the end of the grace period, if there is one.
    pub(crate) fn watch_grace(&mut self) {
        if let Some(until) = self.grace.due() {
            self.set_timer(until, Due::Grace);
        }
    }

    /// How long the grace period lasts at most.
    pub(crate) fn grace_length(&self) -> Duration {
        grace_length(&self.config, &self.recovered, self.stores.are_kept)
    }

    /// The grace period has another length, counted from the start; one that is over stays over.
    pub(crate) fn change_grace(&mut self, now: Mono) {
        let length = self.grace_length();
        self.grace.move_end(self.started.mono.after(length), now);
        self.watch_grace();
    }

    /// The grace period may be over; once it is, drops what is known of a former server. `false` if there is
    /// more of that than `budget` allows.
    pub(crate) fn on_grace_timer(&mut self, budget: &mut usize, out: &mut Outbox) -> bool {
        let now = out.now.mono;
        match self.grace.phase() {
            GracePhase::Runs if self.grace.due().is_some_and(|until| now < until) => {
                self.watch_grace();
                true
            }
            GracePhase::Runs => {
                self.end_grace(GraceEnd::Over, out);
                true
            }
            GracePhase::Ends(reason) => {
                // The end could not be stored.
                self.end_grace(reason, out);
                true
            }
            GracePhase::Over => self.recovered.drop_some(budget),
        }
    }

    /// The administrator ends the grace period, if it runs.
    pub(crate) fn cut_grace(&mut self, out: &mut Outbox) {
        if self.grace.phase() == GracePhase::Runs && self.in_grace(out.now.mono) {
            self.end_grace(GraceEnd::Administrator, out);
        }
    }

    /// Begins the end of the grace period. Before it is stored, nothing new is granted: a client that has not
    /// reclaimed its state in time must not find its record after another restart.
    /// [RFC 8881 §8.4.3, second edge condition]
    fn end_grace(&mut self, reason: GraceEnd, out: &mut Outbox) {
        if self.grace.begin_end(reason, out.now.mono) {
            self.store(StableWrite::GraceOver, StorePurpose::GraceOver, out);
        } else {
            self.grace_is_over(reason, out);
        }
    }

    /// The end of the grace period was stored, or could not be.
    pub(super) fn grace_end_stored(&mut self, stored: bool, out: &mut Outbox) {
        let GracePhase::Ends(reason) = self.grace.phase() else {
            return;
        };
        if stored {
            self.grace_is_over(reason, out);
        } else {
            self.set_timer(out.now.mono.after(AGAIN), Due::Grace);
        }
    }

    /// Reports the end of the grace period if that has not been done.
    fn grace_is_over(&mut self, reason: GraceEnd, out: &mut Outbox) {
        if self.grace.end() {
            out.event(Event::GraceEnded { reason });
            if !self.recovered.is_empty() {
                self.set_timer(out.now.mono, Due::Grace);
            }
        }
    }
}

impl Core {
    /// Whether a client may reclaim state, of this file if one is given.
    ///
    /// # Errors
    /// NO_GRACE if it may reclaim nothing, RECLAIM_BAD if it has lost its state of that file.
    pub(crate) fn may_reclaim(
        &self,
        client: ClientKey,
        fh: Option<&Fh>,
        now: Mono,
    ) -> Result<(), Status> {
        if !self.grace.takes_reclaims(now) {
            return Err(Status::NO_GRACE);
        }
        let client = self.clients.get(client).ok_or(Status::DELAY)?;
        let place = client.recovered.ok_or(Status::NO_GRACE)?;
        let former = self.recovered.reclaimer(place, client.verifier);
        let former = former.ok_or(Status::NO_GRACE)?;
        if fh.is_some_and(|fh| former.has_lost(fh)) {
            return Err(Status::RECLAIM_BAD);
        }
        Ok(())
    }

    /// Whether a client of minor version 0 has state, or may reclaim some: then no client of another principal takes
    /// its place. One of a later version has a session.
    pub(crate) fn has_state_of_its_own(&self, key: ClientKey, now: Mono) -> bool {
        let client = self.clients.get(key);
        client.is_some_and(Client::has_state) || self.may_reclaim(key, None, now).is_ok()
    }

    /// A client is confirmed: notes which client of a former server it is. One that has restarted since has
    /// nothing to reclaim.
    pub(crate) fn recognise(&mut self, key: ClientKey, out: &mut Outbox) {
        if self.recovered.is_empty() {
            return;
        }
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let is_known = client.recovered.is_some();
        client.recovered = self.recovered.find(&key_of(client));
        let Some(place) = client.recovered else {
            return;
        };
        match self.recovered.incarnation(place, client.verifier) {
            // A client of minor version 0 never says that it knows all that it has lost.
            Some(former) if client.about.minor == 0 && !is_known => {
                let nothing = former.reclaims_nothing();
                client.recorded.inherit(former.lost(), nothing);
            }
            Some(_) => {}
            None => self.settle_reclaims(key, out),
        }
    }

    /// A client reclaims nothing more. The grace period ends when that is so of all clients.
    pub(crate) fn settle_reclaims(&mut self, key: ClientKey, out: &mut Outbox) {
        let place = self.clients.get(key).and_then(|client| client.recovered);
        if place.is_some_and(|place| self.recovered.settle(place))
            && self.recovered.missing() == (0, 0)
            && self.grace.takes_reclaims(out.now.mono)
        {
            self.end_grace(GraceEnd::Reclaimed, out);
        }
    }
}

/// The length of the grace period. With clients that may reclaim it is at least their lease, unless a
/// setting says otherwise. [RFC 8881 §8.4.2.1]
pub(super) fn grace_length(config: &Config, recovered: &Recovered, kept: bool) -> Duration {
    if !kept {
        config.grace
    } else if recovered.known() == 0 {
        Duration::ZERO
    } else if config.grace.is_zero() {
        config.lease.max(recovered.longest_lease)
    } else {
        config.grace
    }
}
