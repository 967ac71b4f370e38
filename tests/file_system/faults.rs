//! Methods that panic: each costs its own request and nothing else.

use std::future::ready;

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::{Stateid, Status};
use nfs4_tests::tree::{Panics, Times, TreeFs};

use crate::served::{Served, wait_until, walk};

/// What a method does that is to fail.
#[derive(Clone, Copy, Debug)]
enum Fault {
    AtPoll(usize),
    WhenDropped,
}

const FAULTS: [Fault; 4] = [
    Fault::AtPoll(1),
    Fault::AtPoll(2),
    Fault::AtPoll(3),
    Fault::WhenDropped,
];

fn failing_in(method: &'static str, fault: Fault) -> TreeFs {
    TreeFs::new(0o777).with_before(move |called| match fault {
        _ if called != method => Box::pin(ready(())),
        Fault::AtPoll(at) => Box::pin(Panics::at_poll(at)),
        Fault::WhenDropped => Box::pin(Panics::when_dropped()),
    })
}

on_all!(a_panic_in_a_method_costs_its_own_request);

fn a_panic_in_a_method_costs_its_own_request(on: crate::served::Polled) {
    for fault in FAULTS {
        let fs = failing_in("write", fault);
        let served = Served::start(on, fs.clone());
        let (mut user, mut other) = (served.client(1), served.client(2));
        let stateid = user.open("file");
        let write = args::Write {
            stateid,
            offset: 0,
            stable: nfs4_proto::nfs4::StableHow::FileSync,
            data: b"bytes",
        };
        for _ in 0..3 {
            let object = &user.file.clone()[..];
            let status = user.in_session(|c| c.putfh(args::PutFh { object }).write(write));
            assert_eq!(status, Status::SERVERFAULT, "{fault:?}");
            assert_eq!(other.in_session(|c| walk(c, &["file"])), Status::OK);
        }
        user.close();
        wait_until("nothing is open", || fs.held() == 0);
        served.end([user, other]);
    }
}

on_all!(a_panic_in_open_leaves_nothing_open);

fn a_panic_in_open_leaves_nothing_open(on: crate::served::Polled) {
    for fault in FAULTS {
        let fs = failing_in("open", fault);
        let served = Served::start(on, fs.clone());
        let mut user = served.client(1);
        for _ in 0..3 {
            let opened = user.try_open("file").map(drop);
            assert_eq!(opened, Err(Status::SERVERFAULT), "{fault:?}");
        }
        assert_eq!(fs.held(), 0);
        assert_eq!(served.node.table_lengths().unwrap().opens, 0);
        served.end([user]);
    }
}

on_all!(an_open_whose_destructor_panics_is_open);

/// What it has answered stands, so the file is released when the client closes it.
fn an_open_whose_destructor_panics_is_open(on: crate::served::Polled) {
    let fs = TreeFs::new(0o777).with_opens_that_end_badly();
    let served = Served::start(on, fs.clone());
    let mut user = served.client(1);
    for _ in 0..3 {
        user.open("file");
        assert_eq!(fs.held(), 1);
        user.close();
        wait_until("nothing is open", || fs.held() == 0);
    }
    served.end([user]);
}

on_all!(a_panic_in_release_is_no_one_elses);

fn a_panic_in_release_is_no_one_elses(on: crate::served::Polled) {
    for fault in FAULTS {
        let served = Served::start(on, failing_in("release", fault));
        let mut user = served.client(1);
        for name in ["a", "b", "c"] {
            user.open(name);
            user.close();
        }
        user.open("d");
        user.read(user.open, 0, 1);
        user.close();
        served.end([user]);
    }
}

#[test]
fn a_create_that_panics_may_be_repeated() {
    let times = Times::default();
    let count = times.clone();
    let fs = TreeFs::new(0o777).with_before(move |called| {
        if called == "create" && count.count() == 1 {
            Box::pin(Panics::at_poll(2))
        } else {
            Box::pin(ready(()))
        }
    });
    let served = Served::start(crate::served::Polled::OnTokio, fs.clone());
    let mut user = served.client(1);
    assert_eq!(user.try_open("file").map(drop), Err(Status::SERVERFAULT));
    assert_eq!(fs.objects(), 1);
    user.open("file");
    user.close();
    user.read(Stateid::ANONYMOUS, 0, 1);
    served.end([user]);
}
