//! Stable storage, which a restart of the simulated server outlasts as far as writes were carried out.

use std::collections::{BTreeMap, VecDeque};

use nfs4_engine::stable::{ClientRecord, StableTicket, StableWrite};
/// The records of clients, and writes that are under way.
#[derive(Default)]
pub(super) struct Stable {
    /// By the bytes of their keys: at which start each was written, and the record's bytes.
    records: BTreeMap<Vec<u8>, (u32, Vec<u8>)>,
    /// Writes are carried out when the scenario says so.
    pub(super) is_held: bool,
    /// Those that are not carried out yet, the oldest first.
    pub(super) waiting: VecDeque<(StableTicket, StableWrite)>,
    /// All writes that were asked for since [`Sim::take_writes`].
    pub(super) asked: Vec<StableWrite>,
}

impl Stable {
    /// What a server finds when it starts.
    pub(super) fn recovered(&self) -> Vec<ClientRecord> {
        let records = self.records.values();
        let read = |(_, bytes): &(u32, Vec<u8>)| ClientRecord::from_bytes(bytes);
        records.map(read).map(Result::unwrap).collect()
    }

    /// A write was asked for; it is carried out later.
    pub(super) fn ask(&mut self, ticket: StableTicket, write: StableWrite) {
        self.asked.push(write.clone());
        self.waiting.push_back((ticket, write));
    }

    /// The oldest write that need not wait for the scenario.
    pub(super) fn next(&mut self) -> Option<(StableTicket, StableWrite)> {
        let next = !self.is_held;
        next.then(|| self.waiting.pop_front()).flatten()
    }

    pub(super) fn apply(&mut self, write: StableWrite, boots: u32) {
        match write {
            StableWrite::Client(record) => {
                let bytes = record.to_bytes();
                self.records.insert(record.key.to_bytes(), (boots, bytes));
            }
            StableWrite::Forget { key } => {
                self.records.remove(&key.to_bytes());
            }
            StableWrite::GraceOver => self.records.retain(|_, (written, _)| *written == boots),
            other => unreachable!("{other:?} is not known here"),
        }
    }

    /// The server ends before these writes are carried out.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}
