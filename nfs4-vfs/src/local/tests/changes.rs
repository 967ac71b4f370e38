//! Changes of attributes that fail in part, and those that meet others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::thread;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Authority, Credential, FsError, FsHandle, FsOp, FsResult, SetAttrs, SetTime, Stability,
};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::Scene;

/// Runs `act` without this right of the superuser; not where there is no superuser.
pub(super) fn without(right: CapabilitySet, act: impl FnOnce() + Send) {
    let sets = capabilities(None).unwrap();
    if !sets.effective.contains(CapabilitySet::SETUID | right) {
        return eprintln!("NOT RUN: this process is not the superuser's");
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut sets = sets;
            sets.effective.remove(right);
            sets.permitted.remove(right);
            set_capabilities(None, sets).unwrap();
            act();
        });
    });
}

fn set(scene: &Scene, fh: FsHandle, set: impl FnOnce(&mut SetAttrs)) -> FsResult {
    set_as(scene, Credential::sys(0, 0, &[]), fh, set)
}

fn set_as(
    scene: &Scene,
    cred: Credential,
    fh: FsHandle,
    set: impl FnOnce(&mut SetAttrs),
) -> FsResult {
    scene.ask_as(
        cred,
        FsOp::SetAttrs {
            fh,
            set: SetAttrs::default().with(set),
            authority: Authority::Credential,
        },
    )
}

fn made(scene: &Scene, name: &str) -> FsHandle {
    fs::write(scene.path(name), "content").unwrap();
    scene.lookup(scene.root(), name).unwrap().0
}

/// A process that may write a file, and not change its mode, as one that is not the superuser's.
#[test]
fn a_file_whose_mode_cannot_be_changed_is_not_cut() {
    without(CapabilitySet::FOWNER, || {
        let scene = Scene::new("uncut");
        let fh = made(&scene, "file");
        chown(scene.path("file"), Some(1001), Some(1001)).unwrap();
        let before = fs::metadata(scene.path("file")).unwrap();
        let refused = set(&scene, fh, |set| {
            set.size = Some(0);
            set.mode = Some(0o600);
        });
        assert_eq!(refused.err(), Some(FsError::NotPermitted));
        let refused = set(&scene, fh, |set| {
            set.size = Some(0);
            set.modified = SetTime::Client(nfs4_engine::Wall::default());
        });
        assert_eq!(refused.err(), Some(FsError::NotPermitted));
        let after = fs::metadata(scene.path("file")).unwrap();
        assert_eq!((after.len(), after.mode()), (7, before.mode()));
        assert_eq!(after.mtime_nsec(), before.mtime_nsec());
    });
}

#[test]
fn all_is_as_it_was_when_a_length_is_refused() {
    let scene = Scene::new("refused");
    let fh = made(&scene, "file");
    fs::set_permissions(scene.path("file"), Permissions::from_mode(0o6755)).unwrap();
    let before = scene.attrs(fh).unwrap();
    let longest = i64::MAX as u64;
    let refused = set(&scene, fh, |set| {
        set.size = Some(longest);
        set.mode = Some(0o600);
        set.uid = Some(7);
        set.gid = Some(8);
        set.accessed = SetTime::Client(nfs4_engine::Wall::default());
        set.modified = SetTime::Server;
    });
    if refused.is_ok() {
        // As of tmpfs.
        return eprintln!("NOT RUN: the file system refuses nothing");
    }
    assert_eq!(refused.err(), Some(FsError::TooLarge));
    let after = scene.attrs(fh).unwrap();
    assert!(
        after.change > before.change,
        "it was changed and changed back"
    );
    let mut same = after;
    (same.change, same.changed) = (before.change, before.changed);
    assert_eq!(same, before);
}

#[test]
fn what_is_set_beside_a_length_is_there_after_it() {
    let scene = Scene::new("beside");
    let fh = made(&scene, "file");
    let time = nfs4_engine::Wall {
        seconds: 4711,
        nanos: 12,
    };
    let owner = Credential::sys(1001, 1001, &[]);
    chown(scene.path("file"), Some(1001), Some(1001)).unwrap();
    let done = set_as(&scene, owner, fh, |set| {
        set.size = Some(3);
        set.mode = Some(0o4711);
        set.modified = SetTime::Client(time);
    });
    done.unwrap();
    let after = scene.attrs(fh).unwrap();
    assert_eq!((after.size, after.mode, after.modified), (3, 0o4711, time));
}

/// What takes setuid away looks at the mode and changes it in one step.
#[test]
fn a_change_of_the_mode_is_not_undone_by_a_write_or_a_cut() {
    if !super::super::identity::switches() {
        return eprintln!("NOT RUN: this process is not the superuser's");
    }
    let scene = Scene::new("undone");
    let fh = made(&scene, "file");
    let path = scene.path("file");
    let user = || Credential::sys(1001, 1001, &[]);
    for round in 0..400 {
        fs::set_permissions(&path, Permissions::from_mode(0o4777)).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let done = match round % 2 {
                    0 => scene.ask_as(
                        user(),
                        FsOp::Write {
                            fh,
                            offset: 0,
                            data: Bytes::from_static(b"x"),
                            stability: Stability::Unstable,
                            authority: Authority::Open,
                        },
                    ),
                    _ => {
                        let set = SetAttrs::default().with(|set| set.size = Some(5));
                        let authority = Authority::Open;
                        scene.ask_as(user(), FsOp::SetAttrs { fh, set, authority })
                    }
                };
                done.unwrap();
            });
            fs::set_permissions(&path, Permissions::from_mode(0o602)).unwrap();
        });
        let mode = fs::metadata(&path).unwrap().mode() & 0o7777;
        assert_eq!(format!("{mode:o}"), "602", "round {round}");
    }
}

#[test]
fn handles_of_a_table_are_durable_when_a_client_has_them() {
    without(CapabilitySet::DAC_READ_SEARCH, || {
        let state = std::env::temp_dir().join(format!("nfs4-state-{}", std::process::id()));
        fs::create_dir_all(&state).unwrap();
        let scene = Scene::with("table", |config| config.state = Some(state.clone()));
        let table = scene.files.shared.table.as_ref();
        let Some(table) = table else {
            panic!("the kernel's handles need the right");
        };
        let volatile = scene.files.shared.root.fs_type.is_volatile;
        for at in 0..20 {
            made(&scene, &at.to_string());
            assert!(table.is_settled() || volatile);
        }
        drop(scene);
        fs::remove_dir_all(&state).unwrap();
    });
}
