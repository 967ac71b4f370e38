//! A directory of the operating system.
//!
//! Objects are held by descriptors with `O_PATH` ([`node`]), and found from there by single names
//! which the kernel resolves neither through links nor upwards ([`root`]): no path is ever joined, so
//! that no rename and no link under way leads out of the export. A handle is the kernel's own where
//! that is permitted, with a tag ([`handle`]).

mod attributes;
mod change;
mod config;
mod error;
mod handle;
mod holds;
mod identity;
mod names;
mod node;
mod nodes;
mod permission;
mod pool;
mod root;
mod shared;
mod system;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;

use nfs4_engine::Now;
use nfs4_engine::fs::{
    Backend, Capabilities, Credential, FsError, FsHandle, FsOp, FsRequest, FsResult, Pending,
};

pub use config::LocalFsConfig;
use shared::Shared;

/// A directory of the operating system as an export.
pub struct LocalFs {
    shared: Arc<Shared>,
}

/// Why a directory cannot be exported.
#[derive(Debug)]
#[non_exhaustive]
pub enum LocalFsError {
    /// The root cannot be opened, or is not a directory.
    Root(PathBuf, std::io::Error),
    /// The attributes or the handle of the root cannot be read.
    Attributes(PathBuf, FsError),
    /// `/proc` is not mounted, through which files are opened.
    Proc(std::io::Error),
}

impl fmt::Display for LocalFsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalFsError::Root(path, error) => {
                write!(f, "cannot open the directory {}: {error}", path.display())
            }
            LocalFsError::Attributes(path, error) => {
                write!(
                    f,
                    "cannot read the attributes of {}: {error}",
                    path.display()
                )
            }
            LocalFsError::Proc(error) => write!(f, "/proc is not mounted: {error}"),
        }
    }
}

impl std::error::Error for LocalFsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LocalFsError::Root(_, error) | LocalFsError::Proc(error) => Some(error),
            LocalFsError::Attributes(_, error) => Some(error),
        }
    }
}

type Result<T> = std::result::Result<T, FsError>;

/// The user, and the time of the request.
struct Caller {
    cred: Arc<Credential>,
    now: Now,
}

impl LocalFs {
    /// Exports the directory of this configuration.
    ///
    /// # Errors
    /// The directory cannot be opened, or the system lacks what is needed.
    pub fn open(config: LocalFsConfig) -> std::result::Result<LocalFs, LocalFsError> {
        let shared = Arc::new(Shared::open(config)?);
        Ok(LocalFs { shared })
    }

    /// What the administrator must know: which guarantees this export cannot give, and why.
    pub fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }
}

impl Shared {
    /// Executes a request, and may wait for a device.
    fn answer(&self, request: FsRequest) -> FsResult {
        let FsRequest { cred, now, op, .. } = request;
        let caller = Caller { cred, now };
        match op {
            FsOp::GetAttrs { fh, want } => self.get_attrs(&fh, want),
            FsOp::Lookup { dir, name, want } => self.lookup(&caller, &dir, &name, want),
            _ => Err(FsError::NotSupported),
        }
    }
}

impl Backend for LocalFs {
    fn root(&self) -> FsHandle {
        self.shared.root_handle
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with(|can| {
            can.hard_links = true;
            can.symlinks = true;
            can.max_name = self.shared.root.max_name;
            can.max_links = self.shared.root.max_links;
        })
    }

    /// Processes that are no clients may change the files.
    fn is_private(&self) -> bool {
        false
    }

    fn submit(&self, request: FsRequest, _pending: &mut Pending<'_>) -> Poll<FsResult> {
        Poll::Ready(self.shared.answer(request))
    }

    fn release(&self, fh: FsHandle) {
        drop(self.shared.release(&fh));
    }
}

impl fmt::Debug for LocalFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalFs")
            .field("config", &self.shared.config)
            .field("kept", &self.shared.nodes.len())
            .finish_non_exhaustive()
    }
}
