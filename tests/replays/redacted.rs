//! A log without names and contents replays by itself, and has neither.

use std::sync::Arc;

use nfs4_engine::fs::Backend;
use nfs4_engine::{Admin, Export};
use nfs4_replay::{Log, LogEnd, redact, rewrite};
use nfs4_tests::live::Transport;
use nfs4_tests::sim::{Client, Fs, Sim};

use crate::{recorded, same, session};

fn redacted(log: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let end = redact(Log::open(log).expect("it is a log"), u64::MAX, &mut out);
    assert_eq!(end.expect("the course is the same"), LogEnd::Complete);
    out
}

fn has(log: &[u8], part: &[u8]) -> bool {
    log.windows(part.len()).any(|window| window == part)
}

#[test]
fn names_and_contents_are_gone_and_the_log_replays() {
    let log = session::of_two_clients(Transport::Threads);
    let secrets = [session::SECRET, session::NAME.as_bytes(), b"link"];
    assert!(secrets.iter().all(|secret| has(&log, secret)));
    let out = redacted(&log);
    for secret in secrets {
        assert!(!has(&out, secret), "{}", secret.escape_ascii());
    }
    let (before, after) = (same(&log), same(&out));
    assert_eq!(before.inputs, after.inputs);
    assert_eq!(before.actions, after.actions);
    assert_eq!(before.callbacks, after.callbacks);
    assert!(has(&out, b"holder"), "the names of clients stay");
}

#[test]
fn a_bad_network_takes_the_same_course_without_names() {
    let log = recorded::chaos(1_000);
    let out = redacted(&log);
    assert_eq!(same(&log).actions, same(&out).actions);
}

#[test]
fn a_log_is_rewritten_as_it_is_or_shorter() {
    let log = recorded::chaos(100);
    let rewritten = |until| {
        let mut out = Vec::new();
        let end = rewrite(Log::open(&*log).expect("it is a log"), until, &mut out);
        assert_eq!(end.expect("it can be replayed"), LogEnd::Complete);
        out
    };
    assert!(rewritten(u64::MAX) == log);
    for until in [0, 1, 50] {
        assert_eq!(same(&rewritten(until)).entries, until);
    }
}

#[test]
fn paths_of_exports_that_change_are_gone() {
    let mut sim = Sim::serving(&["/hidden/first"], |_| {});
    sim.record_all();
    let added = ["/hidden/second", "/hidden/third"].map(|path| {
        let backend = Arc::new(Fs::numbered(77)) as Arc<dyn Backend>;
        Export::new(path, backend)
    });
    let [second, third] = added;
    sim.admin(Admin::PutExport(Box::new(second.clone())));
    let mut client = Client::mounted(&mut sim, "client");
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.admin(Admin::SetExports(vec![second, third]));
    let path = "/hidden/second".to_owned();
    sim.admin(Admin::RemoveExport { path });
    sim.run_timers();
    let log = sim.recording();
    let out = redacted(&log);
    for secret in ["hidden", "first", "second", "third"] {
        assert!(has(&log, secret.as_bytes()), "{secret}");
        assert!(!has(&out, secret.as_bytes()), "{secret}");
    }
    let (before, after) = (same(&log), same(&out));
    assert_eq!(before.inputs, after.inputs);
    assert_eq!(before.actions, after.actions);
}
