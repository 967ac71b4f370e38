//! Stable storage, which a restart of the simulated server outlasts as far as writes were carried out.

use std::collections::{BTreeMap, VecDeque};

use nfs4_engine::stable::{ClientRecord, StableError, StableTicket, StableWrite};
use nfs4_engine::{Config, Input};

use super::network::Delays;
use super::world::Sim;

/// The records of clients, and writes that are under way.
#[derive(Default)]
pub(super) struct Stable {
    /// By the bytes of their keys: at which start each was written, and the record's bytes.
    records: BTreeMap<Vec<u8>, (u32, Vec<u8>)>,
    /// Writes are carried out when the scenario says so.
    is_held: bool,
    /// Those that are not carried out yet, the oldest first.
    waiting: VecDeque<(StableTicket, StableWrite)>,
    /// All writes that were asked for since [`Sim::take_writes`].
    asked: Vec<StableWrite>,
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

impl Sim {
    /// A server with stable storage that has nothing yet.
    pub fn durable(config: Config) -> Sim {
        Sim::recovering(config, &[])
    }

    /// A server that finds these records.
    pub fn recovering(config: Config, records: &[ClientRecord]) -> Sim {
        let mut stable = Stable::default();
        for record in records {
            stable.apply(StableWrite::Client(record.clone()), 0);
        }
        let mut sim = Sim::with(config);
        sim.stable = Some(stable);
        sim.restart();
        sim
    }

    /// As [`Sim::durable`], on a network with delays that chance chooses.
    pub fn durable_on(config: Config, delays: Delays, seed: u64) -> Sim {
        let mut sim = Sim::on(config, delays, seed);
        sim.stable = Some(Stable::default());
        sim.restart();
        sim
    }

    fn stable(&mut self) -> &mut Stable {
        self.stable.as_mut().expect("there is stable storage")
    }

    /// From now on writes wait until the scenario says so, or no more.
    pub fn hold_stores(&mut self, held: bool) {
        self.stable().is_held = held;
    }

    /// Writes that wait, the oldest first.
    pub fn waiting_stores(&self) -> Vec<StableWrite> {
        let waiting = self.stable.iter().flat_map(|stable| &stable.waiting);
        waiting.map(|(_, write)| write.clone()).collect()
    }

    /// The writes that were asked for since this was last called.
    pub fn take_writes(&mut self) -> Vec<StableWrite> {
        std::mem::take(&mut self.stable().asked)
    }

    /// What a server would find that started now.
    pub fn records(&self) -> Vec<ClientRecord> {
        self.stable
            .as_ref()
            .map_or_else(Vec::new, Stable::recovered)
    }

    /// The oldest write that waits is carried out, or fails, and everything happens that follows.
    pub fn store_next(&mut self, result: Result<(), StableError>) {
        let (ticket, write) = self.stable().waiting.pop_front().expect("a write waits");
        self.stored(ticket, write, result);
        self.run();
    }

    /// The oldest write that waits is carried out, and the server never hears of it.
    pub fn store_silently(&mut self) {
        let (_, write) = self.stable().waiting.pop_front().expect("a write waits");
        let boots = self.boots;
        self.stable().apply(write, boots);
    }

    /// The oldest write that waits is carried out, and the server hears of it twice.
    pub fn store_twice(&mut self) {
        let (ticket, write) = self.stable().waiting.pop_front().expect("a write waits");
        self.stored(ticket, write, Ok(()));
        let result = Err(StableError::Failed);
        self.handle(Input::StableDone { ticket, result });
        self.run();
    }

    /// All writes that wait are carried out, and those that follow from them.
    pub fn store_all(&mut self) {
        while !self.waiting_stores().is_empty() {
            self.store_next(Ok(()));
        }
    }

    pub(super) fn stored(
        &mut self,
        ticket: StableTicket,
        write: StableWrite,
        result: Result<(), StableError>,
    ) {
        let boots = self.boots;
        if result.is_ok() {
            self.stable().apply(write, boots);
        }
        self.handle(Input::StableDone { ticket, result });
    }
}
