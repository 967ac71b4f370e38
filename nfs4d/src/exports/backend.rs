//! File systems for exports.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nfs4_engine::fs::Backend;
use nfs4_engine::Wall;
use nfs4_vfs::{LocalFs, LocalFsConfig, MemFs};

use super::entry::{Entry, Files};
use super::place::Place;
use crate::config::Settings;

/// What makes file systems for exports.
#[derive(Debug)]
pub(crate) struct Maker {
    /// Handles of directories are signed with it.
    pub(crate) secret: [u8; 16],
    /// The folder of tables of handles.
    pub(crate) tables: Option<PathBuf>,
    /// The number of this start.
    pub(crate) epoch: u32,
    /// When the server was started.
    pub(crate) started: Wall,
    /// Number of file systems in memory so far.
    pub(crate) made: AtomicU32,
}

/// A file system that is open.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) backend: Backing,
    /// Where its directory is, if it has one.
    pub(super) place: Option<Place>,
}

/// A file system, by its kind.
#[derive(Clone)]
pub(super) enum Backing {
    Local(Arc<LocalFs>),
    Memory(Arc<MemFs>),
}
