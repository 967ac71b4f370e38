//! What a driver measures around the engine.

use super::buckets::CompoundBuckets;

/// What a driver has measured since it was last recorded, and what it has at the moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Driven {
    /// How late the timer of the engine ran, each time that it slept to its end.
    pub timer_lag: CompoundBuckets,
    /// Waiting times of threads for the lock around the engine, and times for which it was held.
    pub lock: LockTimes,
    /// Bytes that strangers make the driver hold, and their maximum.
    pub held_by_strangers: [u64; 2],
    /// Bytes that clients make the driver hold, and their maximum.
    pub held_by_clients: [u64; 2],
    /// Maximum number of connections.
    pub max_connections: usize,
}

/// Times of a lock: of a part of its uses, if a driver measures only some.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LockTimes {
    /// From when a thread wants the lock until it has it.
    pub waits: CompoundBuckets,
    /// From then until it gives the lock back.
    pub holds: CompoundBuckets,
}

impl Driven {
    /// These measurements, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Driven)) -> Driven {
        set(&mut self);
        self
    }
}
