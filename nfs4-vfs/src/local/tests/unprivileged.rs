//! A server that is not the superuser's.

use nfs4_engine::fs::{Authority, Creation, OpenHow, SetAttrs, Stability, Target};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use super::exhausted::is_alone;
use super::*;

/// User and group of the server.
const USER: u32 = 1001;

/// An export of a server of [`USER`], by a process that was the superuser's; none if it was not.
fn unprivileged(name: &str) -> Option<Scene> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("NOT RUN: this process is not the superuser's");
        return None;
    }
    let folder = std::env::temp_dir().join(format!("nfs4-{name}-{}", std::process::id()));
    for part in ["root", "state"] {
        fs::create_dir_all(folder.join(part)).unwrap();
        chown(folder.join(part), Some(USER), Some(USER)).unwrap();
    }
    let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
    set_thread_groups(&[]).unwrap();
    set_thread_res_gid(group, group, group).unwrap();
    set_thread_res_uid(user, user, user).unwrap();
    let config = LocalFsConfig::new(folder.join("root"), [7; 16]);
    let config = config.with(|config| config.state = Some(folder.join("state")));
    let files = LocalFs::open(config).unwrap();
    assert!(!files.notes().is_empty(), "it tells so");
    Some(Scene { files, folder })
}

fn write(scene: &Scene, uid: u32, fh: FsHandle, authority: Authority) -> FsResult {
    let op = FsOp::Write {
        fh,
        offset: 0,
        data: Bytes::from_static(b"bytes"),
        stability: Stability::File,
        authority,
    };
    scene.ask_as(Credential::sys(uid, uid, &[]), op)
}

#[test]
fn a_file_that_was_made_read_only_is_written_on_after_a_restart() {
    if !is_alone(
        "unprivileged",
        "a_file_that_was_made_read_only_is_written_on_after_a_restart",
    ) {
        return;
    }
    let Some(mut scene) = unprivileged("reclaim") else {
        return;
    };
    let set = SetAttrs::default().with(|set| set.mode = Some(0o444));
    let target = Target::Name {
        dir: scene.root(),
        name: Bytes::from_static(b"f"),
    };
    let how = OpenHow::new(true, true, Creation::Guarded(set));
    let owner = || Credential::sys(USER, USER, &[]);
    let opened = scene.ask_as(owner(), FsOp::Open { target, how });
    let Ok(FsReply::Opened(opened)) = opened else {
        panic!("{opened:?}");
    };
    write(&scene, USER, opened.fh, Authority::Open).unwrap();

    let config = scene.files.shared.config.clone();
    let folder = std::mem::replace(&mut scene.folder, PathBuf::from("nothing to remove"));
    drop(scene);
    let files = LocalFs::open(config).unwrap();
    let scene = Scene { files, folder };
    // As the engine opens a file again that its owner reclaims.
    let target = Target::Handle(opened.fh);
    let how = OpenHow::new(false, false, Creation::No);
    scene.ask_as(owner(), FsOp::Open { target, how }).unwrap();
    let about = || fs::metadata(scene.path("f")).unwrap();
    let before = about();
    // Others may not, and touch nothing.
    let stranger = write(&scene, USER + 1, opened.fh, Authority::Credential);
    assert_eq!(stranger.err(), Some(FsError::AccessDenied));
    let changed = |about: &fs::Metadata| (about.ctime(), about.ctime_nsec());
    assert_eq!(changed(&about()), changed(&before));
    write(&scene, USER, opened.fh, Authority::Open).unwrap();
    assert_eq!(about().permissions().mode() & 0o7777, 0o444);
    // Nor is it opened again when it is closed.
    scene.files.release(opened.fh);
    let target = Target::Handle(opened.fh);
    let how = OpenHow::new(false, true, Creation::No);
    let closed = scene.ask_as(owner(), FsOp::Open { target, how });
    assert_eq!(closed.err(), Some(FsError::AccessDenied));
}
