//! What every file system passes.

use std::sync::Arc;

use nfs4_engine::fs::Backend;

use super::{MIB, check_invariants};
use crate::conformance::{Files, Subject};
use crate::mem::{MemFs, MemFsConfig};

struct Memory;

struct One(Arc<MemFs>);

impl Subject for Memory {
    type Files = One;

    fn make(&self) -> One {
        let config = MemFsConfig::new(42, 64 * MIB).with(|files| files.root_mode = 0o777);
        One(Arc::new(MemFs::new(config)))
    }
}

impl Files for One {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.0) as _
    }

    fn check(&self) {
        check_invariants(&self.0);
    }
}

fs_conformance!(Memory);
