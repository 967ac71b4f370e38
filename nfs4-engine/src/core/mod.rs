//! The tables of the engine, and what concerns several of them at once.

mod administration;
mod bind;
mod callback;
pub(crate) mod callback_wait;
mod client_room;
pub(crate) mod contention;
mod courtesy;
pub(crate) mod delegation;
mod duplicates;
mod expiry;
mod export_changes;
mod fs_fault;
mod grace;
mod limits;
mod lock_grants;
mod reminders;
pub(crate) mod removal;
mod reserve;
mod revocation;
mod settings;
mod slot_recall;
pub(crate) mod slow;
pub(crate) mod stable;
mod visits;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::attr::Templates;
use crate::boot::Boot;
use crate::callback::Callbacks;
use crate::client::{Clients, LeaseTerms};
use crate::config::Config;
use crate::connection::Connections;
use crate::core::callback_wait::CallbackWait;
use crate::duplicates::DuplicateRequestCache;
use crate::exports::Exports;
use crate::faults::FsFaultLog;
use crate::fs::Credential;
use crate::grace::Grace;
use crate::guards::Guards;
use crate::keys::{ClientKey, CompoundKey};
use crate::lapses::Lapses;
use crate::map::Keyed;
use crate::op_set::OpSet;
use crate::peer::{Peer, PeerUsage, Peers};
use crate::principal::Principal;
use crate::recovered::Recovered;
use crate::session::demand::Pressure;
use crate::session::table::Sessions;
use crate::slow_log::SlowLog;
use crate::state::States;
use crate::state::contended::Piece;
use crate::stores::Stores;
use crate::time::{Mono, Now};
use crate::timer::Timers;

/// Everything that the server knows.
pub(crate) struct Core {
    pub(crate) boot: Boot,
    pub(crate) config: Config,
    /// Operations that are refused by configuration.
    pub(crate) blocked: OpSet,
    pub(crate) exports: Exports,
    /// The peers that are charged with something.
    pub(crate) peers: Peers,
    pub(crate) faults: FsFaultLog,
    pub(crate) slow: SlowLog,
    /// Number of directories listed: each listing has a number.
    pub(crate) listings: u32,
    pub(crate) clients: Clients,
    pub(crate) sessions: Sessions,
    pub(crate) connections: Connections,
    pub(crate) states: States,
    /// Requests of 4.0 that can be retransmitted.
    pub(crate) duplicates: DuplicateRequestCache,
    /// COMPOUNDs that wait for the answer to a callback.
    pub(crate) callback_waits: Vec<CallbackWait>,
    /// COMPOUNDs that have used their share of time: with 64 calls on each of 4 096 connections 2 MiB of
    /// keys; to grow to that moves 1 MiB, in about 0.1 ms.
    pub(crate) yielded: VecDeque<CompoundKey>,
    /// What must not be delegated now.
    pub(crate) guards: Guards,
    pub(crate) lapses: Lapses,
    /// Writes to stable storage that are under way.
    pub(crate) stores: Stores,
    pub(crate) timers: Timers,
    pub(crate) callbacks: Callbacks,
    /// From which the attributes of single objects are encoded.
    pub(crate) templates: Templates,
    /// The lengths of leases.
    pub(crate) terms: LeaseTerms,
    pub(crate) started: Now,
    pub(crate) grace: Grace,
    /// The clients that may reclaim, until the grace period is over.
    pub(crate) recovered: Recovered,
    /// When the next client is due to which the server is courteous; never if there is none.
    pub(crate) courtesy_check: Mono,
    /// What is being taken from clients with expired leases.
    pub(crate) revoking: VecDeque<Piece>,
    /// A timer is set for the rest of that.
    pub(crate) revoking_is_set: bool,
}

impl Core {
    pub(crate) fn new(boot: Boot, config: Config, exports: Exports, now: Now) -> Core {
        let keyed = Keyed::new(boot.entropy);
        let mut boot = boot;
        let records = boot.recovered.take();
        let are_kept = records.is_some();
        let recovered = Recovered::new(records.unwrap_or_default(), keyed);
        let grace = grace::grace_length(&config, &recovered, are_kept);
        Core {
            blocked: OpSet::of(&config.blocked_operations),
            exports,
            faults: FsFaultLog::new(),
            slow: SlowLog::new(config.slow_request),
            listings: 0,
            peers: Peers::new(keyed),
            clients: Clients::new(boot.epoch, keyed),
            sessions: Sessions::new(boot.epoch, keyed),
            connections: Connections::new(keyed),
            states: States::new(boot.epoch, keyed),
            duplicates: DuplicateRequestCache::new(keyed, boot.entropy),
            callback_waits: Vec::new(),
            yielded: VecDeque::new(),
            guards: Guards::new(keyed),
            lapses: Lapses::new(keyed),
            stores: Stores::new(are_kept),
            timers: Timers::new(),
            callbacks: Callbacks::new(),
            templates: Templates::new(),
            terms: LeaseTerms::new(config.lease),
            started: now,
            grace: Grace::new(now.mono, grace, !recovered.is_empty()),
            recovered,
            courtesy_check: Mono::NEVER,
            revoking: VecDeque::new(),
            revoking_is_set: false,
            boot,
            config,
        }
    }

    /// Whether a request comes from the principal of the client: for other principals its sessions and its
    /// record do not exist.
    pub(crate) fn is_own(&self, client: ClientKey, cred: &Credential) -> bool {
        let client = self.clients.get(client);
        client.is_some_and(|client| client.principal == Principal::of(cred))
    }

    /// Whether a client is there, and is not being removed.
    pub(crate) fn has_client(&self, client: ClientKey) -> bool {
        let record = self.clients.get(client);
        record.is_some_and(|client| client.going.is_none())
    }

    /// The use of the memory for kept replies, as it weighs on a peer: its own replies count more than
    /// those of others, so that slots are recalled first from peers that keep most.
    pub(crate) fn pressure(&self, peer: Peer) -> Pressure {
        self.pressure_of(self.sessions.reply_memory().0.held(peer))
    }

    /// As [`Core::pressure`], of a peer that has these replies kept.
    pub(crate) fn pressure_of(&self, held: PeerUsage) -> Pressure {
        Pressure {
            kept: held.weighed() as u64,
            budget: self.config.max_reply_cache,
        }
    }
}
