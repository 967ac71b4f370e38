//! Client records, by id and by owner. [RFC 8881 §18.35]

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::Verifier;

use super::{
    Client, ClientIdentity, ClientInfo, CreateSlot, Lease, LeaseTermSince, LostState, Recorded,
};
use crate::count::Count;
use crate::event::ClientGone;
use crate::export_set::ExportSet;
use crate::key_index::KeyIndex;
use crate::keys::{ClientKey, kind};
use crate::map::{DetMap, Keyed};
use crate::peer::{EvictionEntry, EvictionOrder, Peer, Shares};
use crate::seal::{Seal, SealPurpose};
use crate::slab::{Place, Slab};
use crate::time::Mono;
use crate::traffic::CountedTraffic;

/// All clients. An owner has at most one confirmed record and one unconfirmed.
pub(crate) struct Clients {
    epoch: u32,
    /// Encodes client ids and verifiers for the wire.
    seal: Seal,
    slab: Slab<Client>,
    /// Number of records of each peer.
    pub(crate) shares: Shares,
    /// The records of minor version 0, and those of others: a client that changes between them is another.
    by_owner: [DetMap<Box<[u8]>, Records>; 2],
    /// Unconfirmed records.
    unconfirmed: EvictionOrder<kind::Client>,
    /// Confirmed records that had no state when they were listed here.
    idle: EvictionOrder<kind::Client>,
    /// Records with expired leases whose state is kept, in the order in which the leases expired.
    courteous: EvictionOrder<kind::Client>,
    /// Number of records that have used each export, as far as one was used.
    visitors: Vec<usize>,
    /// Number of verifiers that SETCLIENTID has returned.
    confirms: u32,
}

/// The records of one owner.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Records {
    pub(crate) confirmed: Option<ClientKey>,
    pub(crate) unconfirmed: Option<ClientKey>,
}

impl Clients {
    pub(crate) fn new(epoch: u32, keyed: Keyed) -> Clients {
        Clients {
            epoch,
            seal: Seal::new(keyed),
            slab: Slab::new(),
            shares: Shares::new(),
            by_owner: [DetMap::new(keyed), DetMap::new(keyed)],
            unconfirmed: EvictionOrder::new(),
            idle: EvictionOrder::new(),
            courteous: EvictionOrder::new(),
            visitors: Vec::new(),
            confirms: 0,
        }
    }

    /// A client has used an export.
    pub(crate) fn visit(&mut self, key: ClientKey, export: u16) {
        if let Some(client) = self.slab.get_mut(key)
            && client.visited.insert(export)
        {
            let place = usize::from(export);
            if self.visitors.len() <= place {
                self.visitors.resize(place + 1, 0);
            }
            if let Some(visitors) = self.visitors.get_mut(place) {
                *visitors += 1;
            }
        }
    }

