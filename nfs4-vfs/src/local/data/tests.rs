use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

use nfs4_engine::fs::{FsOp, FsResult};

use super::*;
use crate::local::error::Result;
use crate::local::tests::Scene;

/// The handle of a file with this content.
fn made(scene: &Scene, name: &str, content: &[u8]) -> FsHandle {
    fs::write(scene.path(name), content).unwrap();
    let (fh, _) = scene.lookup(scene.root(), name).unwrap();
    fh
}

fn read_op(fh: FsHandle, offset: u64, count: u32) -> FsOp {
    FsOp::Read {
        fh,
        offset,
        count,
        authority: Authority::Credential,
        payload: Payload::new(),
    }
}

fn write_op(fh: FsHandle, offset: u64, data: &[u8], stability: Stability) -> FsOp {
    FsOp::Write {
        fh,
        offset,
        data: Bytes::copy_from_slice(data),
        stability,
        authority: Authority::Credential,
    }
}

fn bytes(reply: FsResult) -> Result<(Vec<u8>, bool)> {
    match reply? {
        FsReply::Data { data, eof } => Ok((data.to_vec(), eof)),
        other => panic!("{other:?}"),
    }
}

fn count(reply: FsResult) -> Result<(u32, Stability)> {
    match reply? {
        FsReply::Written {
            count, stability, ..
        } => Ok((count, stability)),
        other => panic!("{other:?}"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn user() -> Credential {
    Credential::sys(1001, 1002, &[])
}

#[test]
fn reads_end_where_the_file_does() {
    let scene = Scene::new("eof");
    let content: Vec<u8> = (0..300_000u32).map(|at| ((at * 7) >> 3) as u8).collect();
    let fh = made(&scene, "file", &content);
    let len = content.len() as u64;
    for (offset, count) in [
        (0, 0),
        (0, 1),
        (5, 4_096),
        (4_095, 4_097),
        (0, 16_385),
        (0, 65_536),
        (1, 65_537),
        (100, 200_000),
        (0, 300_000),
        (0, 1 << 20),
        (len - 10, 10),
        (len - 10, 9),
        (len - 10, 100),
        (len, 1),
        (len + 1, 0),
        (len + 5, 5),
        (i64::MAX as u64, 10),
        (u64::MAX, 10),
    ] {
        let from = usize::try_from(offset).map_or(content.len(), |at| at.min(content.len()));
        let end = from.saturating_add(count as usize).min(content.len());
        let expected = &content[from..end];
        let eof = offset.saturating_add(u64::from(count)) >= len;
        // At once where that can be, then by a thread.
        let (read, is_end) = bytes(scene.ask(read_op(fh, offset, count))).unwrap();
        assert!(read == expected, "{count} at {offset}");
        assert_eq!(is_end, eof, "{count} at {offset}");
        let submitted = scene.submit(read_op(fh, offset, count));
        let (read, is_end) = bytes(submitted).unwrap();
        assert!(read == expected && is_end == eof, "{count} at {offset}");
    }
}

#[test]
fn a_hole_is_zeros_and_takes_no_space() {
    let scene = Scene::new("sparse");
    let fh = made(&scene, "file", b"");
    let at = 1 << 30;
    let written = scene.ask(write_op(fh, at, b"end", Stability::Unstable));
    assert_eq!(count(written), Ok((3, Stability::Unstable)));
    let (read, eof) = bytes(scene.ask(read_op(fh, at - 5, 100))).unwrap();
    assert_eq!((&read[..], eof), (&b"\0\0\0\0\0end"[..], true));
    let attrs = scene.attrs(fh).unwrap();
    assert_eq!(attrs.size, at + 3);
    assert!(attrs.space_used < 1 << 20, "{}", attrs.space_used);
}

#[test]
fn what_is_written_is_in_the_file_whatever_its_stability() {
    let scene = Scene::new("write");
    let fh = made(&scene, "file", b"0123456789");
    let mut change = scene.attrs(fh).unwrap().change;
    for (offset, data, stability, expected) in [
        (0, &b"ab"[..], Stability::Unstable, &b"ab23456789"[..]),
        (4, b"cd", Stability::Data, b"ab23cd6789"),
        (9, b"ef", Stability::File, b"ab23cd678ef"),
    ] {
        let written = scene.submit(write_op(fh, offset, data, stability));
        assert_eq!(count(written), Ok((2, stability)));
        assert_eq!(fs::read(scene.path("file")).unwrap(), expected);
        let now = scene.attrs(fh).unwrap().change;
        assert!(now > change);
        change = now;
    }
    let nothing = scene.ask(write_op(fh, 3, b"", Stability::Unstable));
    assert_eq!(count(nothing), Ok((0, Stability::Unstable)));
    let too_far = write_op(fh, i64::MAX as u64, b"x", Stability::Unstable);
    assert_eq!(scene.ask(too_far).err(), Some(FsError::TooLarge));
    let beyond = write_op(fh, u64::MAX, b"x", Stability::Unstable);
    assert_eq!(scene.ask(beyond).err(), Some(FsError::TooLarge));
}

#[test]
fn only_files_have_bytes() {
    let scene = Scene::new("kinds");
    fs::create_dir(scene.path("directory")).unwrap();
    std::os::unix::fs::symlink("target", scene.path("link")).unwrap();
    std::os::unix::net::UnixListener::bind(scene.path("socket")).unwrap();
    for (name, error) in [
        ("directory", FsError::IsDirectory),
        ("link", FsError::IsSymlink),
        ("socket", FsError::WrongType),
    ] {
        let (fh, _) = scene.lookup(scene.root(), name).unwrap();
        let commit = FsOp::Commit {
            fh,
            offset: 0,
            count: 0,
        };
        for op in [
            read_op(fh, 0, 1),
            write_op(fh, 0, b"x", Stability::Unstable),
            commit,
        ] {
            assert_eq!(scene.submit(op).err(), Some(error), "{name}");
        }
    }
}

#[test]
fn users_have_the_rights_of_the_mode_and_owners_all() {
    let scene = Scene::new("rights");
    let fh = made(&scene, "file", b"content");
    let path = scene.path("file");
    let reads = |cred| scene.ask_as(cred, read_op(fh, 0, 1)).err();
    let write = || write_op(fh, 0, b"C", Stability::Unstable);
    let writes = |cred| scene.ask_as(cred, write()).err();
    let denied = Some(FsError::AccessDenied);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert_eq!((reads(user()), writes(user())), (denied, denied));
    fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
    assert_eq!((reads(user()), writes(user())), (None, denied));
    // The right to execute is one to read, as a client that pages a program in reads it.
    fs::set_permissions(&path, Permissions::from_mode(0o601)).unwrap();
    assert_eq!((reads(user()), writes(user())), (None, denied));
    // An open was granted before the mode took the right away.
    let opened = FsOp::Write {
        fh,
        offset: 0,
        data: Bytes::from_static(b"o"),
        stability: Stability::Unstable,
        authority: Authority::Open,
    };
    assert_eq!(
        count(scene.ask_as(user(), opened)),
        Ok((1, Stability::Unstable))
    );
    let owner = Credential::sys(fs::metadata(&path).unwrap().uid(), 1, &[]);
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(&path, Permissions::from_mode(0o0)).unwrap();
        assert_eq!((reads(owner), writes(owner)), (None, None));
        assert_eq!((reads(user()), writes(user())), (denied, denied));
    }
}

#[test]
fn a_user_who_writes_takes_setuid_and_setgid_away() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scene = Scene::new("setuid");
    let fh = made(&scene, "file", b"program");
    let path = scene.path("file");
    for (cred, data, before, after) in [
        (user(), &b"x"[..], 0o6777, 0o777),
        (user(), b"x", 0o4766, 0o766),
        // Without the right to execute it means mandatory locking.
        (user(), b"", 0o6777, 0o6777),
        (Credential::sys(0, 0, &[]), b"x", 0o6777, 0o6777),
    ] {
        for stability in [Stability::Unstable, Stability::File] {
            chown(&path, Some(5), Some(1002)).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            let request = (cred, write_op(fh, 0, data, stability));
            count(scene.submit_as(request.0, request.1)).unwrap();
            assert_eq!(mode(&path), after, "{before:o} {stability:?}");
        }
    }
}

#[test]
fn a_file_without_a_name_is_stale_unless_it_is_open() {
    let scene = Scene::new("unlinked");
    let fh = made(&scene, "file", b"content");
    bytes(scene.ask(read_op(fh, 0, 1))).unwrap();
    fs::remove_file(scene.path("file")).unwrap();
    let write = write_op(fh, 0, b"x", Stability::Unstable);
    assert_eq!(scene.submit(write).err(), Some(FsError::Stale));
    assert_eq!(scene.submit(read_op(fh, 0, 1)).err(), Some(FsError::Stale));
}

#[test]
fn a_file_that_local_processes_change_is_read_as_it_is() {
    let scene = Scene::new("local");
    let fh = made(&scene, "file", b"0123456789");
    assert_eq!(
        bytes(scene.ask(read_op(fh, 0, 20))).unwrap().0,
        b"0123456789"
    );
    let local = fs::OpenOptions::new()
        .write(true)
        .open(scene.path("file"))
        .unwrap();
    local.set_len(3).unwrap();
    assert_eq!(
        bytes(scene.submit(read_op(fh, 0, 20))),
        Ok((b"012".to_vec(), true))
    );
    local.write_at(b"xyz", 2).unwrap();
    assert_eq!(
        bytes(scene.submit(read_op(fh, 0, 20))),
        Ok((b"01xyz".to_vec(), true))
    );
}

#[test]
fn what_is_in_memory_is_read_at_once() {
    let scene = Scene::new("inline");
    let fh = made(&scene, "file", &[7; 100_000]);
    // The first opens the file.
    bytes(scene.submit(read_op(fh, 0, 100_000))).unwrap();
    let (inline, queued) = scene.files.counters();
    for _ in 0..10 {
        let (read, eof) = bytes(scene.submit(read_op(fh, 0, 200_000))).unwrap();
        assert!(read == [7; 100_000] && eof);
    }
    assert_eq!(scene.files.counters(), (inline + 10, queued));
}
