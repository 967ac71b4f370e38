//! A gauge that several recorders add to.

use ::prometheus::IntGauge;

/// The part of a gauge that this recorder has added; other recorders may add to the gauge as well.
#[derive(Debug, Default)]
pub(super) struct Level(i64);

impl Level {
    pub(super) fn set(&mut self, gauge: &IntGauge, level: usize) {
        let level = i64::try_from(level).unwrap_or(i64::MAX);
        gauge.add(level - self.0);
        self.0 = level;
    }
}
