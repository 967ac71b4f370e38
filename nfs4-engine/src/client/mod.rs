//! Client records and their leases. [RFC 8881 §2.4]

mod identity;
pub(crate) mod lease;
mod lease_terms;
mod setclientid;
pub(crate) mod table;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::Verifier;

pub(crate) use self::identity::ClientIdentity;
pub(crate) use self::lease::Lease;
pub(crate) use self::lease_terms::{LeaseTermSince, LeaseTerms};
pub(crate) use self::setclientid::{CallbackTarget, SetClientIdRecord};
pub(crate) use self::table::Clients;
use crate::callback::CallbackPath;
use crate::event::ClientGone;
use crate::key_index::KeyIndex;
use crate::keys::{DelegationKey, SessionKey, kind};
use crate::peer::{Evictable, EvictionEntry, Peer};
use crate::principal::Principal;
use crate::slab::Entry;
use crate::time::Mono;

/// One incarnation of a client.
pub(crate) struct Client {
    /// What the wire calls it.
    pub(crate) id: u64,
    /// `co_ownerid`; in minor version 0 the `id` of SETCLIENTID.
    pub(crate) owner: Box<[u8]>,
    /// What people want to know of it.
    pub(crate) about: ClientInfo,
    /// `co_verifier`: another one is another incarnation.
    pub(crate) verifier: Verifier,
    /// The verifier of the incarnation that this one has replaced.
    pub(crate) replaced: Option<Verifier>,
    /// How often, in a row of incarnations, one came back that had been replaced before: a client
    /// that has rebooted never does, so there are two under one name.
    pub(crate) comebacks: u32,
    /// The principal that sent EXCHANGE_ID or SETCLIENTID.
    pub(crate) principal: Principal,
    /// That principal at the host that it came from: the peer that is charged with all that it has.
    pub(crate) peer: Peer,
    /// Its entry in the order of eviction.
    rank: EvictionEntry<kind::Client>,
    /// A CREATE_SESSION has followed the EXCHANGE_ID, or a SETCLIENTID_CONFIRM the SETCLIENTID.
    pub(crate) confirmed: bool,
    /// In minor version 0, what SETCLIENTID said.
    pub(crate) introduction: Option<Box<SetClientIdRecord>>,
    /// What another SETCLIENTID of the same incarnation said, until it is confirmed.
    pub(crate) update: Option<Box<SetClientIdRecord>>,
    /// How it is called back in minor version 0.
    pub(crate) path: Option<Box<CallbackPath>>,
    /// The exactly-once cache of CREATE_SESSION, of one entry. [RFC 8881 §18.36.4]
    pub(crate) create: CreateSlot,
    /// Its sessions.
    pub(crate) sessions: Vec<SessionKey>,
    /// When it sent its last request, not counting its sessions: see [`Core::lease_of`].
    ///
    /// [`Core::lease_of`]: crate::core::Core::lease_of
    pub(crate) lease: Lease,
    /// The leases that it can have got.
    pub(crate) since: LeaseTermSince,
    /// Why it is removed, if what is left of it is removed part by part: it counts as gone already.
    pub(crate) going: Option<ClientGone>,
    /// It has said RECLAIM_COMPLETE.
    pub(crate) reclaim_complete: bool,
    /// What it has open.
    pub(crate) opens: KeyIndex<kind::Open>,
    /// For how many opens that are about to be made room is kept.
    pub(crate) opening: u32,
    /// What is delegated to it, or was until it was revoked.
    pub(crate) delegations: KeyIndex<kind::Delegation>,
    /// How many of these are revoked.
    pub(crate) revoked: u32,
    /// Delegations that have ended with their files: it may give them back all the same. At most so
    /// many as [`Client::MOST_GONE`], the last ones.
    pub(crate) gone: VecDeque<DelegationKey>,
    /// When it was last asked to give delegations back because there are too many.
    pub(crate) asked_for_delegations: Option<Mono>,
}

/// What a client last said of itself, by EXCHANGE_ID or SETCLIENTID.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientInfo {
    /// Where it came from.
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
    /// CREATE_SESSION4resok of the last, if there was one.
    pub(crate) reply: Option<Box<[u8]>>,
    /// The session that it names, which may have gone since.
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

    /// Whether a delegation that it returns has ended with its file; that is forgotten then.
    pub(crate) fn gives_back_gone(&mut self, key: DelegationKey) -> bool {
        let found = self.gone.iter().position(|gone| *gone == key);
        found.and_then(|at| self.gone.remove(at)).is_some()
    }

    /// Whether it holds anything that a stranger's EXCHANGE_ID must not take from it.
    pub(crate) fn has_state(&self) -> bool {
        !self.sessions.is_empty() || !self.opens.is_empty() || !self.delegations.is_empty()
    }
}

impl Evictable for Client {
    fn rank(&mut self) -> Option<&mut EvictionEntry<kind::Client>> {
        Some(&mut self.rank)
    }
}
