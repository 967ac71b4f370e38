//! Counters.

/// What was counted.
#[derive(Debug, Default)]
pub struct Metrics {}
