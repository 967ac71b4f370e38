//! Sessions, by id. [RFC 8881 §2.10.3]

use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::nfs4::args::Sequence;
use nfs4_proto::nfs4::basic::SessionId;

use super::slot::Slot;
use crate::client::Client;
use crate::connection::Bindings;
use crate::slab::{Key, Place, Slab};
use crate::time::{Mono, Now};

/// A session of a client: its slots and the connections bound to it.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) client: Key<Client>,
    pub(crate) created: Now,
    /// `csr_flags` as answered.
    pub(crate) flags: u32,
    /// What was negotiated.
    pub(crate) fore: Fore,
    slots: Slots,
    /// What the client was told of fewer slots and has not done yet.
    told: Option<Told>,
    pub(crate) bindings: Bindings,
    /// When a request last came, or the last one was answered.
    pub(crate) last_used: Mono,
    /// COMPOUNDs that are being executed.
    pub(crate) running: u32,
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

/// A reply that asked for fewer slots. [RFC 8881 §18.46.3, sr_target_highest_slotid]
#[derive(Clone, Copy, Debug)]
struct Told {
    slot: u32,
    seqid: u32,
    target: u32,
}

/// Slots, made in small chunks when they are first used.
struct Slots {
    /// So many can be used now; never more than were negotiated.
    count: u32,
    chunks: Vec<Option<alloc::boxed::Box<[Slot; CHUNK]>>>,
}

/// All sessions.
pub(crate) struct Sessions {
    epoch: u32,
    slab: Slab<Session>,
    /// Bytes of replies kept for replay, in all sessions.
    pub(crate) cached_bytes: usize,
}

impl Session {
    /// The slot of this number, if the session has so many.
    pub(crate) fn slot(&mut self, number: u32) -> Option<&mut Slot> {
        self.slots.get(number)
    }

    /// How many slots can be used now.
    pub(crate) fn slots_available(&self) -> u32 {
        self.slots.count
    }

    /// Brings the number of slots nearer to `target`, at a new request. More slots are there at
    /// once; fewer only when the client, having heard of it, has nothing outstanding above.
    ///
    /// Returns how many bytes of kept replies went with the slots.
    pub(crate) fn steer(&mut self, target: u32, request: &Sequence) -> usize {
        if target >= self.slots.count {
            self.slots.count = target;
            self.told = None;
            return 0;
        }
        match self.told {
            Some(told) if told.is_heard_by(request) && !self.slots.any_running(told.target) => {
                self.told = None;
                self.slots.retire(told.target)
            }
            Some(told) if told.slot <= request.slotid => 0,
            _ if request.slotid < target => {
                let (slot, seqid) = (request.slotid, request.sequenceid);
                self.told = Some(Told {
                    slot,
                    seqid,
                    target,
                });
                0
            }
            _ => 0,
        }
    }

    /// Whether nothing has used it for longer than this.
    pub(crate) fn is_idle(&self, now: Mono, lease: Duration) -> bool {
        self.running == 0 && now > self.last_used.after(lease)
    }

    /// Bytes of its replies kept for replay.
    pub(crate) fn cached_bytes(&self) -> usize {
        self.used_slots().map(Slot::cached_bytes).sum()
    }

    /// How many slots a request runs on.
    pub(crate) fn slots_in_use(&self) -> u32 {
        self.used_slots()
            .map(|slot| u32::from(slot.is_running()))
            .sum()
    }

    fn used_slots(&self) -> impl Iterator<Item = &Slot> + '_ {
        let used = self.slots.chunks.iter().flatten();
        used.flat_map(|chunk| chunk.iter())
    }
}

impl Told {
    /// Whether a request was sent after the reply had arrived, by a client that obeys it.
    fn is_heard_by(&self, request: &Sequence) -> bool {
        request.slotid == self.slot
            && request.sequenceid == self.seqid.wrapping_add(1)
            && request.highest_slotid < self.target
    }
}

impl Slots {
    fn from(&mut self, first: u32) -> impl Iterator<Item = &mut Slot> {
        let slots = self
            .chunks
            .iter_mut()
            .enumerate()
            .flat_map(|(number, chunk)| {
                let base = number * CHUNK;
                let within = chunk
                    .as_mut()
                    .map(|chunk| chunk.iter_mut())
                    .into_iter()
                    .flatten();
                within.enumerate().map(move |(at, slot)| (base + at, slot))
            });
        slots
            .filter(move |(number, _)| *number >= first as usize)
            .map(|(_, slot)| slot)
    }

    fn any_running(&mut self, first: u32) -> bool {
        self.from(first).any(|slot| slot.is_running())
    }

    /// Takes the slots from this one on away, and what was kept in them.
    fn retire(&mut self, first: u32) -> usize {
        self.count = first;
        self.from(first).map(Slot::retire).sum()
    }

    fn new(count: u32) -> Slots {
        Slots {
            count,
            chunks: Vec::new(),
        }
    }

    fn get(&mut self, number: u32) -> Option<&mut Slot> {
        if number >= self.count {
            return None;
        }
        let (chunk, within) = (number as usize / CHUNK, number as usize % CHUNK);
        if chunk >= self.chunks.len() {
            self.chunks.resize_with(chunk + 1, || None);
        }
        self.chunks
            .get_mut(chunk)?
            .get_or_insert_default()
            .get_mut(within)
    }
}

impl Sessions {
    pub(crate) const fn new(epoch: u32) -> Sessions {
        Sessions {
            epoch,
            slab: Slab::new(),
            cached_bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn get(&self, key: Key<Session>) -> Option<&Session> {
        self.slab.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key<Session>) -> Option<&mut Session> {
        self.slab.get_mut(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (Key<Session>, &Session)> + '_ {
        self.slab.entries()
    }

    /// All sessions from this place on.
    pub(crate) fn places_from(&self, index: u32) -> impl Iterator<Item = Place<'_, Session>> {
        self.slab.places_from(index)
    }

    /// The session that the wire calls `id`; none for another boot's.
    pub(crate) fn by_id(&self, id: &SessionId) -> Option<Key<Session>> {
        let [epoch, index, generation, tail] = words(id);
        let key = Key::new(index, generation);
        (epoch == self.epoch && tail == TAIL && self.slab.contains(key)).then_some(key)
    }

    pub(crate) fn insert(&mut self, client: Key<Client>, fore: Fore, now: Now) -> Key<Session> {
        let epoch = self.epoch;
        self.slab.insert_with(|key| Session {
            id: id_of([epoch, key.index, key.generation, TAIL]),
            client,
            created: now,
            flags: 0,
            fore,
            slots: Slots::new(fore.slots),
            told: None,
            bindings: Bindings::default(),
            last_used: now.mono,
            running: 0,
        })
    }

    pub(crate) fn remove(&mut self, key: Key<Session>) -> Option<Session> {
        let session = self.slab.remove(key)?;
        self.cached_bytes -= session.cached_bytes();
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

const CHUNK: usize = 8;
/// Tells our ids from random bytes at a glance in a capture; says nothing else.
const TAIL: u32 = 0x6e66_7334;
