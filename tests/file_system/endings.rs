//! Clients and servers that go while requests wait, and what waits.

use std::future::ready;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use nfs4_driver::{Limits, Node, Workers};
use nfs4_proto::nfs4::{StableHow, Stateid, Status, args};
use nfs4_tests::live::Client40;
use nfs4_tests::tree::{Gate, Times, TreeFs, sleep};

use crate::served::{Polled, Served, results, status, wait_until, walk};

/// A tree whose `method` waits at a gate, and is counted.
fn held_in(method: &'static str) -> (TreeFs, Gate, Times) {
    let (gate, times) = (Gate::default(), Times::default());
    let (at, count) = (gate.clone(), times.clone());
    let fs = TreeFs::new(0o777).with_before(move |called| {
        if called == method {
            count.count();
            Box::pin(at.passed())
        } else {
            Box::pin(ready(()))
        }
    });
    (fs, gate, times)
}

on_all!(a_write_whose_client_has_gone_is_executed_once_and_answered_again);

fn a_write_whose_client_has_gone_is_executed_once_and_answered_again(on: Polled) {
    let (fs, gate, times) = held_in("write");
    let served = Served::start(on, fs.clone());
    let mut user = served.client(1);
    let stateid = user.open("file");
    let object = &user.file.clone()[..];
    let write = args::Write {
        stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"bytes",
    };
    let call = user
        .compose()
        .putfh(args::PutFh { object })
        .write(write)
        .finish();
    user.connection.send(&call).unwrap();
    wait_until("it waits", || gate.waiting() == 1);
    user.connection = served.connection();
    assert_eq!((gate.waiting(), times.get()), (1, 1), "it goes on");
    // A retry while it runs is told to come again, or waits for it.
    gate.open();
    wait_until("it is done", || {
        gate.waiting() == 0 && served.node.table_lengths().unwrap().parked == 0
    });
    for _ in 0..2 {
        let reply = user.connection.exchange(&call).unwrap();
        assert_eq!(status(&reply), Status::OK);
        let mut results = results(&reply);
        results.sequence().unwrap();
        results.putfh().unwrap();
        assert_eq!(results.write().unwrap().count, 5);
    }
    assert_eq!(times.get(), 1, "it is executed once");
    user.close();
    served.end([user]);
}

on_all!(an_open_of_4_0_whose_connection_has_gone_is_let_go_or_answered_again);

fn an_open_of_4_0_whose_connection_has_gone_is_let_go_or_answered_again(on: Polled) {
    let (fs, gate, times) = held_in("open");
    let served = Served::start(on, fs.clone());
    let mut user = Client40::on(served.connection(), 1);
    user.mount("of 4.0", 1);
    let seqid = user.seqid();
    let open = args::Open {
        seqid,
        share_access: 3,
        share_deny: 0,
        owner: user.owner(b"owner"),
        openhow: args::OpenFlag::Create(args::CreateHow::Exclusive(nfs4_proto::nfs4::Verifier(
            [1; 8],
        ))),
        claim: args::OpenClaim::Null(b"file"),
    };
    let call = user.compose().putrootfh().open(open).getfh().finish();
    user.connection.send(&call).unwrap();
    wait_until("it waits", || gate.waiting() == 1);
    user.connection = served.connection();
    gate.open();
    wait_until("it is done", || {
        gate.waiting() == 0 && served.node.table_lengths().unwrap().parked == 0
    });
    let reply = user.connection.exchange(&call).unwrap();
    assert_eq!(status(&reply), Status::OK);
    assert_eq!(fs.objects(), 2);
    assert_eq!(fs.held(), times.get() as u32);
    let mut results = results(&reply);
    results.putrootfh().unwrap();
    let opened = results.open().unwrap();
    let object = results.getfh().unwrap().object.to_vec();
    let open_stateid = user.confirm(&object, opened.rflags, opened.stateid);
    let seqid = user.seqid();
    let close = args::Close {
        seqid,
        open_stateid,
    };
    user.call(|c| c.putfh(args::PutFh { object: &object }).close(close));
    wait_until("nothing is open", || fs.held() == 0);
}

on_all!(a_server_stops_within_its_time_while_requests_wait_for_ever);

