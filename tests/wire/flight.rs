//! Requests that a file system does not answer at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nfs4_driver::engine::Config;
use nfs4_driver::engine::proto::client::ClientError;
use nfs4_driver::engine::proto::nfs4::attr::num;
use nfs4_driver::engine::proto::nfs4::{Bitmap, Op, Status, args};
use nfs4_driver::{Limits, SystemClock};
use nfs4_vfs::{MemFs, MemFsConfig};
use tokio::task::JoinSet;

use crate::caller::{CLOSE, Caller, open};
use crate::files::{Clinging, Fault, Faulty, Held, Late, Prompt, root_attrs};
use crate::log;
use crate::peer::Peer;
use crate::server::{PATIENCE, Running, Transport, node_of};
use crate::session::{Session, outcome};

on_each!(
    of_one_connection_32_are_in_flight_and_no_other_notices,
    flavor = "multi_thread",
    worker_threads = 2
);

async fn of_one_connection_32_are_in_flight_and_no_other_notices(on: Transport) {
    let files = Arc::new(Held::default());
    let server = Running::serve(on, Limits::default(), Arc::clone(&files) as _).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"held").await;
    let mut bystander = Peer::connect(server.address).await;
    let before = p99(&mut bystander).await;

    files.hold(true);
    let calls: Vec<u8> = (0..32).flat_map(|slot| session.getattr(slot)).collect();
    peer.send(&calls).await;
    wait_for(&files, 32).await;
    assert_eq!(server.node.table_lengths().unwrap().parked, 32);
    let most = 4 * before + Duration::from_millis(5);
    let mut during = p99(&mut bystander).await;
    for _ in 0..9 {
        // The machine may have had other things to do.
        if during >= most {
            during = p99(&mut bystander).await;
        }
    }
    for slot in (0..32).rev() {
        files.take(slot).complete(Ok(root_attrs()));
        let record = peer.record().await.unwrap();
        assert_eq!(
            outcome(&record),
            (slot as u32, Ok(())),
            "in the order of the answers"
        );
    }
    println!("p99 of another connection: {before:?} before, {during:?} while 32 are held");
    assert!(during < most, "{before:?} became {during:?}");
}

on_each!(
    answers_at_once_and_late_ones_mix,
    flavor = "multi_thread",
    worker_threads = 2
);

/// With a full pipeline and few in flight: reading stops and goes on all the time.
async fn answers_at_once_and_late_ones_mix(on: Transport) {
    let limits = Limits::default().with(|limits| limits.max_in_flight = 5);
    let server = Running::serve(on, limits, Arc::new(Late::new())).await;
    let mut peers = JoinSet::new();
    for number in 0..4 {
        let address = server.address;
        peers.spawn(async move {
            let mut peer = Peer::connect(address).await;
            let mut session = Session::establish(&mut peer, &[number]).await;
            let first: Vec<u8> = (0..32).flat_map(|slot| session.getattr(slot)).collect();
            peer.send(&first).await;
            for answered in 0..2_000 {
                let (slot, result) = outcome(&peer.record().await.unwrap());
                assert_eq!(result, Ok(()));
                if answered < 2_000 - 32 {
                    peer.send(&session.getattr(slot)).await;
                }
            }
        });
    }
    while let Some(done) = peers.join_next().await {
        done.unwrap();
    }
}

on_each!(no_more_start_than_their_replies_could_fill);

async fn no_more_start_than_their_replies_could_fill(on: Transport) {
    let files = Arc::new(Held::default());
    let limits = Limits::default().with(|limits| {
        limits.max_unsent = 3 * 70_000;
        limits.max_reply = 70_000;
    });
    let server = Running::serve(on, limits, Arc::clone(&files) as _).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"mark").await;
    files.hold(true);
    let calls: Vec<u8> = (0..10).flat_map(|slot| session.getattr(slot)).collect();
    peer.send(&calls).await;
    wait_for(&files, 3).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(files.waiting(), 3);
}

on_each!(a_thread_that_answers_for_a_lost_connection_delivers);

async fn a_thread_that_answers_for_a_lost_connection_delivers(on: Transport) {
    let files = Arc::new(Held::default());
    let server = Running::serve(on, Limits::default(), Arc::clone(&files) as _).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"lost").await;
    files.hold(true);
    peer.send(&[session.getattr(0), session.getattr(1)].concat())
        .await;
    wait_for(&files, 2).await;
    peer.reset();
    server.has_connections(0).await;
    assert_eq!(server.node.table_lengths().unwrap().parked, 2);
    files.take(0).complete(Ok(root_attrs()));
    assert_eq!(server.node.table_lengths().unwrap().parked, 1);
    drop(files.take(0));
    assert_eq!(server.node.table_lengths().unwrap().parked, 0);
}

on_each!(a_file_system_that_keeps_to_no_rule_costs_the_request_alone);

async fn a_file_system_that_keeps_to_no_rule_costs_the_request_alone(on: Transport) {
    let cases = [
        (Fault::Panics, Err(Status::SERVERFAULT)),
        (Fault::PanicsWithCompletion, Err(Status::SERVERFAULT)),
        (Fault::WaitsWithoutCompletion, Err(Status::SERVERFAULT)),
        (Fault::DropsCompletion, Err(Status::SERVERFAULT)),
        (Fault::AnswersTwice, Err(Status::SERVERFAULT)),
        (Fault::TakesTwo, Err(Status::SERVERFAULT)),
        (Fault::TakesOneInVain, Err(Status::SERVERFAULT)),
        (Fault::AnswersAnotherRequest, Err(Status::SERVERFAULT)),
        (Fault::PanicsInItsThread, Err(Status::SERVERFAULT)),
        (Fault::AnswersAtOnceThroughCompletion, Ok(())),
    ];
    for (fault, expected) in cases {
        let server = Running::serve(on, Limits::default(), Arc::new(Faulty(fault))).await;
        let mut peer = Peer::connect(server.address).await;
        let mut session = Session::establish(&mut peer, b"faulty").await;
        let expected = expected.map_err(|status| ClientError::Failed {
            op: Op::GetAttr,
            status,
        });
        for _ in 0..2 {
            peer.send(&session.getattr(3)).await;
            let record = peer.record().await.unwrap();
            assert_eq!(outcome(&record), (3, expected), "{fault:?}");
        }
        assert!(peer.is_served().await);
        assert_eq!(server.node.table_lengths().unwrap().parked, 0, "{fault:?}");
    }
}

