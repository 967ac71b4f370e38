//! What a node measures, for a recorder.

use nfs4_engine::metrics::{Driven, Recorder};

use crate::error::EngineDead;
use crate::shared::Shared;

impl Shared {
    /// Gives a recorder what was counted since the last call, and what there is.
    pub(crate) fn record(&self, recorder: &mut impl Recorder) -> Result<(), EngineDead> {
        let mut locked = self.lock()?;
        recorder.counted(&locked.outbox.metrics, &locked.engine.levels());
        locked.outbox.metrics.clear();
        let timer_lag = std::mem::take(&mut locked.timer_lag);
        let lock = locked.take_times();
        drop(locked);
        let (strangers, clients) = self.budget.held();
        let limits = &self.limits;
        recorder.driven(&Driven::default().with(|driven| {
            driven.timer_lag = timer_lag;
            driven.lock = lock;
            driven.held_by_strangers = [strangers, limits.max_held_by_strangers];
            driven.held_by_clients = [clients, limits.max_held];
            driven.max_connections = limits.max_connections as usize;
        }));
        Ok(())
    }
}
