//! Client records and their leases. [RFC 8881 §2.4]

mod identity;
pub(crate) mod lease;
mod lease_terms;
mod lost_state;
mod recorded;
mod setclientid;
pub(crate) mod table;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::Verifier;

pub(crate) use self::identity::ClientIdentity;
pub(crate) use self::lease::Lease;
pub(crate) use self::lease_terms::{LeaseTermSince, LeaseTerms};
pub(crate) use self::lost_state::LostState;
pub(crate) use self::recorded::Recorded;
pub(crate) use self::setclientid::{CallbackTarget, SetClientIdRecord};
pub(crate) use self::table::Clients;
use crate::callback::CallbackPath;
use crate::event::ClientGone;
use crate::export_set::ExportSet;
use crate::key_index::KeyIndex;
use crate::keys::{DelegationKey, SessionKey, kind};
use crate::peer::{Evictable, EvictionEntry, Peer};
use crate::principal::Principal;
use crate::slab::Entry;
use crate::state::contended::Piece;
use crate::time::Mono;
use crate::traffic::CountedTraffic;

/// One incarnation of a client.
pub(crate) struct Client {
    /// Its client id on the wire.
    pub(crate) id: u64,
    /// `co_ownerid`; in minor version 0 the `id` of SETCLIENTID.
    pub(crate) owner: Box<[u8]>,
    /// Details for the administrator.
    pub(crate) about: ClientInfo,
    /// `co_verifier`, which differs for each incarnation.
    pub(crate) verifier: Verifier,
    /// The verifier of the incarnation that this one has replaced.
    pub(crate) replaced: Option<Verifier>,
    /// Number of times, in a row of incarnations, that a replaced one came back. A client that has
    /// rebooted never comes back, so two clients use one owner.
    pub(crate) comebacks: u32,
    /// The principal that sent EXCHANGE_ID or SETCLIENTID.
    pub(crate) principal: Principal,
    /// That principal at the host that it came from: the peer that is charged with all that it has.
    pub(crate) peer: Peer,
    /// Its entry in the order of eviction.
    rank: EvictionEntry<kind::Client>,
    /// A CREATE_SESSION has followed the EXCHANGE_ID, or a SETCLIENTID_CONFIRM the SETCLIENTID.
    pub(crate) confirmed: bool,
    /// In minor version 0, the arguments of SETCLIENTID.
    pub(crate) introduction: Option<Box<SetClientIdRecord>>,
    /// The arguments of another SETCLIENTID of the same incarnation, until it is confirmed.
    pub(crate) update: Option<Box<SetClientIdRecord>>,
    /// In minor version 0, the connection for callbacks.
    pub(crate) path: Option<Box<CallbackPath>>,
    /// The exactly-once cache of CREATE_SESSION, of one entry. [RFC 8881 §18.36.4]
    pub(crate) create: CreateSlot,
    pub(crate) sessions: Vec<SessionKey>,
    /// What it has done besides what its sessions have.
    pub(crate) traffic: CountedTraffic,
    /// The exports that it has used.
    visited: ExportSet,
    /// Its lease as far as requests without a session renew it: see [`Core::lease_of`].
    ///
    /// [`Core::lease_of`]: crate::core::Core::lease_of
    pub(crate) lease: Lease,
    /// Determines the lease times that it may know.
    pub(crate) since: LeaseTermSince,
    /// The reason why it is removed, while its state is removed part by part: it counts as gone already.
    pub(crate) going: Option<ClientGone>,
    /// Its lease has expired, and its state is kept: it is listed as such.
    pub(crate) courteous: bool,
    /// What it has lost for that, and has not acknowledged.
    pub(crate) lost: LostState,
    /// What is taken from it, and ends when stable storage knows that.
    pub(crate) doomed: Vec<Piece>,
    /// It has sent RECLAIM_COMPLETE.
    pub(crate) reclaim_complete: bool,
    /// The exports for which it has sent RECLAIM_COMPLETE with `one_fs`.
    pub(crate) reclaimed: ExportSet,
    /// Its place among the clients that a former server has recorded.
    pub(crate) recovered: Option<u32>,
    /// What stable storage has of it.
    pub(crate) recorded: Recorded,
    pub(crate) opens: KeyIndex<kind::Open>,
    /// Number of these that were taken from it, and have not ended.
    pub(crate) taken: u32,
    /// Number of OPENs in execution for which room is reserved.
    pub(crate) opening: u32,
    /// Its delegations, revoked ones included.
    pub(crate) delegations: KeyIndex<kind::Delegation>,
    /// Number of its revoked delegations, and how many of these the administrator took.
    pub(crate) revoked: u32,
    pub(crate) revoked_by_administrator: u32,
    /// The last [`Client::MOST_GONE`] delegations that ended with their files: it may still return them.
    pub(crate) gone: VecDeque<DelegationKey>,
    /// When it last got a request to return delegations because there are too many.
    pub(crate) asked_for_delegations: Option<Mono>,
}

/// Details of a client from its last EXCHANGE_ID or SETCLIENTID.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientInfo {
    /// The address that it came from.
    pub(crate) address: Option<Box<str>>,
    pub(crate) minor: u32,
    /// `nii_name` and `nii_domain`. [RFC 8881 §3.3.20]
    pub(crate) impl_name: Option<Box<str>>,
    pub(crate) impl_domain: Option<Box<str>>,
}

/// The one-entry replay cache of CREATE_SESSION.
#[derive(Default)]
pub(crate) struct CreateSlot {
    /// `csa_sequence` of the next new request, less one.
    pub(crate) sequence: u32,
    /// CREATE_SESSION4resok of the last request, if there was one.
    pub(crate) reply: Option<Box<[u8]>>,
    /// The session that the reply names, which may have ended since.
    pub(crate) made: Option<SessionKey>,
}

impl Entry for Client {
    type Kind = kind::Client;
}

impl Client {
    /// Whether it is in the order of eviction.
    pub(crate) fn is_listed(&self) -> bool {
        self.rank.is_listed()
    }

    /// Maximum number of delegations that are remembered after their files have ended.
    const MOST_GONE: usize = 64;

    /// Remembers a delegation that has ended with its file.
    pub(crate) fn forgets_soon(&mut self, key: DelegationKey) {
        if self.gone.len() >= Client::MOST_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back(key);
    }

    /// Whether a delegation that it returns has ended with its file; if so, forgets that.
    pub(crate) fn gives_back_gone(&mut self, key: DelegationKey) -> bool {
        let found = self.gone.iter().position(|gone| *gone == key);
        found.and_then(|at| self.gone.remove(at)).is_some()
    }

    /// Whether it has used an export.
    pub(crate) fn has_visited(&self, export: u16) -> bool {
        self.visited.iter().any(|visited| visited == export)
    }

    /// Whether it has state that was not taken from it.
    pub(crate) fn has_own_state(&self) -> bool {
        !self.sessions.is_empty()
            || self.opens.len() > self.taken as usize
            || self.delegations.len() > self.revoked as usize
    }

    /// Whether it has state, which an EXCHANGE_ID of another principal must not end.
    pub(crate) fn has_state(&self) -> bool {
        !self.sessions.is_empty() || !self.opens.is_empty() || !self.delegations.is_empty()
    }
}

impl Evictable for Client {
    fn rank(&mut self) -> Option<&mut EvictionEntry<kind::Client>> {
        Some(&mut self.rank)
    }
}
