//! A directory of the operating system as an export.

mod changes;
mod devices;
mod escapes;
mod exhausted;
mod leases;
mod mounts;
mod nodes;
mod overlay;
mod taken_back;
mod unlocks;
mod unprivileged;
mod upgrades;
mod waiting;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Backend as _, Credential, FileKind, FsError, FsHandle, FsOp, FsReply, FsRequest,
    FsResult, Want,
};
use nfs4_engine::{Mono, Now, Wall};

use super::{LocalFs, LocalFsConfig};

/// An export in a folder of its own, which is removed at the end.
pub(super) struct Scene {
    pub(super) files: LocalFs,
    pub(super) folder: PathBuf,
}

impl Scene {
    pub(super) fn new(name: &str) -> Scene {
        Scene::with(name, |_| ())
    }

    pub(super) fn with(name: &str, set: impl FnOnce(&mut LocalFsConfig)) -> Scene {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("nfs4-local-{name}-{process}-{number}"));
        fs::create_dir_all(folder.join("root")).unwrap();
        let config = LocalFsConfig::new(folder.join("root"), [7; 16]).with(set);
        let files = LocalFs::open(config).unwrap();
        Scene { files, folder }
    }

    /// An export of this directory, which stays.
    pub(super) fn at(root: &Path) -> Scene {
        let files = LocalFs::open(LocalFsConfig::new(root.to_owned(), [7; 16])).unwrap();
        Scene {
            files,
            folder: root.join("nothing to remove"),
        }
    }

    /// The path of something in the export.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.files.shared.config.root.join(name)
    }

    pub(super) fn root(&self) -> FsHandle {
        self.files.root()
    }

    pub(super) fn ask(&self, op: FsOp) -> FsResult {
        self.ask_as(Credential::sys(0, 0, &[]), op)
    }

    pub(super) fn ask_as(&self, cred: Credential, op: FsOp) -> FsResult {
        self.files
            .shared
            .answer(FsRequest::new(Arc::new(cred), now(), op))
    }

    /// As a server does it: at once if that can be, else by a thread.
    pub(super) fn submit(&self, op: FsOp) -> FsResult {
        self.submit_as(Credential::sys(0, 0, &[]), op)
    }

    pub(super) fn submit_as(&self, cred: Credential, op: FsOp) -> FsResult {
        let mut request = FsRequest::new(Arc::new(cred), now(), op);
        if let Some(answer) = self.files.at_once(&mut request) {
            return answer;
        }
        let shared = Arc::clone(&self.files.shared);
        let (answer, answers) = std::sync::mpsc::channel();
        let job = move || answer.send(shared.answer(request)).unwrap();
        self.files.pool.run(job);
        answers.recv().unwrap()
    }

    pub(super) fn lookup(&self, dir: FsHandle, name: &str) -> Result<(FsHandle, Attrs), FsError> {
        let reply = self.ask(FsOp::Lookup {
            dir,
            name: Bytes::copy_from_slice(name.as_bytes()),
            want: Want::ATTRS,
        })?;
        let FsReply::Node { fh, attrs, .. } = reply else {
            panic!("{reply:?}");
        };
        Ok((fh, attrs))
    }

    pub(super) fn attrs(&self, fh: FsHandle) -> Result<Attrs, FsError> {
        let reply = self.ask(FsOp::GetAttrs {
            fh,
            want: Want::ATTRS,
        })?;
        let FsReply::Attrs { attrs, .. } = reply else {
            panic!("{reply:?}");
        };
        Ok(attrs)
    }
}

/// The time of every request.
pub(super) fn now() -> Now {
    Now {
        mono: Mono::default(),
        wall: Wall::default(),
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_name_leads_to_an_object_whose_handle_survives_a_restart() {
    let scene = Scene::new("names");
    fs::write(scene.path("file"), "content").unwrap();
    let (fh, attrs) = scene.lookup(scene.root(), "file").unwrap();
    assert_eq!((attrs.kind, attrs.size), (FileKind::Regular, 7));
    assert_eq!(scene.attrs(fh), Ok(attrs));
    assert_eq!(scene.lookup(scene.root(), "none"), Err(FsError::NotFound));
    assert_eq!(scene.lookup(fh, "file"), Err(FsError::NotDirectory));

    let again = LocalFs::open(scene.files.shared.config.clone()).unwrap();
    assert_eq!(again.root(), scene.root());
    let again = Scene {
        files: again,
        folder: scene.folder.join("none"),
    };
    assert_eq!(again.attrs(fh), Ok(attrs));

    fs::remove_file(scene.path("file")).unwrap();
    assert_eq!(scene.attrs(fh), Err(FsError::Stale));
    assert_eq!(again.attrs(fh), Err(FsError::Stale));
}
