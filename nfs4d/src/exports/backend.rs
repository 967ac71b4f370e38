//! File systems for exports.

use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nfs4_engine::fs::{Backend, Credential, FsOp, FsReply, FsRequest, Want};
use nfs4_engine::{Now, Wall};
use nfs4_vfs::{LocalFs, LocalFsConfig, MemFs};

use super::entry::{Entry, Files};
use super::place::Place;
use super::wrong::Wrong;
use crate::config::Settings;
use crate::size::Size;

/// What makes file systems for exports.
#[derive(Debug)]
pub(crate) struct Maker {
    settings: Settings,
    /// Handles of directories are signed with it.
    secret: [u8; 16],
    /// The folder for tables of handles; none if nothing outlasts the server.
    tables: Option<PathBuf>,
    /// The number of this start.
    epoch: u32,
    /// The time of this start.
    started: Wall,
    /// Number of file systems in memory that were made.
    made: AtomicU32,
}

/// Why the file system of an export is not open.
#[derive(Debug)]
pub(super) enum NotOpened {
    Wrong(Wrong),
    /// It has no number, as that cannot be stored.
    Number(io::Error),
}

/// A file system that is open.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) files: OpenFiles,
    /// Where its directory is, if it has one.
    pub(super) place: Option<Place>,
    /// The state directory lies in it.
    holds_state: bool,
}

/// A file system, by its kind.
#[derive(Clone)]
pub(super) enum OpenFiles {
    Local(Arc<LocalFs>),
    /// With the number of bytes that are free in it while there is no file.
    Memory(Arc<MemFs>, u64),
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Maker {
    /// For the start of this number, at this time. `kept` is what outlasts the server, if something does: its
    /// secret, and the folder for tables of handles.
    pub(crate) fn new(
        settings: Settings,
        kept: Option<([u8; 16], PathBuf)>,
        (epoch, started): (u32, Wall),
    ) -> io::Result<Maker> {
        let (secret, tables) = match kept {
            Some((secret, folder)) => (secret, Some(folder)),
            None => {
                let mut secret = [0; 16];
                getrandom::fill(&mut secret)?;
                (secret, None)
            }
        };
        Ok(Maker {
            settings,
            secret,
            tables,
            epoch,
            started,
            made: AtomicU32::new(0),
        })
    }

    /// Maximum size of a file system in memory whose export does not say it.
    pub(super) fn memory(&self) -> Size {
        self.settings.memory
    }

    /// Opens the file system of an export with this number, whose directory is at `place` if it has one.
    ///
    /// # Errors
    /// What is wrong with its directory.
    pub(super) fn open(
        &self,
        entry: &Entry,
        number: u16,
        place: Option<Place>,
    ) -> Result<Opened, String> {
        match &entry.files {
            Files::Memory { size } => {
                // Handles of the last file system in memory must be stale in this one.
                let made = self.made.fetch_add(1, Ordering::Relaxed);
                let epoch = self.epoch.wrapping_sub(made << 20);
                let config = self.settings.file_system(epoch).with(|files| {
                    files.capacity = size.0;
                    files.created = self.started;
                });
                let files = Arc::new(MemFs::new(config));
                let empty = free_bytes(&files).unwrap_or_default();
                Ok(Opened {
                    files: OpenFiles::Memory(files, empty),
                    place: None,
                    holds_state: false,
                })
            }
            Files::Local {
                path,
                cross_mounts,
                local_locks,
            } => {
                let state = self
                    .folder(number)
                    .map_err(|(path, why)| format!("needs the folder {}: {why}", path.display()))?;
                let config = LocalFsConfig::new(path.clone(), self.secret).with(|config| {
                    config.cross_mounts = *cross_mounts;
                    config.local_locks = *local_locks;
                    config.state = state;
                    config.anonymous = entry.rules.anonymous;
                });
                let files =
                    LocalFs::open(config).map_err(|why| format!("cannot be served: {why}"))?;
                let state = self.tables.as_deref().and_then(Path::parent);
                Ok(Opened {
                    files: OpenFiles::Local(Arc::new(files)),
                    holds_state: place
                        .as_ref()
                        .zip(state)
                        .is_some_and(|(place, state)| place.holds(state)),
                    place,
                })
            }
        }
    }

    /// The folder for the table of handles of an export.
    fn folder(&self, number: u16) -> Result<Option<PathBuf>, (PathBuf, io::Error)> {
        let Some(folder) = &self.tables else {
            return Ok(None);
        };
        let folder = folder.join(format!("export-{number}"));
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder);
        match made {
            Ok(()) => Ok(Some(folder)),
            Err(why) => Err((folder, why)),
        }
    }
}

impl Opened {
    /// As the engine has it.
    pub(super) fn backend(&self) -> Arc<dyn Backend> {
        match &self.files {
            OpenFiles::Local(files) => Arc::clone(files) as Arc<dyn Backend>,
            OpenFiles::Memory(files, _) => Arc::clone(files) as Arc<dyn Backend>,
        }
    }

    /// Whether there are files in memory, which would be lost.
    pub(super) fn has_files(&self) -> bool {
        match &self.files {
            OpenFiles::Local(_) => false,
            OpenFiles::Memory(files, empty) => free_bytes(files) != Some(*empty),
        }
    }

    /// What the administrator must know of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = match &self.files {
            OpenFiles::Local(files) => files.notes(),
            OpenFiles::Memory(..) => Vec::new(),
        };
        if self.holds_state {
            notes.push(HOLDS_STATE.to_owned());
        }
        notes
    }
}

fn free_bytes(files: &MemFs) -> Option<u64> {
    let mut want = Want::ATTRS;
    want.stat = true;
    let op = FsOp::GetAttrs {
        fh: files.root(),
        want,
    };
    let request = FsRequest::new(Arc::new(Credential::none()), Now::default(), op);
    match files.answer(request) {
        Ok(FsReply::Attrs { stat, .. }) => stat.map(|stat| stat.space_free),
        _ => None,
    }
}

const HOLDS_STATE: &str = "the state directory lies in the directory of an export: a client that acts as the \
    server's user can destroy it; --state-dir names another one";
