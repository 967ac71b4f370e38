//! Exit codes, and what needs no server.

use std::fs;
use std::process::{Command, Stdio};

use crate::served::{Ended, Served, bare};

#[test]
fn a_wrong_command_line_is_2() {
    for arguments in [
        &["clients", "evcit"][..],
        &["settings", "update"],
        &["settings", "update", "--lease-time", "soon"],
        &["clients", "show", "xyz"],
        &["grace", "status", "--server", "https://127.0.0.1"],
    ] {
        let ended = Ended::of(bare().args(arguments));
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(!ended.err.is_empty());
    }
}

#[test]
fn no_server_is_4() {
    let absent = Ended::of(bare().args(["clients", "list", "--server", "unix:/nowhere/x.sock"]));
    assert_eq!(absent.code, Some(4), "{absent:?}");
    assert!(absent.err.contains("unix:/nowhere/x.sock"), "{absent:?}");
    // What listens there is no administration interface.
    let served = Served::start();
    let nfs = format!("http://{}", served.address);
    let other = Ended::of(bare().args(["clients", "list", "--timeout", "1", "--server", &nfs]));
    assert_eq!(other.code, Some(4), "{other:?}");
}

#[test]
fn a_wrong_token_is_5() {
    let file = std::env::temp_dir().join(format!("nfs4ctl-{}.token", std::process::id()));
    fs::write(&file, "correct-horse-battery\n").expect("it is written");
    let path = file.to_str().expect("it is text");
    let served = Served::start_with(&["--admin-token-file", path]);
    let url = format!("http://{}", served.admin);
    let list = || {
        let mut command = bare();
        command.args(["clients", "list", "--server", &url]);
        command
    };
    let without = Ended::of(&mut list());
    assert_eq!(without.code, Some(5), "{without:?}");
    assert!(without.err.contains("--token-file"), "{without:?}");
    let wrong = Ended::of(list().env("NFS4CTL_TOKEN", "wrong-horse-battery"));
    assert_eq!(wrong.code, Some(5), "{wrong:?}");
    assert!(!wrong.err.contains("horse"));
    let right = Ended::of(list().env("NFS4CTL_TOKEN", "correct-horse-battery"));
    assert_eq!(right.code, Some(0), "{right:?}");
    for with_file in [
        list().arg("--token-file").arg(&file),
        list().env("NFS4CTL_TOKEN_FILE", &file),
    ] {
        assert_eq!(Ended::of(with_file).code, Some(0));
    }
    fs::remove_file(&file).expect("it is there");
    let absent = Ended::of(list().arg("--token-file").arg(&file));
    assert_eq!(absent.code, Some(1), "{absent:?}");
}

#[test]
fn a_reader_that_has_read_enough_is_no_fault() {
    let mut child = bare()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nfs4ctl runs");
    // More than a pipe holds is written, or nothing yet.
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
}

#[test]
fn every_verb_has_a_manual_page_and_a_completion() {
    let directory = std::env::temp_dir().join(format!("nfs4ctl-man-{}", std::process::id()));
    let ended = Ended::of(bare().arg("man").arg(&directory));
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
    let page = |name: &str| fs::read_to_string(directory.join(name)).expect("there is a page");
    assert!(page("nfs4ctl.1").contains("Exit codes:"));
    let update = page("nfs4ctl-settings-update.1");
    let bash = Ended::of(bare().args(["completions", "bash"])).out;
    for setting in nfs4_admin::SETTINGS {
        let flag = format!("--{}", setting.name.replace('_', "-"));
        assert!(update.replace('\\', "").contains(&flag), "{flag}");
        assert!(bash.contains(&flag), "{flag}");
    }
    for shell in ["zsh", "fish"] {
        assert!(
            !Ended::of(bare().args(["completions", shell]))
                .out
                .is_empty()
        );
    }
    fs::remove_dir_all(&directory).expect("it is there");
    let checked = Command::new("bash").args(["-n", "-c", &bash]).status();
    assert!(
        checked.is_ok_and(|status| status.success()),
        "bash does not read it"
    );
}
