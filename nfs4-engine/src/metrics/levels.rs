//! What there is at the moment, beside what was counted.

use alloc::vec::Vec;

use crate::connection_state::ConnectionState;
use crate::table_lengths::TableLengths;
use crate::time::Wall;

/// What an engine has at the moment, and its limits.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Levels<'a> {
    /// The lengths of the tables.
    pub tables: TableLengths,
    /// Number of connections in each state, in the order of [`ConnectionState::ALL`].
    pub connections: [usize; ConnectionState::ALL.len()],
    /// Maximum number of client records.
    pub max_clients: usize,
    /// Maximum number of sessions.
    pub max_sessions: usize,
    /// Maximum of [`TableLengths::states`].
    pub max_states: usize,
    /// Maximum number of delegations.
    pub max_delegations: usize,
    /// Maximum of [`TableLengths::cached_bytes`], small replies that are kept beyond it not included.
    pub max_cached_bytes: u64,
    /// The time at which the engine started.
    pub started: Wall,
    /// The exports, in the order of their numbers.
    pub exports: Vec<ExportLevel<'a>>,
}

/// An export, and its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportLevel<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its number.
    pub number: u16,
    /// Number of client records with a request that ended at a file of the export.
    pub clients: usize,
}

impl ExportLevel<'_> {
    pub(crate) fn new(path: &str, number: u16, clients: usize) -> ExportLevel<'_> {
        ExportLevel {
            path,
            number,
            clients,
        }
    }
}
