//! Sessions, by id. [RFC 8881 §2.10.3]

use core::hash::BuildHasher;
use core::time::Duration;

use nfs4_proto::nfs4::args::Sequence;
use nfs4_proto::nfs4::basic::SessionId;

use super::demand::{Demand, Pressure};
use super::slot::Slot;
use super::slots::{Slots, Usage};
use crate::callback::BackChannel;
use crate::connection::Bindings;
use crate::keys::{ClientKey, SessionKey, kind};
use crate::map::Keyed;
use crate::peer::{Peer, Shares};
use crate::session::slot_round::Round;
use crate::slab::Entry;
use crate::slab::{Key, Place, Slab};
use crate::time::{Mono, Now};
use crate::traffic::CountedTraffic;

/// A session of a client: its slots and the connections bound to it.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) client: ClientKey,
    /// The peer that is charged with it.
    pub(crate) peer: Peer,
    pub(crate) created: Now,
    /// `csr_flags` as answered.
    pub(crate) flags: u32,
    pub(crate) fore: Fore,
    pub(crate) back: BackChannel,
    pub(crate) slots: Slots,
    demand: Demand,
    pub(crate) bindings: Bindings,
    /// When the last request came, or its reply left; a request renews the client's lease.
    pub(crate) last_used: Mono,
    /// Number of COMPOUNDs in execution.
    pub(crate) running: u32,
    /// The export at a file of which its last request ended; the directories above the exports until then.
    pub(crate) export: u16,
    /// What it has done.
    pub(crate) traffic: CountedTraffic,
    /// Requests that were answered from its replay cache.
    pub(crate) replay_hits: u64,
    /// Bytes that the replies to its parked COMPOUNDs may add to the kept replies.
    pub(crate) promised: usize,
}

/// The fore channel as negotiated. [RFC 8881 §18.36.3, channel_attrs4]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fore {
    pub(crate) max_request: u32,
    pub(crate) max_response: u32,
    pub(crate) max_response_cached: u32,
    pub(crate) max_operations: u32,
    pub(crate) slots: u32,
}

/// All sessions.
pub(crate) struct Sessions {
    epoch: u32,
    keyed: Keyed,
    slab: Slab<Session>,
    /// Number of sessions of each peer.
    pub(crate) shares: Shares,
    /// The walk that recalls slots.
    pub(crate) round: Round,
    /// Bytes of replies that the slots of each peer's sessions keep for replay.
    kept: Shares,
    /// Bytes that the replies to parked COMPOUNDs of each peer may add to `kept`.
    promised: Shares,
}

impl Entry for Session {
    type Kind = kind::Session;
}

impl Session {
    /// Number of slots that it should have: what its client needs, within what memory allows.
    pub(crate) fn target(&self, pressure: Pressure) -> u32 {
        self.demand.slots().min(pressure.allows(self.fore.slots))
    }

    /// Number of slots to recall it down to, if it has more than it should: one more than
    /// `rsa_target_highest_slotid` of CB_RECALL_SLOT, which makes a silent client send a request whose
    /// reply asks for slots. [RFC 8881 §20.8]
    pub(crate) fn recalled_to(&self, pressure: Pressure) -> Option<u32> {
        let target = self.target(pressure);
        (target < self.slots.count()).then_some(target)
    }

    /// The seqid of the last request on a slot, if there was one.
    pub(crate) fn last_seqid(&self, number: u32) -> Option<u32> {
        self.slots.get(number).map(Slot::seqid)
    }

    /// A new request comes: notes which slots the client uses, and adds slots or asks for some.
    ///
    /// Returns the number of bytes of kept replies that went with slots.
    pub(crate) fn steer(
        &mut self,
        request: &Sequence,
        pressure: Pressure,
        now: Mono,
        lease: Duration,
    ) -> usize {
        let highest = request.highest_slotid.max(request.slotid);
        let slots = &self.slots;
        self.demand.note(
            highest.saturating_add(1),
            self.fore.slots,
            now,
            lease,
            || slots.made(),
        );
        let usage = Usage {
            slot: request.slotid,
            highest,
        };
        let freed = self.slots.note_usage(usage);
        let target = self.target(pressure);
        if target < self.slots.count() {
            self.slots.request_shrink(target, usage.slot, now, lease);
        } else {
            self.slots.grow_to(target);
            self.back.recalled_slots = None;
        }
        freed
    }

    /// Whether no request has used it for longer than `lease`.
    pub(crate) fn is_idle(&self, now: Mono, lease: Duration) -> bool {
        self.running == 0 && now > self.last_used.after(lease)
    }