    /// Number of records that have used an export.
    pub(crate) fn visitors(&self, export: u16) -> usize {
        let visitors = self.visitors.get(usize::from(export));
        visitors.copied().unwrap_or(0)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// The record to evict, `of` this peer or of any: the oldest unconfirmed one, or else the one whose lease
    /// expired first, or else the one that has been without state for longest.
    pub(crate) fn gives_way(&mut self, of: Option<Peer>) -> Option<ClientKey> {
        let first = |ranks: &EvictionOrder<kind::Client>| match of {
            Some(peer) => ranks.first_of(peer),
            None => ranks.first(),
        };
        if let Some(key) = first(&self.unconfirmed) {
            return Some(key);
        }
        if let Some(key) = first(&self.courteous) {
            return Some(key);
        }
        // Each record that stays is removed from the list, or moves to its end.
        for _ in 0..TRIES {
            let key = first(&self.idle)?;
            let client = self.slab.get(key)?;
            let (peer, has_state) = (client.peer, client.has_state());
            if !has_state && client.lease.running() == 0 {
                return Some(key);
            }
            self.idle.remove(&mut self.slab, key);
            if !has_state {
                self.idle.push(&mut self.slab, key, peer);
            }
        }
        None
    }

    /// The records that can be evicted: unconfirmed ones, and those without state.
    pub(crate) fn ranks(&self) -> [&EvictionOrder<kind::Client>; 3] {
        [&self.unconfirmed, &self.idle, &self.courteous]
    }

    /// The client whose lease expired first, of those whose state is kept.
    pub(crate) fn courteous(&self) -> Option<ClientKey> {
        self.courteous.first()
    }

    /// As [`Clients::courteous`], of this peer or, if it has none, of its host.
    pub(crate) fn courteous_of(&self, peer: Peer) -> Option<ClientKey> {
        self.courteous.first_of(peer)
    }

    /// Number of clients with expired leases whose state is kept.
    pub(crate) fn courteous_len(&self) -> usize {
        self.courteous.len()
    }

    /// The lease of a client has expired, and its state is kept.
    pub(crate) fn begin_courtesy(&mut self, key: ClientKey) {
        self.idle.remove(&mut self.slab, key);
        if let Some(client) = self.slab.get_mut(key) {
            client.courteous = true;
            let peer = client.peer;
            self.courteous.push(&mut self.slab, key, peer);
        }
    }

    /// Ends [`Clients::begin_courtesy`]; returns whether that was so.
    pub(crate) fn end_courtesy(&mut self, key: ClientKey) -> bool {
        match self.slab.get_mut(key) {
            Some(client) if client.courteous => client.courteous = false,
            Some(_) | None => return false,
        }
        self.courteous.remove(&mut self.slab, key);
        self.note_idle(key);
        true
    }

    /// Lists a client as idle if it is confirmed and has no state.
    pub(crate) fn note_idle(&mut self, key: ClientKey) {
        if let Some(client) = self.slab.get(key)
            && client.confirmed
            && !client.rank.is_listed()
            && !client.has_state()
        {
            let peer = client.peer;
            self.idle.push(&mut self.slab, key, peer);
        }
    }

    pub(crate) fn get(&self, key: ClientKey) -> Option<&Client> {
        self.slab.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        self.slab.get_mut(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (ClientKey, &Client)> + '_ {
        self.slab.entries()
    }

    /// Number of owners that have a record.
    pub(crate) fn owners(&self) -> usize {
        self.by_owner.iter().map(DetMap::len).sum()
    }

    /// The records from this place on.
    pub(crate) fn places_from(&self, index: u32) -> impl Iterator<Item = Place<'_, Client>> {
        self.slab.places_from(index)
    }

    /// The records of an owner in a minor version, 0 or any other.
    pub(crate) fn of_owner(&self, minor: u32, owner: &[u8]) -> Records {
        let [of_v40, of_others] = &self.by_owner;
        let by_owner = if minor == 0 { of_v40 } else { of_others };
        by_owner.get(owner).copied().unwrap_or_default()
    }

    fn owners_of(&mut self, minor: u32) -> &mut DetMap<Box<[u8]>, Records> {
        let [of_v40, of_others] = &mut self.by_owner;
        if minor == 0 { of_v40 } else { of_others }
    }

    /// A new verifier, which SETCLIENTID_CONFIRM must contain.
    pub(crate) fn mint_confirm(&mut self) -> Verifier {
        self.confirms = self.confirms.wrapping_add(1);
        let minted = u64::from(self.epoch) << 32 | u64::from(self.confirms);
        Verifier(self.seal.close(SealPurpose::Confirm, minted).to_be_bytes())
    }

    /// Whether `id` is that of a client whose lease has expired or that was evicted, as long as that is
    /// remembered.
    pub(crate) fn was_lost(&self, id: u64) -> bool {
        let id = self.seal.open(SealPurpose::Client, id);
        let lost = self.slab.lost_at(id as u32 >> 16);
        (id >> 32) as u32 == self.epoch && lost.is_some_and(|lost| lost as u16 == id as u16)
    }

    /// The record that the wire calls `id`.
    pub(crate) fn by_id(&self, id: u64) -> Option<ClientKey> {
        let id = self.seal.open(SealPurpose::Client, id);
        let epoch = (id >> 32) as u32;
        let index = id as u32 >> 16;
        let key = self.slab.key_at(index)?;
        (epoch == self.epoch && key.generation as u16 == id as u16).then_some(key)
    }

    /// Adds an unconfirmed record; the caller has removed an earlier one of the owner.
    pub(crate) fn insert(
        &mut self,
        identity: ClientIdentity<'_>,
        peer: Peer,
        now: Mono,
        since: LeaseTermSince,
    ) -> ClientKey {
        let ClientIdentity {
            minor,
            owner,
            verifier,
            principal,
            replaces: _,
        } = identity;
        let (epoch, seal) = (u64::from(self.epoch), self.seal);
        let id = |key: ClientKey| {
            // The index is below 2^16 by the limit of the table.
            let place = u64::from(key.index & 0xffff) << 16 | u64::from(key.generation as u16);
            seal.close(SealPurpose::Client, epoch << 32 | place)
        };
        let key = self.slab.insert_with(|key| Client {
            id: id(key),
            owner: owner.into(),
            about: ClientInfo {
                minor,
                ..ClientInfo::default()
            },
            introduction: None,
            update: None,
            path: None,
            verifier,
            principal,
            peer,
            rank: EvictionEntry::default(),
            replaced: None,
            comebacks: 0,
            confirmed: false,
            create: CreateSlot::default(),
            sessions: Vec::new(),
            traffic: CountedTraffic::default(),
            visited: ExportSet::default(),
            lease: Lease::new(now),
            since,
            going: None,
            courteous: false,
            lost: LostState::default(),
            doomed: Vec::new(),
            reclaim_complete: false,
            reclaimed: ExportSet::default(),
            recovered: None,
            recorded: Recorded::default(),
            opens: KeyIndex::new(),
            taken: 0,
            opening: 0,
            delegations: KeyIndex::new(),
            revoked: 0,
            revoked_by_administrator: 0,
            gone: VecDeque::new(),
            asked_for_delegations: None,
        });
        let mut records = self.of_owner(minor, owner);
        debug_assert!(
            records.unconfirmed.is_none(),
            "an owner has one unconfirmed record"
        );
        records.unconfirmed = Some(key);
        self.owners_of(minor).insert(owner.into(), records);
        self.unconfirmed.push(&mut self.slab, key, peer);
        self.shares.add(peer, 1);
        key
    }

    /// Notes which incarnation a new one replaces. If the new one has come back, returns how often one has.
    pub(crate) fn note_replacement(&mut self, old: ClientKey, new: ClientKey) -> Option<u32> {
        let old = self.slab.get(old)?;
        let (verifier, replaced, comebacks) = (old.verifier, old.replaced, old.comebacks);
        let new = self.slab.get_mut(new)?;
        new.replaced = Some(verifier);
        let comes_back = replaced == Some(new.verifier);
        new.comebacks = comebacks + u32::from(comes_back);
        comes_back.then_some(new.comebacks)
    }

    /// Confirms a record; the caller has removed the owner's earlier confirmed one.
    pub(crate) fn confirm(&mut self, key: ClientKey) {
        self.unconfirmed.remove(&mut self.slab, key);
        let Some(client) = self.slab.get_mut(key) else {
            return;
        };
        client.confirmed = true;
        let [of_v40, of_others] = &mut self.by_owner;
        let by_owner = if client.about.minor == 0 {
            of_v40
        } else {
            of_others
        };
        if let Some(records) = by_owner.get_mut(&*client.owner) {
            records.unconfirmed = None;
            records.confirmed = Some(key);
        }
        self.note_idle(key);
    }

    /// Removes a record, whose sessions and state the caller has removed.
    pub(crate) fn remove(&mut self, key: ClientKey, reason: ClientGone) -> Option<Client> {
        self.end_courtesy(key);
        if self.slab.get(key)?.confirmed {
            self.idle.remove(&mut self.slab, key);
        } else {
            self.unconfirmed.remove(&mut self.slab, key);
        }
        let client = match reason {
            ClientGone::LeaseExpired | ClientGone::Evicted => self.slab.lose(key)?,
            ClientGone::Request | ClientGone::Replaced | ClientGone::Crowded => {
                self.slab.remove(key)?
            }
        };
        self.shares.take(client.peer, 1);
        for export in client.visited.iter() {
            if let Some(visitors) = self.visitors.get_mut(usize::from(export)) {
                visitors.lower(1);
            }
        }
        debug_assert!(
            !client.has_state(),
            "the state of a client ends before the client"
        );
        let minor = client.about.minor;
        let mut records = self.of_owner(minor, &client.owner);
        if records.confirmed == Some(key) {
            records.confirmed = None;
        }
        if records.unconfirmed == Some(key) {
            records.unconfirmed = None;
        }
        if records.confirmed.is_none() && records.unconfirmed.is_none() {
            self.owners_of(minor).remove(&*client.owner);
        } else if let Some(place) = self.owners_of(minor).get_mut(&*client.owner) {
            *place = records;
        }
        Some(client)
    }
}

/// Maximum number of records that are checked to find one that can be removed.
const TRIES: usize = 16;
