//! The log of a simulated server.

use nfs4_engine::record::Journal;
use nfs4_engine::{Engine, Input, Now, Outbox};
use nfs4_replay::{Log, LogEnd, Verdict, replay};

/// Writes a log beside the engine, if it is wanted.
#[derive(Default)]
pub(super) struct EngineLog {
    journal: Option<Journal>,
    /// The log is replayed when the simulation ends.
    is_replayed: bool,
}

impl EngineLog {
    /// For an engine that was given nothing yet. With `NFS4_REPLAY_SCENARIOS` in the environment,
    /// every simulated server is recorded, and replayed at its end.
    pub(super) fn new(engine: &Engine) -> EngineLog {
        let is_replayed = std::env::var_os("NFS4_REPLAY_SCENARIOS").is_some();
        EngineLog {
            journal: is_replayed.then(|| Journal::new(engine.start())),
            is_replayed,
        }
    }

    pub(super) fn start(&mut self, engine: &Engine) {
        self.journal = Some(Journal::new(engine.start()));
    }

    pub(super) fn input(&mut self, now: Now, input: &Input, outbox: &Outbox) {
        if let Some(journal) = &mut self.journal {
            journal.input(now, input, outbox);
        }
    }

    pub(super) fn timers(&mut self, now: Now, budget: usize, outbox: &Outbox) {
        if let Some(journal) = &mut self.journal {
            journal.timers(now, budget, outbox);
        }
    }

    pub(super) fn caused(&mut self, outbox: &mut Outbox) {
        if let Some(journal) = &mut self.journal {
            journal.caused(outbox);
        }
    }

    /// The log, which ends here.
    pub(super) fn end(&mut self) -> Option<Vec<u8>> {
        let mut journal = self.journal.take()?;
        journal.end();
        Some(journal.take(Vec::new()))
    }
}

impl Drop for EngineLog {
    fn drop(&mut self) {
        if !self.is_replayed || std::thread::panicking() {
            return;
        }
        let Some(log) = self.end() else { return };
        let report = Log::open(&*log).map(replay).expect("it is a log");
        let verdict = report.expect("it can be replayed").verdict;
        match verdict {
            Verdict::Same(LogEnd::Complete) => {}
            Verdict::Differs(difference) => panic!("{difference}"),
            other => panic!("{other:?}"),
        }
    }
}
