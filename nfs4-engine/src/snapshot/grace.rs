//! The view of the grace period.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::owner_text;
use crate::engine::Engine;
use crate::stable::RecordKey;
use crate::time::Now;

/// The grace period.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraceView {
    /// Whether it runs.
    pub active: bool,
    /// What is left of it; zero if it does not run, or if it waits only for its end to be stored: then clients
    /// reclaim no more, and get nothing new yet.
    pub remaining: Duration,
    /// How long it lasts at most, from the start of the server.
    pub length: Duration,
    /// Number of clients that could reclaim state when the server started.
    pub known: usize,
    /// Number of these that may still reclaim some, and have not completed their reclaims; none once it ends.
    pub missing: usize,
    /// Some of these, at most 32.
    pub some_missing: Vec<MissingClient>,
}

/// A client that may still reclaim state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MissingClient {
    /// `co_ownerid`; bytes that are no text are escaped.
    pub owner: Box<str>,
    /// Whether it speaks minor version 0: such a client never says that it has reclaimed everything.
    pub v40: bool,
}

impl Engine {
    /// The grace period.
    pub fn grace(&self, now: Now) -> GraceView {
        let core = &self.runner.core;
        let takes_reclaims = core.grace.takes_reclaims(now.mono);
        let (of_v40, of_others) = core.recovered.missing();
        let most = if takes_reclaims { SHOWN } else { 0 };
        let missing = core.recovered.some_missing(most);
        GraceView {
            active: core.in_grace(now.mono),
            remaining: core.grace.left(now.mono),
            length: core.grace_length(),
            known: core.recovered.known(),
            missing: if takes_reclaims {
                of_v40 + of_others
            } else {
                0
            },
            some_missing: missing.map(MissingClient::of).collect(),
        }
    }
}

impl MissingClient {
    fn of(key: &RecordKey) -> MissingClient {
        MissingClient {
            owner: owner_text(&key.owner).into(),
            v40: key.v40,
        }
    }
}

/// Maximum number of missing clients that are shown.
const SHOWN: usize = 32;
