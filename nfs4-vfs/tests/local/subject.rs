//! Empty folders as file systems under test.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nfs4_engine::fs::Backend;
use nfs4_vfs::conformance::{Files, Subject, Traits};
use nfs4_vfs::{LocalFs, LocalFsConfig};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::folder::Folder;

/// A folder in which each case gets one of its own.
pub(crate) struct Local {
    parent: PathBuf,
    /// No two changes that this server can tell apart have the same time.
    has_fine_times: bool,
    /// Processes see the locks of clients.
    local_locks: bool,
}

pub(crate) struct One {
    /// None while the server is restarted.
    files: Option<Arc<LocalFs>>,
    config: LocalFsConfig,
    _folder: Folder,
}

impl Local {
    /// On a disk: the file systems of Linux since 6.13 have fine times there.
    pub(crate) fn on_disk(parent: PathBuf) -> Local {
        let system = rustix::system::uname();
        let release = system.release().to_string_lossy();
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        let mut number = || numbers.next().and_then(|part| part.parse().ok());
        let version = (number().unwrap_or(0), number().unwrap_or(0));
        let space = rustix::fs::statfs(&parent).unwrap();
        let has_fine_times = version >= (6, 13) && space.f_type != TMPFS;
        Local {
            parent,
            has_fine_times,
            local_locks: false,
        }
    }

    /// In memory: a directory there gets the time of the entry that goes, which may be an earlier one. Processes see
    /// the locks of clients there.
    pub(crate) fn on_tmpfs(parent: PathBuf) -> Local {
        Local {
            parent,
            has_fine_times: false,
            local_locks: true,
        }
    }
}

impl Subject for Local {
    type Files = One;

    fn make(&self) -> One {
        raise_limit();
        let folder = Folder::within(&self.parent);
        let root = folder.folder("export");
        fs::set_permissions(&root, Permissions::from_mode(0o777)).unwrap();
        let state = folder.folder("state");
        // All have the same secret: a handle is of one export nevertheless.
        let config = LocalFsConfig::new(root, [7; 16]).with(|config| {
            config.state = Some(state);
            config.local_locks = self.local_locks;
        });
        One {
            files: Some(opened(&config)),
            config,
            _folder: folder,
        }
    }

    fn traits(&self) -> Traits {
        Traits::default().with(|traits| {
            traits.owner = owner();
            traits.devices = owner().0 == 0;
            // What the kernel does: it has one clock, sets no time of creation, and trusts cookies.
            traits.stamps_requests = false;
            traits.sets_created = false;
            traits.knows_cookies = false;
            traits.stable_listings = false;
            // The verifier is kept in the times of the file.
            traits.keeps_verifiers = false;
            traits.leases = leases(&self.parent);
            traits.steady_change = self.has_fine_times;
            // Others use the same file system.
            traits.exact_space = false;
            traits.largest_file = 1 << 40;
            traits.random_runs = 40;
        })
    }
}

impl Files for One {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(self.files.as_ref().unwrap()) as _
    }

    fn restart(&mut self) -> bool {
        // The table of handles is one server's at a time.
        self.files = None;
        self.files = Some(opened(&self.config));
        true
    }
}

fn opened(config: &LocalFsConfig) -> Arc<LocalFs> {
    Arc::new(LocalFs::open(config.clone()).unwrap())
}

/// Lets this process have as many descriptors as it may: its cases run at the same time.
fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// User and group of this process.
pub(crate) fn owner() -> (u32, u32) {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    (uid.as_raw(), gid.as_raw())
}

/// Whether the kernel leases files there, and waits for the holder of a lease.
fn leases(folder: &Path) -> bool {
    let time = fs::read_to_string("/proc/sys/fs/lease-break-time");
    let waits = time.is_ok_and(|time| time.trim().parse().is_ok_and(|seconds: u32| seconds > 0));
    let space = rustix::fs::statfs(folder).unwrap();
    waits && LEASED.contains(&space.f_type)
}

/// Types of file systems that are known to lease: ext4, XFS, btrfs and overlayfs too.
const LEASED: [rustix::fs::FsWord; 5] = [TMPFS, 0xef53, 0x5846_5342, 0x9123_683e, 0x794c_7630];
const TMPFS: rustix::fs::FsWord = 0x0102_1994;
