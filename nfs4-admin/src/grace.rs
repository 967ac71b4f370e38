//! The grace period.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The grace period: the time after a start in which new opens and locks get GRACE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Grace {
    /// Whether it runs.
    pub active: bool,
    /// Whether it waits only for its end to be stored: clients reclaim no more, and new opens and locks get GRACE
    /// until then.
    #[serde(default)]
    pub ending: bool,
    /// Seconds that are left of it, rounded up; 0 if it does not run, or is ending.
    pub remaining_seconds: u64,
    /// Its length from the start of the server, in seconds; 0 for none.
    pub grace_time: u64,
    /// Number of clients that could reclaim state when the server started.
    #[serde(default)]
    pub known_clients: u64,
    /// Number of these that may still reclaim some. When there is none, the grace period ends; once it does, none
    /// may.
    #[serde(default)]
    pub missing_clients: u64,
    /// The owners of some of these, at most 32.
    #[serde(default)]
    pub some_missing: Vec<String>,
}

impl Grace {
    /// A grace period of this length, of which this is left; nothing is if it does not run. If it runs and
    /// nothing is left, it is ending.
    pub fn new(active: bool, remaining: Duration, length: Duration) -> Grace {
        let begun = u64::from(remaining.subsec_nanos() > 0);
        Grace {
            active,
            ending: active && remaining.is_zero(),
            remaining_seconds: remaining.as_secs().saturating_add(begun),
            grace_time: length.as_secs(),
            known_clients: 0,
            missing_clients: 0,
            some_missing: Vec::new(),
        }
    }

    /// The same, with so many known clients, of which so many are missing, and the owners of some of these.
    #[must_use]
    pub fn with_clients(self, known: u64, missing: u64, some_missing: Vec<String>) -> Grace {
        Grace {
            known_clients: known,
            missing_clients: missing,
            some_missing,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_rounded_up() {
        let of = |left| Grace::new(true, left, Duration::from_secs(90)).remaining_seconds;
        assert_eq!(of(Duration::ZERO), 0);
        assert_eq!(of(Duration::from_millis(1)), 1);
        assert_eq!(of(Duration::from_secs(89)), 89);
        assert_eq!(of(Duration::MAX), u64::MAX);
    }

    #[test]
    fn one_that_runs_with_nothing_left_is_ending() {
        let of = |active, left| Grace::new(active, left, Duration::from_secs(90)).ending;
        assert!(of(true, Duration::ZERO));
        assert!(!of(true, Duration::from_millis(1)) && !of(false, Duration::ZERO));
    }
}