on_each!(a_panic_beside_an_answer_costs_no_more_than_the_request);

/// Which of the two is heard first is chance.
async fn a_panic_beside_an_answer_costs_no_more_than_the_request(on: Transport) {
    let files = Arc::new(Faulty(Fault::PanicsWhileItsThreadAnswers));
    let server = Running::serve(on, Limits::default(), files).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"faulty").await;
    for _ in 0..20 {
        peer.send(&session.getattr(3)).await;
        let (slot, result) = outcome(&peer.record().await.unwrap());
        let refused = ClientError::Failed {
            op: Op::GetAttr,
            status: Status::SERVERFAULT,
        };
        assert!(
            slot == 3 && [Ok(()), Err(refused)].contains(&result),
            "{result:?}"
        );
    }
    assert!(peer.is_served().await);
    assert_eq!(server.node.table_lengths().unwrap().parked, 0);
}

on_each!(a_long_compound_of_a_lost_connection_is_answered_on_a_short_stack);

/// Its file system answers each request before it returns from it.
async fn a_long_compound_of_a_lost_connection_is_answered_on_a_short_stack(on: Transport) {
    const LONG: usize = 900;
    let files = Arc::new(Prompt::default());
    let config = Config::default().with(|config| {
        config.max_operations = 1_024;
        config.grace = Duration::ZERO;
    });
    let clock = Arc::new(SystemClock::new());
    let node = node_of(config, Limits::default(), Arc::clone(&files) as _, clock);
    let server = Running::share(on, node).await;
    let mut caller = Caller::mounted(server.address, b"long").await;
    let attr_request = Bitmap::of(&[num::TYPE]);
    let request = caller.request(0, |c| {
        c.putrootfh();
        // What GETATTR brings is forgotten at each other operation.
        (0..LONG / 2).for_each(|_| {
            c.getattr(args::GetAttr { attr_request }).putrootfh();
        });
        c
    });
    caller.peer.send(&request).await;
    wait_until(|| files.waits()).await;
    caller.peer.reset();
    server.has_connections(0).await;
    let answering = Arc::clone(&files);
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    let answering = thread.spawn(move || answering.go()).unwrap();
    assert!(answering.join().is_ok());
    assert_eq!(files.answered(), LONG / 2);
    assert_eq!(server.node.table_lengths().unwrap().parked, 0);
}

on_each!(a_file_system_that_breaks_its_contract_is_told_of_in_the_log);

async fn a_file_system_that_breaks_its_contract_is_told_of_in_the_log(on: Transport) {
    for (fault, told) in [
        (Fault::TakesOneInVain, "mixed answering at once and later"),
        (Fault::Panics, "the file system panicked"),
    ] {
        let server = Running::serve(on, Limits::default(), Arc::new(Faulty(fault))).await;
        let mut peer = Peer::connect(server.address).await;
        let mut session = Session::establish(&mut peer, b"logged").await;
        let before = log::lines(CONTRACT, told).len();
        for _ in 0..50 {
            peer.send(&session.getattr(0)).await;
            peer.record().await.unwrap();
        }
        let lines = log::lines(CONTRACT, told);
        // Other tests do the same at the same time, each on a server of its own.
        let more = lines.len() - before;
        assert!((1..10).contains(&more), "{more} lines: {lines:?}");
        for line in lines {
            let named = line.contains("request=")
                && line.contains("call=GetAttrs")
                && line.contains("export=0");
            assert!(line.contains("WARN") && named, "{line}");
        }
    }
}

on_each!(a_panic_in_release_costs_nothing);

async fn a_panic_in_release_costs_nothing(on: Transport) {
    let memory = MemFsConfig::new(1, 1 << 20).with(|files| files.root_mode = 0o777);
    let files = Arc::new(Clinging(MemFs::new(memory)));
    let server = Running::serve(on, Limits::default(), files).await;
    let mut caller = Caller::mounted(server.address, b"clinging").await;
    for name in [b"a", b"b"] {
        let opening = open(name);
        caller
            .call(|c| c.putrootfh().open(opening).close(CLOSE))
            .await
            .all_ok();
    }
    assert_eq!(server.node.table_lengths().unwrap().opens, 0);
    let lines = log::lines(CONTRACT, "call=Release");
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("panicked")));
}

const CONTRACT: &str = "a file system breaks its contract";

/// Waits until so many requests wait.
pub(crate) async fn wait_for(files: &Held, count: usize) {
    wait_until(|| files.waiting() >= count).await;
}

async fn wait_until(holds: impl Fn() -> bool) {
    let reached = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .expect("requests");
}

async fn p99(peer: &mut Peer) -> Duration {
    let mut times = Vec::new();
    for _ in 0..500 {
        let start = Instant::now();
        assert!(peer.is_served().await);
        times.push(start.elapsed());
    }
    times.sort();
    times[times.len() * 99 / 100]
}
