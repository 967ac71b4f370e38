//! Sessions, by id. [RFC 8881 §2.10.3]

use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::nfs4::basic::SessionId;

use super::slot::Slot;
use crate::client::Client;
use crate::connection::Bindings;
use crate::slab::{Key, Slab};
use crate::time::Mono;

/// A session of a client: its slots and the connections bound to it.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) client: Key<Client>,
    /// What was negotiated.
    pub(crate) fore: Fore,
    slots: Slots,
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

/// Slots, made in small chunks when they are first used.
struct Slots {
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

    /// Whether nothing has used it for longer than this.
    pub(crate) fn is_idle(&self, now: Mono, lease: Duration) -> bool {
        self.running == 0 && now > self.last_used.after(lease)
    }

    fn cached_bytes(&self) -> usize {
        let used = self.slots.chunks.iter().flatten();
        used.flat_map(|chunk| chunk.iter())
            .map(Slot::cached_bytes)
            .sum()
    }
}

impl Slots {
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

    /// The session that the wire calls `id`; none for another boot's.
    pub(crate) fn by_id(&self, id: &SessionId) -> Option<Key<Session>> {
        let [epoch, index, generation, tail] = words(id);
        let key = Key::new(index, generation);
        (epoch == self.epoch && tail == TAIL && self.slab.contains(key)).then_some(key)
    }

    pub(crate) fn insert(&mut self, client: Key<Client>, fore: Fore, now: Mono) -> Key<Session> {
        let epoch = self.epoch;
        self.slab.insert_with(|key| Session {
            id: id_of([epoch, key.index, key.generation, TAIL]),
            client,
            fore,
            slots: Slots::new(fore.slots),
            bindings: Bindings::default(),
            last_used: now,
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
