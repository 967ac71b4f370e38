//! The tables of the engine, and what concerns several of them at once.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::action::{Action, Outbox};
use crate::boot::Boot;
use crate::callback::{CallbackFailed, Callbacks};
use crate::client::{Clients, Terms};
use crate::config::Config;
use crate::connection::Connections;
use crate::core::hold::Hold;
use crate::duplicates::Duplicates;
use crate::event::{ClientGone, Event, SessionGone};
use crate::exports::Exports;
use crate::faults::Faults;
use crate::fs::{Credential, FsHandle};
use crate::guards::Guards;
use crate::keys::{ClientKey, CompoundKey, OpenKey, SessionKey};
use crate::lapses::Lapses;
use crate::map::Keyed;
use crate::op_set::OpSet;
use crate::peer::{Held, Peer, Peers};
use crate::principal::Principal;
use crate::session::demand::Pressure;
use crate::session::table::Sessions;
use crate::state::States;
use crate::state::ending::Ending;
use crate::time::{Mono, Now};
use crate::timer::{Due, Timers};

/// Everything that the server knows.
pub(crate) struct Core {
    pub(crate) boot: Boot,
    pub(crate) config: Config,
    /// Operations that are refused by configuration.
    pub(crate) blocked: OpSet,
    pub(crate) exports: Exports,
    /// Who has anything.
    pub(crate) peers: Peers,
    pub(crate) faults: Faults,
    /// How many directories were listed: each listing has a number.
    pub(crate) listings: u32,
    pub(crate) clients: Clients,
    pub(crate) sessions: Sessions,
    pub(crate) connections: Connections,
    pub(crate) states: States,
    /// Requests of minor version 0 that can arrive again.
    pub(crate) duplicates: Duplicates,
    /// COMPOUNDs that wait for what a client answers.
    pub(crate) holds: Vec<Hold>,
    /// COMPOUNDs that have had their share of the engine's time.
    pub(crate) yielded: VecDeque<CompoundKey>,
    /// What must not be delegated now.
    pub(crate) guards: Guards,
    pub(crate) lapses: Lapses,
    pub(crate) timers: Timers,
    pub(crate) callbacks: Callbacks,
    /// How long leases are.
    pub(crate) terms: Terms,
    pub(crate) started: Mono,
    /// New opens are refused until then, for clients that reclaim.
    pub(crate) grace_until: Mono,
}

impl Core {
    pub(crate) fn new(boot: Boot, config: Config, exports: Exports, now: Now) -> Core {
        let keyed = Keyed::new(boot.entropy);
        Core {
            blocked: OpSet::of(&config.blocked_operations),
            exports,
            faults: Faults::new(),
            listings: 0,
            peers: Peers::new(keyed),
            clients: Clients::new(boot.epoch, keyed),
            sessions: Sessions::new(boot.epoch, keyed),
            connections: Connections::new(keyed),
            states: States::new(boot.epoch, keyed),
            duplicates: Duplicates::new(keyed, boot.entropy),
            holds: Vec::new(),
            yielded: VecDeque::new(),
            guards: Guards::new(keyed),
            lapses: Lapses::new(keyed),
            timers: Timers::new(),
            callbacks: Callbacks::new(),
            terms: Terms::new(config.lease),
            started: now.mono,
            grace_until: now.mono.after(config.grace),
            boot,
            config,
        }
    }

    /// Whether new opens are refused because others may still reclaim. [RFC 8881 §8.4.2.1]
    pub(crate) fn in_grace(&self, now: Mono) -> bool {
        now < self.grace_until
    }

    /// Whether a request comes from the principal that introduced the client: to others its sessions
    /// and its record are as if they were not there.
    pub(crate) fn is_own(&self, client: ClientKey, cred: &Credential) -> bool {
        let client = self.clients.get(client);
        client.is_some_and(|client| client.principal == Principal::of(cred))
    }

    /// Whether a client is there, and is not going.
    pub(crate) fn has_client(&self, client: ClientKey) -> bool {
        let record = self.clients.get(client);
        record.is_some_and(|client| client.going.is_none())
    }

    /// How much of the memory for kept replies is taken, as a peer sees it: what it has itself
    /// counts more than what others have, so that the slots of those come back first that keep most.
    pub(crate) fn pressure(&self, peer: Peer) -> Pressure {
        self.pressure_of(self.sessions.kept.held(peer))
    }

    /// As [`Core::pressure`], of a peer that has these replies kept.
    pub(crate) fn pressure_of(&self, held: Held) -> Pressure {
        Pressure {
            kept: held.weighed() as u64,
            budget: self.config.max_reply_cache,
        }
    }

    /// Removes a session from every table.
    pub(crate) fn destroy_session(
        &mut self,
        key: SessionKey,
        reason: SessionGone,
        now: Now,
        out: &mut Outbox,
    ) {
        let Some(mut session) = self.sessions.remove(key) else {
            return;
        };
        out.metrics
            .session_lived(now.mono.since(session.created.mono));
        self.unbind_all(key, &session, reason, out);
        if let Some(client) = self.clients.get_mut(session.client) {
            client.sessions.retain(|own| *own != key);
            // What still runs holds it until it is answered.
            client.lease.join(session.last_used, session.running);
            self.clients.note_idle(session.client);
        }
        out.event(Event::SessionDestroyed {
            session: session.id,
            reason,
        });
        self.cancel_callbacks(session.back.clear(), now, out);
    }

