//! An observer that lists everything all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nfs4_driver::Node;
use nfs4_driver::engine::metrics::{Levels, Metrics, Recorder, SequenceError, SessionLoad};
use nfs4_driver::engine::proto::nfs4::Op;
use nfs4_driver::engine::snapshot::Cursor;

/// A thread that records, and looks at sessions and clients.
pub(crate) struct Observer {
    watching: JoinHandle<Counts>,
    over: Arc<AtomicBool>,
}

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Requests answered from the replay cache.
    pub(crate) replays: u64,
    /// SEQUENCE operations refused as no client of ours could have sent them.
    pub(crate) refused: u64,
    /// How often an operation succeeded.
    pub(crate) successes: BTreeMap<&'static str, u64>,
    /// How often the observer listed.
    pub(crate) rounds: u64,
    /// The most sessions that were there at once.
    pub(crate) most_sessions: usize,
}

impl Observer {
    pub(crate) fn start(node: Node) -> Observer {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let watching = thread::spawn(move || {
            let mut counts = Counts::default();
            while !seen.load(Ordering::SeqCst) {
                node.record(&mut counts).unwrap();
                look(&node);
                counts.rounds += 1;
                thread::sleep(Duration::from_millis(2));
            }
            node.record(&mut counts).unwrap();
            counts
        });
        Observer { watching, over }
    }

    /// All that was counted until now.
    pub(crate) fn end(self) -> Counts {
        self.over.store(true, Ordering::SeqCst);
        self.watching.join().expect("what it saw was right")
    }
}

/// Holds what is shown against itself.
fn look(node: &Node) {
    let mut next = Some(Cursor::default());
    while let Some(from) = next {
        let page = node.sessions(from, 2).unwrap();
        for view in &page.items {
            let sum = view.connection_summary;
            assert_eq!(sum.total, sum.fore + sum.back + sum.both);
            assert_eq!(sum.total as usize, view.connections.len());
            assert!(view.slots_in_use <= view.fore_slots);
        }
        next = page.next;
    }
    let clients = node.clients(Cursor::default(), 100).unwrap();
    for view in clients.items {
        // It may have gone since.
        let sessions = node.sessions_of(view.client_id).unwrap();
        let own = |id| id == view.client_id;
        assert!(sessions.is_none_or(|all| all.iter().all(|one| own(one.client_id))));
    }
}

impl Recorder for Counts {
    fn counted(&mut self, counted: &Metrics, _: &Levels<'_>) {
        let never = [
            SequenceError::BadSlot,
            SequenceError::FalseRetry,
            SequenceError::BadXdr,
            SequenceError::TooBig,
        ];
        self.replays += counted.replay_hits;
        let refused = never.map(|kind| counted.sequence_errors(kind));
        self.refused += refused.iter().sum::<u64>();
        for (op, _, count) in counted.successes() {
            *self.successes.entry(op.name()).or_default() += count;
        }
    }

    fn wants_sessions(&self) -> bool {
        true
    }

    fn sessions(&mut self, page: &[SessionLoad]) {
        self.most_sessions = self.most_sessions.max(page.len());
    }
}

impl Counts {
    /// How often an operation succeeded.
    pub(crate) fn of(&self, op: Op) -> u64 {
        self.successes.get(op.name()).copied().unwrap_or(0)
    }
}
