//! The grace period.

use serde::{Deserialize, Serialize};

/// The grace period: the time after a start in which new opens and locks get GRACE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Grace {
    /// Whether it runs.
    pub active: bool,
    /// Seconds that are left of it, rounded up; 0 if it does not run.
    pub remaining_seconds: u64,
    /// Its length from the start of the server, in seconds; 0 for none.
    pub grace_time: u64,
}