    /// Closes an open file and lets the file system know.
    pub(crate) fn close(&mut self, key: OpenKey, now: Now, out: &mut Outbox) {
        self.end_open(key, Ending::Asked, now, out);
    }

    /// Takes an open file from its owner and lets the file system know.
    pub(crate) fn end_open(&mut self, key: OpenKey, why: Ending, now: Now, out: &mut Outbox) {
        let Some(open) = self.states.get(key) else {
            return;
        };
        let (key_of_client, file) = (open.client, open.file);
        let Some(client) = self.clients.get_mut(key_of_client) else {
            return;
        };
        if let Some(fh) = self.states.close(&mut client.opens, key, why) {
            self.release(fh.export, fh.handle, out);
        }
        self.clients.note_idle(key_of_client);
        self.end_delegations_of_nothing(file, now.mono);
        self.give_turns(file, now, out);
    }

    /// Lets go of a file that a file system holds for us.
    pub(crate) fn release(&self, export: u16, fh: FsHandle, out: &mut Outbox) {
        if let Some(export) = self.exports.get(export) {
            out.push(Action::Release {
                backend: Arc::clone(&export.backend),
                fh,
            });
        }
    }

    /// Takes up to `budget` steps to remove a client with all that it has; `true` when it is gone.
    pub(crate) fn remove_client(
        &mut self,
        key: ClientKey,
        reason: ClientGone,
        now: Now,
        budget: &mut usize,
        out: &mut Outbox,
    ) -> bool {
        // Also if somebody else comes upon what is left of it.
        let going = self.clients.get(key).and_then(|client| client.going);
        let reason = going.unwrap_or(reason);
        let session_reason = match reason {
            ClientGone::LeaseExpired => SessionGone::LeaseExpired,
            ClientGone::Request => SessionGone::Request,
            ClientGone::Replaced => SessionGone::Replaced,
            ClientGone::Evicted => SessionGone::Evicted,
            // It has none.
            ClientGone::Crowded => SessionGone::Replaced,
        };
        self.close_path(key, CallbackFailed::Cancelled, now, out);
        loop {
            let Some(client) = self.clients.get_mut(key) else {
                return true;
            };
            let (session, open) = (client.sessions.last().copied(), client.opens.any());
            let delegation = client.delegations.any();
            let stateless = session.is_none() && open.is_none() && delegation.is_none();
            if stateless && !self.states.has_owners(key) {
                break;
            }
            if *budget == 0 {
                // Whoever has lost a part must not go on with the rest.
                client.going = Some(reason);
                if going.is_none() {
                    // Nobody need come for the rest.
                    self.timers.set(now.mono, Due::Lease(key));
                }
                return false;
            }
            *budget -= 1;
            let before = self.states.walked;
            if let Some(session) = session {
                self.destroy_session(session, session_reason, now, out);
            } else if let Some(open) = open {
                // What was locked under it goes first, one by one.
                let most = (*budget).max(1);
                if self.states.end_locks_under(open, Ending::Lost, most) {
                    self.end_open(open, Ending::Lost, now, out);
                }
            } else if let Some(delegation) = delegation {
                let recalled = self
                    .states
                    .delegation(delegation)
                    .is_some_and(|held| held.is_recalled());
                if recalled && reason == ClientGone::LeaseExpired {
                    // It fell silent instead.
                    self.note_lapse(key, now.mono);
                }
                self.undelegate(delegation, Ending::Lost, now.mono);
            } else {
                self.states.forget_an_owner(key);
            }
            let walked = self.states.walked - before;
            *budget = budget.saturating_sub(walked.saturating_sub(1));
        }
        if let Some(client) = self.clients.get(key) {
            // What still runs finds it gone.
            self.states.give_room_back(key, client.opening as usize);
        }
        if let Some(client) = self.clients.remove(key, reason) {
            self.peers.leave(client.peer);
            if client.confirmed {
                out.event(Event::ClientGone {
                    client: client.id,
                    reason,
                });
            }
        }
        true
    }

    /// Sets a reminder. When those of what has gone are the greater part, a few of them are dropped for
    /// each that is set: clients come and go as fast as requests do.
    pub(crate) fn remind(&mut self, at: Mono, due: Due) {
        self.timers.set(at, due);
        let counts = self.states.counts();
        let of_use = self.clients.len()
            + self.connections.len()
            + counts.waiting
            + self.states.delegations()
            + self.callbacks.calls.len()
            + self.callbacks.path_calls.len();
        if self.timers.len() > 2 * of_use + SPARE_TIMERS {
            let (clients, connections, states) = (&self.clients, &self.connections, &self.states);
            let calls = &self.callbacks.calls;
            self.timers.sweep(|due| match due {
                Due::Lease(client) => clients.get(client).is_some(),
                Due::Drain(conn) => connections.is_draining(conn),
                Due::Hold | Due::Yielded => true,
                Due::Turn(file) => states.is_waited_for(file),
                Due::Slots => true,
                Due::Callback(call) => calls.contains(call),
                Due::Path(client) => clients.get(client).is_some(),
                Due::Replies => true,
                Due::Recall(key) => {
                    let held = states.delegation(key);
                    held.is_some_and(|held| held.is_recalled())
                }
            });
        }
    }
}

/// So many reminders too many are not worth a look.
const SPARE_TIMERS: usize = 64;
mod administration;
mod bind;
mod callback;
mod client_room;
pub(crate) mod delegation;
mod duplicates;
mod expiry;
pub(crate) mod hold;
mod limits;
mod lock_grants;
mod reserve;
mod settings;
mod slot_recall;
