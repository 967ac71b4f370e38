//! Empty folders as file systems under test.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use nfs4_engine::fs::Backend;
use nfs4_vfs::conformance::{Files, Subject, Traits};
use nfs4_vfs::{LocalFs, LocalFsConfig};

use crate::folder::Folder;

/// A folder in which each case gets one of its own.
pub(crate) struct Local {
    parent: PathBuf,
}

pub(crate) struct One {
    /// None while the server is restarted.
    files: Option<Arc<LocalFs>>,
    config: LocalFsConfig,
    _folder: Folder,
}

impl Local {
    pub(crate) fn on(parent: PathBuf) -> Local {
        Local { parent }
    }
}

impl Subject for Local {
    type Files = One;

    fn make(&self) -> One {
        let folder = Folder::within(&self.parent);
        let root = folder.folder("export");
        fs::set_permissions(&root, Permissions::from_mode(0o777)).unwrap();
        let state = folder.folder("state");
        // All have the same secret: a handle is of one export nevertheless.
        let config = LocalFsConfig::new(root, [7; 16]).with(|config| config.state = Some(state));
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

/// User and group of this process.
pub(crate) fn owner() -> (u32, u32) {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    (uid.as_raw(), gid.as_raw())
}
