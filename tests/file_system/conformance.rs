//! What every file system passes, of one of the asynchronous trait: its answers come from other threads.

use std::num::NonZeroUsize;
use std::sync::Arc;

use nfs4_driver::{FileSystemBackend, Workers};
use nfs4_engine::fs::Backend;
use nfs4_tests::tree::TreeFs;
use nfs4_vfs::conformance::{Files, Subject, Traits};

struct Adapted;

struct One {
    tree: TreeFs,
    backend: Arc<FileSystemBackend<TreeFs>>,
}

impl Subject for Adapted {
    type Files = One;

    fn make(&self) -> One {
        let tree = TreeFs::new(0o777).with_pages(7);
        let workers = Workers::new(NonZeroUsize::new(2).unwrap()).unwrap();
        let backend = Arc::new(FileSystemBackend::new(tree.clone(), workers));
        One { tree, backend }
    }

    fn traits(&self) -> Traits {
        Traits::default().with(|traits| {
            // It keeps files in vectors, numbers of devices and cookies not at all, and tells no space; its
            // handles are numbers, and what is new is listed last.
            traits.devices = false;
            traits.knows_cookies = false;
            traits.seals_handles = false;
            traits.stable_listings = false;
            traits.sparse = false;
            traits.exact_space = false;
            traits.largest_file = 1 << 20;
            traits.random_runs = 50;
        })
    }
}

impl Files for One {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend) as _
    }

    fn check(&self) {
        assert!(self.tree.objects() > 0);
    }
}

nfs4_vfs::fs_conformance!(Adapted);
