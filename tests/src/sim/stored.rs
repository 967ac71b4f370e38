//! What a scenario does with the stable storage of the simulated server.

use nfs4_engine::stable::{ClientRecord, StableError, StableTicket, StableWrite};
use nfs4_engine::{Config, Input};

use super::stable::Stable;
use super::world::Sim;

impl Sim {
    /// A server with stable storage that has nothing yet.
    pub fn durable(config: Config) -> Sim {
        Sim::with(config).recovering(&[])
    }

    /// The server starts again with stable storage that has these records.
    #[must_use]
    pub fn recovering(mut self, records: &[ClientRecord]) -> Sim {
        let mut stable = Stable::default();
        for record in records {
            stable.apply(StableWrite::Client(record.clone()), 0);
        }
        self.stable = Some(stable);
        self.restart();
        self
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

    /// The oldest write that waits is carried out, and the server hears that it has failed.
    pub fn store_in_doubt(&mut self) {
        let (ticket, write) = self.stable().waiting.pop_front().expect("a write waits");
        let boots = self.boots;
        self.stable().apply(write, boots);
        let result = Err(StableError::Failed);
        self.handle(Input::StableDone { ticket, result });
        self.run();
    }

    /// The oldest write that waits is carried out, and the server hears of it twice.
    pub fn store_twice(&mut self) {
        let (ticket, write) = self.stable().waiting.pop_front().expect("a write waits");
        self.stored(ticket, write, Ok(()));
        let result = Err(StableError::Failed);
        self.handle(Input::StableDone { ticket, result });
        self.run();
    }

    /// The server hears that the newest write that waits has failed, before it hears of the others.
    pub fn refuse_newest_store(&mut self) {
        let (ticket, _) = self.stable().waiting.pop_back().expect("a write waits");
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