    /// Number of bytes of replies that its slots keep for replay.
    pub(crate) fn cached_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.kept().len()).sum()
    }

    /// Number of slots on which a request runs.
    pub(crate) fn slots_in_use(&self) -> u32 {
        let slots = self.slots.iter();
        slots.map(|slot| u32::from(slot.is_running())).sum()
    }
}

impl Sessions {
    pub(crate) const fn new(epoch: u32, keyed: Keyed) -> Sessions {
        Sessions {
            epoch,
            keyed,
            slab: Slab::new(),
            shares: Shares::new(),
            round: Round::new(),
            kept: Shares::new(),
            promised: Shares::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether a session, and so its client, still exists.
    pub(crate) fn contains(&self, key: SessionKey) -> bool {
        self.slab.contains(key)
    }

    #[inline]
    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        self.slab.get(key)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.slab.get_mut(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (SessionKey, &Session)> + '_ {
        self.slab.entries()
    }

    /// The sessions from this place on.
    pub(crate) fn places_from(&self, index: u32) -> impl Iterator<Item = Place<'_, Session>> {
        self.slab.places_from(index)
    }

    /// The session with this id; none for an id of another boot, or one that a client derived from
    /// another id.
    pub(crate) fn by_id(&self, id: &SessionId) -> Option<SessionKey> {
        self.find(id).map(|(key, _)| key)
    }

    /// As [`Sessions::by_id`], with the session.
    #[inline]
    pub(crate) fn find(&self, id: &SessionId) -> Option<(SessionKey, &Session)> {
        let [_, index, generation, _] = words(id);
        let key = Key::new(index, generation);
        let session = self.slab.get(key)?;
        (session.id == *id).then_some((key, session))
    }

    pub(crate) fn insert(
        &mut self,
        (client, peer): (ClientKey, Peer),
        fore: Fore,
        back: BackChannel,
        now: Now,
    ) -> SessionKey {
        let (epoch, keyed) = (self.epoch, self.keyed);
        // A client that knows the id of one session must not be able to derive that of another.
        self.shares.add(peer, 1);
        let secret = |key: SessionKey| keyed.hash_one(key) as u32;
        self.slab.insert_with(|key| Session {
            id: id_of([epoch, key.index, key.generation, secret(key)]),
            client,
            peer,
            created: now,
            flags: 0,
            fore,
            back,
            slots: Slots::new(fore.slots),
            demand: Demand::new(fore.slots, now.mono),
            bindings: Bindings::default(),
            last_used: now.mono,
            running: 0,
            export: u16::MAX,
            traffic: CountedTraffic::default(),
            replay_hits: 0,
            promised: 0,
        })
    }

    /// Reserves memory for the reply of a COMPOUND that is parked, of which this many bytes may be kept.
    pub(crate) fn promise(&mut self, key: SessionKey, bytes: usize) {
        if let Some(session) = self.slab.get_mut(key) {
            session.promised += bytes;
            self.promised.add(session.peer, bytes);
        }
    }

    /// Ends [`Sessions::promise`]; a session that was removed has none left.
    pub(crate) fn redeem(&mut self, key: SessionKey, bytes: usize) {
        if let Some(session) = self.slab.get_mut(key) {
            debug_assert!(session.promised >= bytes, "{bytes} bytes were not promised");
            let bytes = bytes.min(session.promised);
            session.promised -= bytes;
            self.promised.take(session.peer, bytes);
        }
    }

    /// A slot of a peer kept `before` bytes of a reply, and keeps `after`.
    pub(crate) fn change_kept(&mut self, peer: Peer, before: usize, after: usize) {
        self.kept.change(peer, before, after);
    }

    /// A peer's retired slots kept this many bytes of replies.
    pub(crate) fn free_kept(&mut self, peer: Peer, bytes: usize) {
        self.kept.take(peer, bytes);
    }

    /// Bytes of replies that are kept, and bytes that are promised to parked COMPOUNDs.
    pub(crate) fn reply_memory(&self) -> (&Shares, &Shares) {
        (&self.kept, &self.promised)
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Option<Session> {
        let session = self.slab.remove(key)?;
        self.shares.take(session.peer, 1);
        self.kept.take(session.peer, session.cached_bytes());
        self.promised.take(session.peer, session.promised);
        Some(session)
    }
}

fn words(id: &SessionId) -> [u32; 4] {
    let mut words = [0; 4];
    let (chunks, _) = id.0.as_chunks::<4>();
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u32::from_be_bytes(*chunk);
    }
    words
}

fn id_of(words: [u32; 4]) -> SessionId {
    let mut id = [0; 16];
    let (chunks, _) = id.as_chunks_mut::<4>();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_be_bytes();
    }
    SessionId(id)
}
