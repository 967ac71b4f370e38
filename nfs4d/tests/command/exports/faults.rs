//! Exports that cannot be served, with messages and exit codes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use super::{Ground, is_root};
use crate::daemon::{command, run};

/// How a server with these arguments ends that does not start.
fn refused(ground: &Ground, arguments: &[&str]) -> (Option<i32>, String) {
    let state = ground.text("state");
    let always = [
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "none",
        "--state-dir",
        &state,
    ];
    let output = run(&[&always[..], arguments].concat());
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn each_fault_has_its_message_and_exit_code() {
    let ground = Ground::new("faults");
    let data = ground.directory("data");
    fs::create_dir(ground.path("data").join("within")).unwrap();
    symlink(&data, ground.path("link")).unwrap();
    symlink(ground.path("data").join("within"), ground.path("inner")).unwrap();
    ground.write("file", "");
    let (link, inner, within) = (
        ground.text("link"),
        ground.text("inner"),
        format!("{data}/within"),
    );
    let (missing, file) = (ground.text("missing"), ground.text("file"));
    let variants = ["=/pub", ":/pub", ",ro", " /srv", "/~"].map(|more| format!("{data}{more}"));
    for (exports, code, part) in [
        (
            &[missing.as_str()][..],
            1,
            "missing is not there: make the directory",
        ),
        (&[&file], 1, "file is no directory"),
        (&[&data, &data], 2, "which is that of another export"),
        (&[&data, &within], 2, "which lies within"),
        (&[&data, &link], 1, "leads to the directory of the export"),
        (&[&data, &inner], 1, "leads to the directory of the export"),
        (&[&variants[0]], 1, "--export takes a directory alone"),
        (&[&variants[1]], 1, "--export takes a directory alone"),
        (&[&variants[2]], 1, "--export takes a directory alone"),
        (&[&variants[3]], 1, "--export takes a directory alone"),
        (&[&variants[4]], 1, "--export takes a directory alone"),
        (&["/srv/../etc"], 2, "without .."),
        (&[""], 2, "expected a directory"),
    ] {
        let arguments: Vec<&str> = exports.iter().flat_map(|path| ["--export", path]).collect();
        let (ended, told) = refused(&ground, &arguments);
        assert_eq!(ended, Some(code), "{exports:?}: {told}");
        assert!(told.contains(part), "{part}: {told}");
        assert!(
            !ground.path("state").exists(),
            "{exports:?}: nothing is made"
        );
    }
    if !is_root() {
        fs::set_permissions(&data, fs::Permissions::from_mode(0o0)).unwrap();
        let (ended, told) = refused(&ground, &["--export", &data]);
        assert_eq!(ended, Some(1), "{told}");
        assert!(told.contains("may not be read by the user"), "{told}");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_path_that_is_not_utf_8_is_refused() {
    let path = OsString::from_vec(b"/tmp/\xff".to_vec());
    let output = command(&[])
        .arg("--export")
        .arg(path)
        .stderr(Stdio::piped())
        .output();
    let output = output.expect("nfs4d runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("UTF-8"), "{told}");
}

#[test]
fn a_file_is_checked_with_its_directories() {
    let ground = Ground::new("check");
    let data = ground.directory("data");
    let missing = ground.text("missing");
    let text = format!(
        "[[export]]\npath = {data:?}\n\n[[export]]\nread_only = true\npath = {missing:?}\n"
    );
    let config = ground.write("nfs4d.toml", &text);
    let output = run(&["check-config", &config]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains(&format!(
            "{config}:6: export.path is {missing:?}, which is not there"
        )),
        "{told}"
    );
    fs::create_dir(&missing).unwrap();
    assert_eq!(run(&["check-config", &config]).status.code(), Some(0));
    ground.write("nfs4d.toml", &format!("{text}squash = \"rot\"\n"));
    let (ended, told) = refused(&ground, &["--config", &config]);
    assert_eq!(ended, Some(2), "{told}");
    assert!(
        told.contains(&format!("{config}:7: export.squash is \"rot\"")),
        "{told}"
    );
}
