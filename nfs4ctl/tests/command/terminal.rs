//! `nfs4ctl` on a terminal, which `script` of util-linux makes.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use crate::served::{Served, read_until};

/// Runs a command line of `nfs4ctl` on a terminal; none if there is no `script`.
fn on_terminal(served: &Served, line: &str) -> Option<Child> {
    let line = format!(
        "stty cols 100 rows 20; exec '{}' {line}",
        env!("CARGO_BIN_EXE_nfs4ctl")
    );
    let started = Command::new("script")
        .args(["-q", "-e", "-f", "-c", &line, "/dev/null"])
        .env("NFS4CTL_SERVER", served.endpoint())
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    if started.is_err() {
        println!("NOT RUN: there is no script(1)");
    }
    started.ok()
}

fn press(child: &mut Child, keys: &str) {
    let stdin = child.stdin.as_mut().expect("it is piped");
    stdin.write_all(keys.as_bytes()).expect("it reads");
    stdin.flush().expect("it reads");
}

#[test]
fn the_live_table_leaves_the_terminal_as_it_was() {
    let served = Served::start();
    let mut client = served.client("one\x1b[2Jtwo");
    for (key, code) in [("q", 0), ("\x03", 0)] {
        let Some(mut top) = on_terminal(&served, "top") else {
            return;
        };
        let first = read_until(&mut top, "1-1 of 1");
        assert!(
            first.contains("\x1b[?1049h") && first.contains("1 clients"),
            "{first:?}"
        );
        assert!(!first.contains("\x1b[2Jtwo"), "{first:?}");
        // After the second look there are rates.
        client.in_session(|c| c.putrootfh());
        read_until(&mut top, "0 B/s");
        press(&mut top, "l");
        read_until(&mut top, "l latency*");
        press(&mut top, key);
        read_until(&mut top, "\x1b[?1049l");
        let status = top.wait().expect("it ends");
        assert_eq!(status.code(), Some(code), "{key:?}");
    }
}

#[test]
fn the_administrator_is_asked_on_a_terminal() {
    let served = Served::start();
    let mut client = served.client("one");
    let id = served.id_of("one");
    for (answer, code) in [("n\n", 6), ("\n", 6), ("y\n", 0)] {
        let Some(mut evict) = on_terminal(&served, &format!("clients evict {id}")) else {
            return;
        };
        let asked = read_until(&mut evict, "[y/N]");
        assert!(
            asked.contains(&id) && asked.contains("(one, from"),
            "{asked}"
        );
        press(&mut evict, answer);
        let status = evict.wait().expect("it ends");
        assert_eq!(status.code(), Some(code), "{answer:?}");
        let is_there = served.json(&["clients", "list"])[0]["client_id"] == *id;
        assert_eq!(is_there, code == 6);
    }
    client.mount("one", 2);
    let id = served.id_of("one");
    let evict = on_terminal(&served, &format!("clients evict --yes {id}"));
    let status = evict
        .expect("there was one before")
        .wait()
        .expect("it ends");
    assert!(status.success());
}

#[test]
fn the_question_says_that_files_in_memory_are_lost() {
    let served = Served::start();
    served.done(&["exports", "add", "--memory", "2M", "--pseudo", "/scratch"]);
    let Some(mut remove) = on_terminal(&served, "exports remove /scratch") else {
        return;
    };
    let asked = read_until(&mut remove, "[y/N]");
    assert!(asked.contains("with its files in memory"), "{asked}");
    press(&mut remove, "n\n");
    assert_eq!(remove.wait().expect("it ends").code(), Some(6));
}

#[test]
fn without_a_terminal_the_table_comes_once() {
    let served = Served::start();
    let _client = served.client("one");
    let table = served.done(&["top"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].contains("1 clients, 1 sessions"), "{table}");
    assert!(
        lines[2].starts_with("CLIENT ") && lines[3].ends_with("one"),
        "{table}"
    );
    let flows = served.json(&["top", "--once", "--limit", "0"]);
    assert_eq!(
        (&flows["clients"], &flows["rows"]),
        (&1.into(), &serde_json::json!([]))
    );
}
