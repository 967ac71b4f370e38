//! Devices that are full, or fail. Only the superuser can make them.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Authority, Credential, FsError, FsHandle, FsOp, FsReply, FsResult, SetAttrs, Stability,
};

use super::{LocalFs, Scene};

/// A file system on a place of its own, unmounted when it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// None where this process may not mount.
    fn new(of: &str, device: &Path, options: &str) -> Option<Mounted> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let place = std::env::temp_dir().join(format!("nfs4-mounted-{process}-{number}"));
        fs::create_dir_all(&place).unwrap();
        let mount = Command::new("mount")
            .args(["-t", of, "-o", options])
            .args([device, &place])
            .output();
        let mounted = Mounted(place);
        mount
            .is_ok_and(|mount| mount.status.success())
            .then_some(mounted)
    }

    fn tmpfs(size: &str) -> Option<Mounted> {
        Mounted::new("tmpfs", Path::new("none"), &format!("size={size}"))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Detached, as a test that failed may still use it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

fn write(scene: &Scene, fh: FsHandle, offset: u64, len: usize, stability: Stability) -> FsResult {
    let data = Bytes::from(vec![7; len]);
    let authority = Authority::Open;
    scene.submit(FsOp::Write {
        fh,
        offset,
        data,
        stability,
        authority,
    })
}

fn commit(scene: &Scene, fh: FsHandle) -> FsResult {
    scene.submit(FsOp::Commit {
        fh,
        offset: 0,
        count: 0,
    })
}

fn losses(reply: FsResult) -> Result<u64, FsError> {
    match reply? {
        FsReply::Written { losses, .. } | FsReply::Committed { losses } => Ok(losses),
        other => panic!("{other:?}"),
    }
}

fn made(scene: &Scene, name: &str) -> FsHandle {
    File::create(scene.path(name)).unwrap();
    scene.lookup(scene.root(), name).unwrap().0
}

#[test]
fn a_full_device_refuses_what_does_not_fit() {
    let Some(mounted) = Mounted::tmpfs("256k") else {
        return eprintln!("NOT RUN: it cannot be mounted");
    };
    let scene = Scene::at(&mounted.0);
    let fh = made(&scene, "file");
    let mut written = 0;
    let error = loop {
        match write(&scene, fh, written, 100_000, Stability::File) {
            Ok(FsReply::Written { count, .. }) => written += u64::from(count),
            Err(error) => break error,
            Ok(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(error, FsError::NoSpace);
    // The part that fits is written.
    assert!((200_000..=262_144).contains(&written), "{written}");
    assert_eq!(scene.attrs(fh).unwrap().size, written);
    // No bytes were lost by it.
    assert_eq!(losses(commit(&scene, fh)), Ok(0));
}

/// A disk of a file on a file system that becomes full: the disk fails to write, and the kernel tells of
/// it once.
#[test]
fn a_failure_to_write_back_reaches_every_client_by_the_losses() {
    let Some(full) = Mounted::tmpfs("100m") else {
        return eprintln!("NOT RUN: it cannot be mounted");
    };
    let image = full.0.join("image");
    File::create(&image).unwrap().set_len(64 << 20).unwrap();
    let format = ["-q", "-F", "-O", "^has_journal"];
    let formatted = Command::new("mkfs.ext4").args(format).arg(&image).status();
    if !formatted.is_ok_and(|status| status.success()) {
        return eprintln!("NOT RUN: there is no mkfs.ext4");
    }
    // What is left is some 20 MiB.
    let filler = full.0.join("filler");
    fs::write(&filler, vec![1; 80 << 20]).unwrap();
    let Some(disk) = Mounted::new("ext4", &image, "loop,errors=continue") else {
        return eprintln!("NOT RUN: it cannot be mounted");
    };
    let scene = Scene::at(&disk.0);
    let (fh, other) = (made(&scene, "file"), made(&scene, "other"));
    let mut before = 0;
    for at in 0..48 {
        let reply = write(&scene, fh, at << 20, 1 << 20, Stability::Unstable);
        before = losses(reply).unwrap();
    }
    assert_eq!(before, 0);
    let beside = losses(write(&scene, other, 0, 10, Stability::Unstable)).unwrap();
    // What the kernel says of it, once: the engine tells clients NFS4ERR_IO.
    let failed = losses(commit(&scene, fh));
    assert!(
        matches!(failed, Err(FsError::Io | FsError::NoSpace)),
        "{failed:?}"
    );
    fs::remove_file(filler).unwrap();
    // A client that wrote too sees that the verifier differs.
    let after = losses(commit(&scene, fh)).unwrap();
    assert!(after > before, "{after}");
    // So do clients of other files, whose bytes may be lost too.
    let seen = losses(write(&scene, other, 0, 10, Stability::Unstable)).unwrap();
    assert!(seen > beside);
}

#[test]
fn a_file_system_that_is_read_only_is_read() {
    let Some(mounted) = Mounted::tmpfs("1m") else {
        return eprintln!("NOT RUN: it cannot be mounted");
    };
    fs::write(mounted.0.join("file"), "content").unwrap();
    let remounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(&mounted.0)
        .status();
    assert!(remounted.unwrap().success());
    let scene = Scene::at(&mounted.0);
    let (fh, _) = scene.lookup(scene.root(), "file").unwrap();
    let write = write(&scene, fh, 0, 1, Stability::Unstable);
    assert_eq!(write.err(), Some(FsError::ReadOnly));
    assert_eq!(losses(commit(&scene, fh)), Ok(0));
}

/// A disk with a quota of 64 KiB of one user; none where this process may not make one.
fn disk_with_quota(of: u32) -> Option<(Mounted, Mounted)> {
    let memory = Mounted::tmpfs("100m")?;
    let image = memory.0.join("image");
    File::create(&image).unwrap().set_len(64 << 20).unwrap();
    let format = ["-q", "-F", "-O", "quota", "-E", "quotatype=usrquota"];
    let formatted = Command::new("mkfs.ext4").args(format).arg(&image).status();
    formatted.ok().filter(|status| status.success())?;
    let disk = Mounted::new("ext4", &image, "loop,usrquota")?;
    let limit = Command::new("setquota")
        .args(["-u", &of.to_string(), "64", "64", "0", "0"])
        .arg(&disk.0)
        .status();
    limit.ok().filter(|status| status.success())?;
    Some((disk, memory))
}

#[test]
fn a_quota_binds_what_a_user_writes_through_a_server_that_obeys_it() {
    let Some((disk, _memory)) = disk_with_quota(1001) else {
        return eprintln!("NOT RUN: it cannot be mounted");
    };
    let user = || Credential::sys(1001, 1001, &[]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            LocalFs::obey_quotas().unwrap();
            let scene = Scene::at(&disk.0);
            assert!(
                !scene
                    .files
                    .notes()
                    .iter()
                    .any(|note| note.contains("quotas"))
            );
            let fh = made(&scene, "file");
            chown(scene.path("file"), Some(1001), Some(1001)).unwrap();
            let write = |offset, stability| {
                scene.ask_as(
                    user(),
                    FsOp::Write {
                        fh,
                        offset,
                        data: Bytes::from(vec![7; 16 << 10]),
                        stability,
                        authority: Authority::Open,
                    },
                )
            };
            let mut written = 0;
            let error = loop {
                match write(written, Stability::Unstable) {
                    Ok(FsReply::Written { count, .. }) => written += u64::from(count),
                    Err(error) => break error,
                    Ok(other) => panic!("{other:?}"),
                }
                assert!(written < 1 << 20, "the quota binds");
            };
            assert_eq!(error, FsError::Quota);
            assert!((32 << 10..=64 << 10).contains(&written), "{written}");
            assert_eq!(write(written, Stability::File).err(), Some(FsError::Quota));
            assert_eq!(losses(commit(&scene, fh)), Ok(0), "nothing was lost");
            // So does it bind the new owner of a file.
            let big = made(&scene, "big");
            fs::write(scene.path("big"), vec![1; 100_000]).unwrap();
            let set = SetAttrs::default().with(|set| {
                set.uid = Some(1001);
                set.mode = Some(0o600);
            });
            let before = scene.attrs(big).unwrap();
            let authority = Authority::Credential;
            let given = scene.ask(FsOp::SetAttrs {
                fh: big,
                set,
                authority,
            });
            assert_eq!(given.err(), Some(FsError::Quota));
            let after = scene.attrs(big).unwrap();
            assert_eq!((after.uid, after.mode), (before.uid, before.mode));
        });
    });
}

#[test]
fn a_file_that_runs_is_not_written() {
    let scene = Scene::new("running");
    fs::copy("/bin/sleep", scene.path("sleep")).unwrap();
    let Ok(mut running) = Command::new(scene.path("sleep")).arg("60").spawn() else {
        return eprintln!("NOT RUN: nothing is run from there");
    };
    let (fh, _) = scene.lookup(scene.root(), "sleep").unwrap();
    let written = write(&scene, fh, 0, 1, Stability::Unstable);
    let set = SetAttrs::default().with(|set| set.size = Some(0));
    let authority = Authority::Credential;
    let cut = scene.ask(FsOp::SetAttrs { fh, set, authority });
    running.kill().unwrap();
    running.wait().unwrap();
    // For as long as it runs: the client is not told to come again.
    assert_eq!(written.err(), Some(FsError::AccessDenied));
    assert_eq!(cut.err(), Some(FsError::AccessDenied));
    let set = SetAttrs::default().with(|set| set.size = Some(0));
    scene.ask(FsOp::SetAttrs { fh, set, authority }).unwrap();
}

/// ext4 has 65 000 links of a file.
#[test]
fn an_object_has_a_maximum_number_of_links_and_a_directory_of_bytes_in_names() {
    let Some(memory) = Mounted::tmpfs("100m") else {
        return eprintln!("NOT RUN: it cannot be mounted");
    };
    let image = memory.0.join("image");
    File::create(&image).unwrap().set_len(32 << 20).unwrap();
    let formatted = Command::new("mkfs.ext4")
        .args(["-q", "-F"])
        .arg(&image)
        .status();
    if !formatted.is_ok_and(|status| status.success()) {
        return eprintln!("NOT RUN: there is no mkfs.ext4");
    }
    let Some(disk) = Mounted::new("ext4", &image, "loop") else {
        return eprintln!("NOT RUN: it cannot be mounted");
    };
    let scene = Scene::at(&disk.0);
    let fh = made(&scene, "first");
    for at in 1..65_000 {
        fs::hard_link(scene.path("first"), scene.path(at.to_string())).unwrap();
    }
    let link = |name: &str| {
        scene.ask(FsOp::Link {
            fh,
            dir: scene.root(),
            name: Bytes::copy_from_slice(name.as_bytes()),
        })
    };
    assert_eq!(link("more").err(), Some(FsError::TooManyLinks));
    assert_eq!(link(&"n".repeat(256)).err(), Some(FsError::NameTooLong));
}
