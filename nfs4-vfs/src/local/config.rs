//! The settings of a [`LocalFs`](super::LocalFs).

use std::fmt;
use std::path::PathBuf;

use nfs4_engine::fs::Credential;

/// The settings of a [`LocalFs`](super::LocalFs).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalFsConfig {
    /// The directory that is exported. At another path its objects have other handles.
    pub root: PathBuf,
    /// Random bytes that no client knows, the same at every start, so that no handle can be forged
    /// and handles survive a restart.
    pub secret: [u8; 16],
    /// Whether file systems that are mounted below the root are shown, each with an fsid of its
    /// own; else the directories that the mounts cover are.
    pub cross_mounts: bool,
    /// The folder of the table of handles, which is needed where the kernel's are not permitted.
    /// Without it, handles do not survive a restart there.
    pub state: Option<PathBuf>,
    /// Maximum number of threads that execute requests which wait for devices; 0 stands for 32. All exports
    /// of a process share the threads of the one that has most.
    pub threads: usize,
    /// Maximum number of file descriptors; 0 derives it from the process's limit.
    pub descriptors: usize,
    /// Whether a change of names or attributes is durable before its reply, as NFS promises. Without it,
    /// a crash of the machine may undo the latest ones.
    pub sync_metadata: bool,
    /// Whether locks of byte ranges are also between clients and processes of this machine: each sees
    /// those of the other, as of `fcntl`. Else they are between clients alone.
    pub local_locks: bool,
    /// User id and group id that squashed users have.
    pub anonymous: (u32, u32),
}

/// Without the secret, which no client may know.
impl fmt::Debug for LocalFsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalFsConfig")
            .field("root", &self.root)
            .field("cross_mounts", &self.cross_mounts)
            .field("state", &self.state)
            .field("threads", &self.threads)
            .field("descriptors", &self.descriptors)
            .field("sync_metadata", &self.sync_metadata)
            .field("local_locks", &self.local_locks)
            .field("anonymous", &self.anonymous)
            .finish_non_exhaustive()
    }
}

impl LocalFsConfig {
    /// The directory `root`, without mounts below it, and derived limits.
    pub fn new(root: PathBuf, secret: [u8; 16]) -> LocalFsConfig {
        LocalFsConfig {
            root,
            secret,
            cross_mounts: false,
            state: None,
            threads: 0,
            descriptors: 0,
            sync_metadata: true,
            local_locks: false,
            anonymous: (Credential::NOBODY, Credential::NOBODY),
        }
    }

    /// These settings, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut LocalFsConfig)) -> LocalFsConfig {
        set(&mut self);
        self
    }
}
