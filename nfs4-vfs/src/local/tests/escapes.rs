//! Ways out of the export that lead nowhere.

use std::fs;
use std::os::unix::fs::symlink;

use nfs4_engine::fs::{FsError, FsOp, FsReply, FsResult, Want};

use super::Scene;

fn parent(scene: &Scene, dir: nfs4_engine::fs::FsHandle) -> FsResult {
    scene.ask(FsOp::LookupParent {
        dir,
        want: Want::ATTRS,
    })
}

#[test]
fn the_parent_of_what_was_moved_out_is_not_reached() {
    for cross_mounts in [false, true] {
        let scene = Scene::with("moved", |config| config.cross_mounts = cross_mounts);
        fs::create_dir_all(scene.path("a/b")).unwrap();
        fs::create_dir(scene.folder.join("outside")).unwrap();
        let (a, _) = scene.lookup(scene.root(), "a").unwrap();
        let (b, _) = scene.lookup(a, "b").unwrap();
        let FsReply::Node { fh, .. } = parent(&scene, b).unwrap() else {
            panic!("no node");
        };
        assert_eq!(fh, a);
        assert_eq!(parent(&scene, scene.root()).unwrap_err(), FsError::NotFound);
        fs::rename(scene.path("a"), scene.folder.join("outside/a")).unwrap();
        assert_eq!(
            parent(&scene, a).unwrap_err(),
            FsError::Stale,
            "{cross_mounts}"
        );
        assert_eq!(
            parent(&scene, b).unwrap_err(),
            FsError::Stale,
            "{cross_mounts}"
        );
    }
}

#[test]
fn a_link_is_never_followed() {
    let scene = Scene::new("links");
    symlink("/etc", scene.path("etc")).unwrap();
    symlink("..", scene.path("up")).unwrap();
    symlink("/proc/self/fd/0", scene.path("magic")).unwrap();
    for name in ["etc", "up", "magic"] {
        let (link, attrs) = scene.lookup(scene.root(), name).unwrap();
        assert_eq!(attrs.kind, nfs4_engine::fs::FileKind::Symlink);
        assert_eq!(scene.lookup(link, "passwd"), Err(FsError::IsSymlink));
    }
    for name in ["..", ".", "", "etc/passwd", "a/../.."] {
        assert!(scene.lookup(scene.root(), name).is_err(), "{name}");
    }
}
