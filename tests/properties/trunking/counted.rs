//! What is counted.

use std::array::from_fn;

use nfs4_engine::metrics::{Metrics, SequenceError};
use nfs4_engine::{Direction, Event, SessionGone, Unbound};

/// What the server has counted, or should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) sequences: u64,
    pub(super) errors: u64,
    pub(super) replays: u64,
    pub(super) unbound: u64,
    binds: [u64; Direction::ALL.len()],
    unbinds: [u64; Unbound::ALL.len()],
    destroyed: [u64; SessionGone::ALL.len()],
}

impl Counted {
    /// What the server has counted.
    pub(super) fn of(metrics: &Metrics) -> Counted {
        // A retry that is answered again is of a kind of its own, and no error to the model.
        let unkept = metrics.sequence_errors(SequenceError::RetryUncached);
        let kinds = SequenceError::ALL.iter();
        let all: u64 = kinds.map(|kind| metrics.sequence_errors(*kind)).sum();
        let replays = metrics.replay_hits + unkept;
        Counted {
            sequences: metrics.sequences,
            errors: all - replays,
            replays,
            unbound: metrics.unbound_requests,
            binds: Direction::ALL.map(|direction| metrics.binds(direction)),
            unbinds: from_fn(|at| metrics.unbinds(Unbound::ALL[at])),
            destroyed: from_fn(|at| metrics.sessions_destroyed(SessionGone::ALL[at])),
        }
    }

    /// Counts what is told.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Bound { direction, .. } => self.binds[*direction as usize] += 1,
            Event::Unbound { reason, .. } => self.unbinds[*reason as usize] += 1,
            Event::SessionDestroyed { reason, .. } => self.destroyed[*reason as usize] += 1,
            _ => {}
        }
    }

    /// Adds what was counted since.
    pub(super) fn add(&mut self, more: &Counted) {
        self.sequences += more.sequences;
        self.errors += more.errors;
        self.replays += more.replays;
        self.unbound += more.unbound;
        add(&mut self.binds, &more.binds);
        add(&mut self.unbinds, &more.unbinds);
        add(&mut self.destroyed, &more.destroyed);
    }
}

fn add(sums: &mut [u64], more: &[u64]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}