fn a_server_stops_within_its_time_while_requests_wait_for_ever(on: Polled) {
    let (fs, gate, _) = held_in("read");
    let limits = Limits::default().with(|limits| {
        limits.stop_timeout = Duration::from_millis(200);
    });
    let served = Served::with_limits(on, fs.clone(), limits);
    let mut users: Vec<_> = (1..4).map(|uid| served.client(uid)).collect();
    for (user, name) in users.iter_mut().zip(["a", "b", "c"]) {
        user.open(name);
        let object = &user.file.clone()[..];
        let read = args::Read {
            stateid: user.open,
            offset: 0,
            count: 1,
        };
        let call = user
            .compose()
            .putfh(args::PutFh { object })
            .read(read)
            .finish();
        user.connection.send(&call).unwrap();
    }
    wait_until("they wait", || gate.waiting() == 3);
    let start = Instant::now();
    let Served { serving, node } = served;
    serving.end();
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(node);
    wait_until("their futures are dropped", || gate.waiting() == 0);
    // The gate still has the wakers.
    gate.disturb();
    gate.open();
    wait_until("the file system is dropped", || fs.is_last());
}

#[test]
fn a_future_that_never_ends_keeps_neither_the_node_nor_its_file_system() {
    for count in [1, 8] {
        let (fs, gate, _) = held_in("getattr");
        let workers = Workers::new(NonZeroUsize::new(count).unwrap()).unwrap();
        let builder = Node::builder().export("/", fs.clone());
        // The pool outlives the node.
        let node = builder.spawner(workers.clone()).build().unwrap();
        let served =
            nfs4_tests::live::Serving::start(nfs4_tests::live::Transport::Threads, node.clone());
        let mut user = nfs4_tests::live::Client::connect(served.address);
        user.mount("waits", 1);
        let call = walk(&mut user.compose(), &["name"]).finish();
        user.connection.send(&call).unwrap();
        wait_until("it waits", || gate.waiting() == 1);
        drop(user);
        served.end();
        drop(node);
        wait_until("the future is dropped", || gate.waiting() == 0);
        wait_until("the file system is dropped", || fs.is_last());
        gate.disturb();
        gate.open();
        drop(workers);
    }
}

#[test]
fn sixty_four_reads_of_a_slow_file_system_take_one_latency() {
    for on in [Polled::OnTokio, Polled::ByThreads(4)] {
        let fs = TreeFs::new(0o777).with_before(|called| match called {
            "read" => Box::pin(sleep(LATENCY)),
            _ => Box::pin(ready(())),
        });
        let served = Served::start(on, fs);
        let mut maker = served.client(1);
        maker.open("file");
        let object = maker.file.clone();
        let mut users: Vec<_> = (2..66).map(|uid| served.client(uid)).collect();
        let start = Instant::now();
        for user in &mut users {
            let read = args::Read {
                stateid: Stateid::ANONYMOUS,
                offset: 0,
                count: 1,
            };
            let object = &object[..];
            let call = user
                .compose()
                .putfh(args::PutFh { object })
                .read(read)
                .finish();
            user.connection.send(&call).unwrap();
        }
        for user in &mut users {
            assert_eq!(status(&user.connection.reply().unwrap()), Status::OK);
        }
        let took = start.elapsed();
        println!("{on:?}: 64 READs of {LATENCY:?} take {took:?}");
        assert!(took >= LATENCY && took < 8 * LATENCY, "{took:?}");
        maker.close();
    }
}

const LATENCY: Duration = Duration::from_millis(100);

on_all!(a_client_does_not_queue_releases_without_end);

fn a_client_does_not_queue_releases_without_end(on: Polled) {
    let (fs, gate, _) = held_in("release");
    let served = Served::start(on, fs.clone());
    let mut user = served.client(1);
    let mut opened = 0;
    let refused = loop {
        match user.try_open("file") {
            Ok(_) => user.close(),
            Err(status) => break status,
        }
        opened += 1;
        assert!(opened <= 8_192, "all of them wait");
    };
    assert_eq!(refused, Status::DELAY);
    user.read(Stateid::ANONYMOUS, 0, 1);
    gate.open();
    wait_until("all are released", || fs.held() == 0);
    user.open("file");
    user.close();
    served.end([user]);
}
