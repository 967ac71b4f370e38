//! A server that is not the superuser's.

use nfs4_engine::Touch;
use nfs4_engine::fs::{Authority, Creation, OpenHow, SetAttrs, Stability, Target};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use std::sync::Barrier;
use std::thread;

use super::exhausted::is_alone;
use super::leases::{News, Play, READ};
use super::*;

/// User and group of the server.
const USER: u32 = 1001;

/// An export of a server of [`USER`], by a process that was the superuser's; none if it was not, or where that user
/// does not get to it.
fn unprivileged(name: &str) -> Option<Scene> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("NOT RUN: this process is not the superuser's");
        return None;
    }
    let folder = std::env::temp_dir().join(format!("nfs4-{name}-{}", std::process::id()));
    for part in ["root", "state"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    let is_theirs = ["", "root", "state"]
        .iter()
        .all(|part| chown(folder.join(part), Some(USER), Some(USER)).is_ok());
    if !is_theirs || !becomes_user() {
        let _ = fs::remove_dir_all(&folder);
        eprintln!("NOT RUN: this process cannot become another user");
        return None;
    }
    if let Err(error) = fs::read_dir(folder.join("root")) {
        // The folder is the superuser's.
        eprintln!("NOT RUN: another user does not get to {folder:?}: {error}");
        return None;
    }
    let config = LocalFsConfig::new(folder.join("root"), [7; 16]);
    let config = config.with(|config| config.state = Some(folder.join("state")));
    let files = LocalFs::open(config).unwrap();
    assert!(!files.notes().is_empty(), "it tells so");
    Some(Scene { files, folder })
}

/// Makes this thread, and those that it starts, the user's.
fn becomes_user() -> bool {
    let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
    set_thread_groups(&[]).is_ok()
        && set_thread_res_gid(group, group, group).is_ok()
        && set_thread_res_uid(user, user, user).is_ok()
}

fn owner() -> Credential {
    Credential::sys(USER, USER, &[])
}

/// The same export after a restart.
fn restarted(mut scene: Scene) -> Scene {
    let config = scene.files.shared.config.clone();
    let folder = std::mem::replace(&mut scene.folder, PathBuf::from("nothing to remove"));
    drop(scene);
    let files = LocalFs::open(config).unwrap();
    Scene { files, folder }
}

/// Opens a file as the engine opens one again that its owner reclaims.
fn reclaim(scene: &Scene, fh: FsHandle) {
    let target = Target::Handle(fh);
    let how = OpenHow::new(false, false, Creation::No);
    scene.ask_as(owner(), FsOp::Open { target, how }).unwrap();
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
    let Some(scene) = unprivileged("reclaim") else {
        return;
    };
    let set = SetAttrs::default().with(|set| set.mode = Some(0o444));
    let target = Target::Name {
        dir: scene.root(),
        name: Bytes::from_static(b"f"),
    };
    let how = OpenHow::new(true, true, Creation::Guarded(set));
    let opened = scene.ask_as(owner(), FsOp::Open { target, how });
    let Ok(FsReply::Opened(opened)) = opened else {
        panic!("{opened:?}");
    };
    write(&scene, USER, opened.fh, Authority::Open).unwrap();

    let scene = restarted(scene);
    reclaim(&scene, opened.fh);
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

#[test]
fn a_file_that_was_made_read_only_is_written_on_when_its_delegations_are_back() {
    if !is_alone(
        "unprivileged",
        "a_file_that_was_made_read_only_is_written_on_when_its_delegations_are_back",
    ) {
        return;
    }
    let Some(scene) = unprivileged("delegated") else {
        return;
    };
    fs::write(scene.path("f"), "content").unwrap();
    let Some(play) = Play::of(scene, true, false) else {
        return;
    };
    let path = play.scene.path("f");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    play.lease(READ).unwrap();
    assert_eq!(play.write().unwrap_err(), FsError::Busy);
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Change));
    play.unlease();
    play.write().unwrap();
    let left = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(left, 0o444);
}

/// Two requests that come at once, after a restart, and a client that sets the mode meanwhile.
#[test]
fn requests_that_come_at_once_are_let_in_and_the_mode_is_what_a_client_has_set_last() {
    if !is_alone(
        "unprivileged",
        "requests_that_come_at_once_are_let_in_and_the_mode_is_what_a_client_has_set_last",
    ) {
        return;
    }
    let Some(mut scene) = unprivileged("at once") else {
        return;
    };
    fs::write(scene.path("f"), "bytes").unwrap();
    let (fh, _) = scene.lookup(scene.root(), "f").unwrap();
    for round in 0..ROUNDS {
        let mode = |mode| fs::set_permissions(scene.path("f"), fs::Permissions::from_mode(mode));
        mode(0).unwrap();
        scene = restarted(scene);
        reclaim(&scene, fh);
        let read = FsOp::Read {
            fh,
            offset: 0,
            count: 5,
            authority: Authority::Open,
            payload: nfs4_engine::fs::Payload::new(),
        };
        let sets = round % 2 == 1;
        let set = SetAttrs::default().with(|set| set.mode = sets.then_some(0o040));
        let start = Barrier::new(4);
        let turn = |act: &mut dyn FnMut() -> FsResult| {
            start.wait();
            act()
        };
        let mut read = Some(read);
        let answers = thread::scope(|scope| {
            let requests = [
                scope.spawn(|| turn(&mut || write(&scene, USER, fh, Authority::Open))),
                scope.spawn(|| turn(&mut || write(&scene, USER, fh, Authority::Open))),
                scope.spawn(|| turn(&mut || scene.ask_as(owner(), read.take().unwrap()))),
                scope.spawn(|| {
                    turn(&mut || {
                        let authority = Authority::Credential;
                        scene.ask_as(owner(), FsOp::SetAttrs { fh, set, authority })
                    })
                }),
            ];
            requests.map(|request| request.join().unwrap())
        });
        for answer in answers {
            answer.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        }
        let left = fs::metadata(scene.path("f")).unwrap().permissions().mode() & 0o7777;
        assert_eq!(left, if sets { 0o040 } else { 0 }, "round {round}");
    }
}

/// So many restarts.
const ROUNDS: u32 = 100;
