//! What a server has recorded replays to the same bytes, and an engine that differs is found.

use std::time::Duration;

use nfs4_engine::record::{DECODED_FIRST, Decoder, FRAME_HEAD, Frame, Rerun, Start};
use nfs4_engine::{Admin, Change};
use nfs4_replay::{LogEnd, Verdict};
use nfs4_tests::live::Transport;
use nfs4_tests::sim::chaos::{Chaos, Step};
use nfs4_tests::sim::{Client, Rng, Sim};

use crate::forged::{bodies, sealed};
use crate::{different, report_of, same, session};

/// Clients on a bad network.
pub(crate) fn chaos(steps: usize) -> Vec<u8> {
    let mut rng = Rng::new(steps as u64);
    let mut chaos = Chaos::recorded(4, rng.next_u64());
    for _ in 0..steps {
        chaos.step(Step::random(&mut rng));
    }
    chaos.finish();
    chaos.recording()
}

#[test]
fn a_simulated_run_replays_to_the_same_bytes() {
    let report = same(&chaos(2_000));
    assert!(report.inputs > 1_000, "{report:?}");
}

#[test]
fn a_session_on_each_transport_replays_to_the_same_bytes() {
    for on in [Transport::Tokio, Transport::Threads] {
        let report = same(&session::of_two_clients(on));
        assert!(report.callbacks > 0, "{report:?}");
        assert!(report.inputs > 50, "{report:?}");
    }
}

#[test]
fn what_the_administrator_changed_is_changed_again() {
    let mut sim = Sim::without_courtesy();
    sim.record_all();
    let lease = Duration::from_secs(33);
    let change = Change::default().with(|change| change.lease = Some(lease));
    sim.admin(Admin::Configure(Box::new(change)));
    let client = Client::mounted(&mut sim, "client");
    sim.kill(client.conn);
    // It expires.
    sim.sleep(2 * lease);
    assert_eq!(sim.tables().clients, 0);
    assert!(same(&sim.recording()).entries > 5);
}

/// The log of an engine with another start, which is given the same.
fn of_another(log: &[u8], change: impl Fn(&mut Start)) -> Vec<u8> {
    let (first, mut rest) = log.split_first_chunk::<DECODED_FIRST>().expect("a log");
    let mut decoder = Decoder::new(first).expect("a log");
    let mut rerun = None;
    while let Some((head, after)) = rest.split_first_chunk::<FRAME_HEAD>() {
        let (body, after) = after.split_at(decoder.rest_of(head).expect("a sound log"));
        rest = after;
        match decoder.frame(body).expect("a sound log") {
            Frame::Start(mut start) => {
                change(&mut start);
                rerun = Some(Rerun::new(start).expect("it starts"));
            }
            Frame::Entry(entry) => {
                let rerun = rerun.as_mut().expect("it has started");
                rerun.run(entry.now, entry.cause).expect("it is given");
            }
            Frame::Panicked(_) | Frame::End | Frame::Gap => {}
        }
    }
    let mut rerun = rerun.expect("it has started");
    rerun.end();
    rerun.take(Vec::new())
}

#[test]
fn the_first_action_that_differs_is_shown_with_both_sides() {
    let mut sim = Sim::new();
    sim.record_all();
    Client::mounted(&mut sim, "client");
    let log = sim.recording();
    let other = of_another(&log, |start| start.boot.server_minor = 99);
    same(&other);
    // Frames of two logs do not match, unless their checks are made anew.
    let start = bodies(&log)[0];
    let mixed = [
        &log[..DECODED_FIRST + FRAME_HEAD + start.len() + 8],
        &other[other.len() / 2..],
    ];
    assert!(report_of(&mixed.concat()).is_err());
    let others = bodies(&other);
    let mixed = sealed(
        &log,
        std::iter::once(start).chain(others.into_iter().skip(1)),
    );
    let difference = different(&mixed);
    let text = difference.to_string();
    for part in [
        &format!("entry {} at byte {}, ", difference.entry, difference.at),
        "action 1 differs",
        "  input:  connection 1: CALL ",
        "EXCHANGE_ID{",
        "  log:    reply on connection 1:",
        "  replay: reply on connection 1:",
        "minor_id=99",
        "minor_id=7",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert_ne!(difference.recorded, difference.replayed);
}

#[test]
fn what_an_engine_was_given_when_it_panicked_is_given_to_another() {
    let log = chaos(5);
    let frames = bodies(&log);
    // Its last entry has no actions, and nothing follows.
    let mut last = frames[frames.len() - 2][..TIMERS_LEN].to_vec();
    last[..4].copy_from_slice(&PANICKED.to_be_bytes());
    last[ENTRY_HEAD..].copy_from_slice(&TIMERS);
    let entries = frames.len() - 2;
    let panicked = sealed(&log, frames[..entries].iter().copied().chain([&*last]));
    let report = report_of(&panicked).expect("it can be replayed");
    assert!(matches!(report.verdict, Verdict::Same(LogEnd::Panicked)));
    assert_eq!(report.entries, entries as u64);
}

/// The kind of the frame of an entry at which the engine panicked.
const PANICKED: u32 = 4;
/// Number of bytes of an entry before its cause: the kind of its frame, and the time.
const ENTRY_HEAD: usize = 24;
/// A run of the timers, of one step.
const TIMERS: [u8; 12] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
const TIMERS_LEN: usize = ENTRY_HEAD + TIMERS.len();

#[test]
fn what_no_driver_gives_is_refused() {
    let mut sim = Sim::new();
    sim.record_all();
    sim.connect();
    let log = sim.recording();
    let mut frames = bodies(&log);
    frames.insert(1, frames[1]);
    let refused = report_of(&sealed(&log, frames)).expect_err("it is opened twice");
    assert_eq!(refused.to_string(), "entry 2: connection 1 is opened twice");
}

#[test]
fn a_log_that_is_cut_short_replays_up_to_there() {
    let log = chaos(20);
    let mut entries = 0;
    for len in (log.len() / 2..log.len()).step_by(97) {
        let report = report_of(&log[..len]).expect("it can be replayed");
        assert!(matches!(
            report.verdict,
            Verdict::Same(LogEnd::CutShort { .. })
        ));
        assert!(report.entries >= entries && report.bytes <= len as u64);
        entries = report.entries;
    }
    assert!(entries > 20);
}
