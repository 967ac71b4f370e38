use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::thread::CapabilitySets;

use super::*;

/// A directory that all may write, removed when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path =
            std::env::temp_dir().join(format!("nfs4-identity-{name}-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write_new(path: &Path, mode: u32) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

fn state() -> (Uid, Gid, Vec<Gid>, CapabilitySets) {
    let sets = capabilities(None).unwrap();
    (geteuid(), getegid(), getgroups().unwrap(), sets)
}

#[test]
fn files_belong_to_the_user_of_the_request() {
    let scratch = Scratch::new("owner");
    let path = scratch.0.join("file");
    as_user(&Credential::sys(1234, 2345, &[77]), || {
        write_new(&path, 0o600)
    })
    .unwrap()
    .unwrap();
    let made = fs::metadata(&path).unwrap();
    let expected = if switches() {
        (1234, 2345)
    } else {
        (geteuid().as_raw(), getegid().as_raw())
    };
    assert_eq!((made.uid(), made.gid()), expected);
}

#[test]
fn a_user_has_the_rights_of_its_ids_and_groups_and_no_others() {
    if !switches() {
        return;
    }
    let scratch = Scratch::new("rights");
    let path = scratch.0.join("file");
    write_new(&path, 0o660).unwrap();
    std::os::unix::fs::chown(&path, Some(1), Some(77)).unwrap();
    let opens = |cred: &Credential| as_user(cred, || File::open(&path).is_ok()).unwrap();
    assert!(opens(&Credential::sys(1, 2, &[])));
    assert!(opens(&Credential::sys(2, 77, &[])));
    assert!(opens(&Credential::sys(2, 2, &[5, 77, 6])));
    assert!(!opens(&Credential::sys(2, 2, &[5, 6])));
    assert!(!opens(&Credential::none()));
    assert!(opens(&Credential::sys(0, 0, &[])));
    let chown = |cred: &Credential| {
        let changed = as_user(cred, || std::os::unix::fs::chown(&path, Some(3), None));
        changed.unwrap().map_err(|error| error.kind())
    };
    assert_eq!(
        chown(&Credential::sys(1, 2, &[])),
        Err(ErrorKind::PermissionDenied)
    );
    assert_eq!(chown(&Credential::sys(0, 5, &[])), Ok(()));
}

#[test]
fn a_user_has_no_capabilities() {
    let held = || capabilities(None).unwrap().effective;
    let before = held();
    let user = as_user(&Credential::sys(1, 1, &[]), held).unwrap();
    let superuser = as_user(&Credential::sys(0, 1, &[2]), held).unwrap();
    if switches() {
        assert_eq!(user, CapabilitySet::empty());
    }
    assert_eq!((superuser, held()), (before, before));
}

#[test]
fn the_thread_is_itself_again_and_others_never_change() {
    let before = state();
    let users = [
        Credential::sys(1, 1, &[]),
        Credential::sys(0, 7, &[8, 9]),
        Credential::sys(5, 0, &[9; 16]),
        Credential::none(),
    ];
    for user in &users {
        let during = as_user(user, geteuid).unwrap();
        if switches() {
            assert_eq!(during.as_raw(), user.uid);
        }
        assert_eq!(state(), before);
        let panicked = catch_unwind(AssertUnwindSafe(|| as_user(user, || panic!("a fault"))));
        assert!(panicked.is_err());
        assert_eq!(state(), before);
    }
    let main = fs::read_to_string(format!("/proc/{}/status", std::process::id())).unwrap();
    let during = as_user(&users[0], || {
        fs::read_to_string(format!("/proc/{}/status", std::process::id())).unwrap()
    });
    let ids = |status: &str| {
        let line = status.lines().find(|line| line.starts_with("Uid:"));
        line.unwrap().to_owned()
    };
    assert_eq!(
        ids(&during.unwrap()),
        ids(&main),
        "the first thread of the process"
    );
}

/// Prints what a change costs: some 12 microseconds for a user with groups, of which the kernel takes 2
/// for each new set of credentials.
#[test]
fn a_change_is_cheap_beside_a_request() {
    const ROUNDS: u32 = 10_000;
    for (name, cred) in [
        ("the superuser", Credential::sys(0, 0, &[])),
        ("a user", Credential::sys(1, 1, &[])),
        ("a user with 4 groups", Credential::sys(1, 1, &[2, 3, 4, 5])),
        ("a user with 16 groups", Credential::sys(1, 1, &[7; 16])),
    ] {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            as_user(&cred, || ()).unwrap();
        }
        let each = start.elapsed() / ROUNDS;
        println!("{name}: {} ns", each.as_nanos());
        assert!(each.as_micros() < 500, "{name}: {each:?}");
    }
}

/// Also after it was another user, which returns the rights that are permitted.
#[test]
fn a_thread_that_obeys_quotas_and_those_it_starts_may_not_exceed_them() {
    std::thread::spawn(|| {
        obey_quotas().unwrap();
        std::thread::spawn(|| {
            as_user(&Credential::sys(1001, 1001, &[]), || ()).unwrap();
            let sets = capabilities(None).unwrap();
            assert!(!sets.effective.contains(CapabilitySet::SYS_RESOURCE));
            assert!(!may_exceed_quotas());
        })
        .join()
        .unwrap();
    })
    .join()
    .unwrap();
}
