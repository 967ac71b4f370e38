//! Requests that take long are reported, and not too many of them.

use std::time::Duration;

use nfs4_engine::fs::driver::FsCall;
use nfs4_engine::{Admin, Change, Event, RequestId, SlowRequest, WaitsFor};
use nfs4_proto::nfs4::{Op, args};
use nfs4_tests::sim::{Client, Client40, Pace, Sim};

const NAMED: args::Lookup<'_> = args::Lookup { objname: b"x" };
const SLOW: Duration = Duration::from_secs(1);

/// A server that reports what takes a second.
fn server() -> Sim {
    Sim::with(Sim::config().with(|config| config.slow_request = SLOW))
}

/// Time goes on, and what happens at its end has happened.
fn wait(sim: &mut Sim, span: Duration) {
    sim.sleep(span);
    sim.settle();
}

/// The requests that were reported, and the number of those that were only counted.
fn reports(sim: &mut Sim) -> (Vec<SlowRequest>, u64) {
    let (mut slow, mut unreported) = (Vec::new(), 0);
    for event in sim.take_events() {
        match event {
            Event::SlowRequest(request) => slow.push(request),
            Event::SlowUnreported { requests, .. } => unreported += requests,
            _ => {}
        }
    }
    (slow, unreported)
}

#[test]
fn a_request_is_reported_while_its_file_system_is_silent_and_when_it_is_answered() {
    let mut sim = server();
    let client = Client::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(NAMED));
    begun.send(&mut sim, client.conn);
    sim.settle();
    wait(&mut sim, SLOW * 8 / 10);
    assert_eq!(reports(&mut sim), (vec![], 0));
    wait(&mut sim, SLOW * 4 / 10);
    let (told, _) = reports(&mut sim);
    let [slow] = &told[..] else {
        panic!("{told:?}")
    };
    let request = RequestId {
        conn: client.conn,
        xid: begun.xid(),
    };
    assert_eq!(slow.request, request);
    assert_eq!(slow.client, Some(client.id.0));
    assert!(!slow.peer.is_empty() && !slow.answered);
    let waits_for = WaitsFor::FileSystem {
        export: 0,
        call: FsCall::Lookup,
    };
    assert_eq!((slow.op, slow.waits_for), (Op::Lookup, waits_for));
    assert!(slow.took >= SLOW && slow.took < SLOW * 11 / 10, "{slow:?}");

    wait(&mut sim, SLOW * 30);
    assert_eq!(reports(&mut sim), (vec![], 0), "once is enough");
    sim.complete_all();
    sim.run();
    let (told, _) = reports(&mut sim);
    let [answered] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(answered.answered);
    assert_eq!((answered.request, answered.op), (request, Op::Lookup));
    assert_eq!(answered.waits_for, waits_for);
    assert!(answered.took >= SLOW * 31 && answered.waited >= SLOW * 31);
    wait(&mut sim, SLOW * 2);
    let next = sim.engine().next_timeout().map(|(_, reason)| reason);
    assert_ne!(next, Some(nfs4_engine::TimerReason::Slow), "nothing waits");
}

#[test]
fn requests_that_are_answered_in_time_are_not_reported() {
    let mut sim = server();
    let mut client = Client::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    for _ in 0..10 {
        let begun = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(NAMED));
        begun.send(&mut sim, client.conn);
        sim.settle();
        wait(&mut sim, SLOW * 9 / 10);
        sim.complete_all();
        sim.run();
        client.advance(0);
    }
    assert_eq!(reports(&mut sim), (vec![], 0));
}

#[test]
fn without_the_setting_nothing_is_reported() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(NAMED));
    begun.send(&mut sim, client.conn);
    sim.settle();
    wait(&mut sim, SLOW * 20);
    sim.complete_all();
    sim.run();
    assert_eq!(reports(&mut sim), (vec![], 0));
}

#[test]
fn a_host_with_many_slow_requests_leaves_room_for_another_and_all_are_counted() {
    const MANY: usize = 500;
    let mut sim = server();
    let client = Client40::mounted(&mut sim, "a");
    let crowded = sim.connect_from("192.0.2.1");
    let other = sim.connect_from("192.0.2.2");
    sim.set_pace(Pace::Held);
    for conn in core::iter::repeat_n(crowded, MANY).chain([other]) {
        let xid = sim.xid();
        let record = client.record(xid, |c| c.putrootfh().lookup(NAMED));
        sim.send(conn, record);
    }
    sim.settle();
    assert_eq!(sim.tables().parked, MANY + 1);
    wait(&mut sim, SLOW * 2);
    let (told, counted) = reports(&mut sim);
    assert_eq!(counted, 0, "not yet");
    let of = |conn| told.iter().filter(move |slow| slow.request.conn == conn);
    assert_eq!((of(crowded).count(), of(other).count()), (4, 1));
    wait(&mut sim, SLOW * 11);
    let (told, counted) = reports(&mut sim);
    assert_eq!((told.len(), counted), (0, MANY as u64 - 4));
    // The ends of those that were told are told.
    sim.complete_all();
    sim.run();
    wait(&mut sim, SLOW * 11);
    let (told, counted) = reports(&mut sim);
    assert!(told.iter().all(|slow| slow.answered), "{told:?}");
    assert_eq!((told.len(), counted), (5, 0));
}

#[test]
fn another_time_is_for_requests_that_wait_already() {
    let configure = |sim: &mut Sim, slow: Duration| {
        let change = Change::default().with(|change| change.slow_request = Some(slow));
        sim.admin(Admin::Configure(Box::new(change)));
    };
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    for slot in 0..3 {
        let begun = client.request(&mut sim, slot, true, |c| c.putrootfh().lookup(NAMED));
        begun.send(&mut sim, client.conn);
        sim.settle();
        wait(&mut sim, SLOW * 2);
        assert_eq!(reports(&mut sim), (vec![], 0), "it is off");
        // For long, and then for a shorter time.
        configure(&mut sim, SLOW * 1_000);
        wait(&mut sim, SLOW);
        assert_eq!(reports(&mut sim), (vec![], 0));
        configure(&mut sim, SLOW * 2);
        wait(&mut sim, SLOW / 10);
        let (told, _) = reports(&mut sim);
        assert_eq!(told.len(), 1, "{told:?}");
        configure(&mut sim, Duration::ZERO);
    }
    sim.complete_all();
    sim.run();
    // With one that is reported goes its end.
    let (told, _) = reports(&mut sim);
    assert!(told.iter().all(|slow| slow.answered), "{told:?}");
    sim.assert_nothing_is_left();
}
