//! What becomes of the state of an export that is removed.

use std::sync::Arc;

use nfs4_engine::{Admin, AdminFault, ExportFault, ExportFaults};
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, SEQ4_STATUS_ADMIN_STATE_REVOKED,
};
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{Op, Status, args};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Pace, Sim, making_args};

use super::{export, handle, looked_at, on, put, remove};
use crate::holder::owner;

#[test]
fn opens_and_locks_end_in_parts_while_others_are_served() {
    let mut sim = Sim::serving(&["/a"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let (b, fs) = export("/b");
    put(&mut sim, &b);
    let root = handle(&mut sim, &mut client, "/b");
    for number in 0..600 {
        let name = format!("f{number}");
        let making = making_args(b"o", name.as_bytes());
        let reply = on(&mut sim, &mut client, &root, |c| c.open(making).getfh()).all_ok();
        let (open, object) = (ok!(reply, Open).stateid, ok!(reply, GetFh).object.to_vec());
        let lock = args::Lock {
            locktype: LockType::Write,
            reclaim: false,
            offset: 0,
            length: 9,
            locker: args::Locker::New(args::OpenToLockOwner {
                open_seqid: 0,
                open_stateid: open,
                lock_seqid: 0,
                lock_owner: owner(b"l"),
            }),
        };
        on(&mut sim, &mut client, &object, |c| c.lock(lock)).all_ok();
    }
    let kept = handle(&mut sim, &mut client, "/a");
    assert_eq!(fs.held(), 600);
    remove(&mut sim, "/b");
    let again = sim.refused(Admin::PutExport(Box::new(b.clone())));
    let ending = ExportFaults(vec![ExportFault::Ending("/b".to_owned())]);
    assert_eq!(again, AdminFault::Exports(ending));
    let mut parts = 0;
    while sim.step_timers(64) {
        parts += 1;
        assert!(600 - fs.held() <= 64 * parts, "in parts");
    }
    assert!(parts > 10, "{parts}");
    assert_eq!(
        looked_at(&mut sim, &mut client, &root),
        (Op::PutFh, Status::STALE)
    );
    let tables = sim.tables();
    assert_eq!((tables.opens, tables.locks, tables.files), (0, 0, 0));
    assert_eq!((tables.clients, tables.sessions, fs.held()), (1, 1, 0));
    assert_eq!(looked_at(&mut sim, &mut client, &kept).1, Status::OK);
    drop(b);
    assert_eq!(Arc::strong_count(&fs), 1);
    sim.assert_nothing_is_left();
}

#[test]
fn a_delegation_is_revoked_at_once_and_its_holder_is_told() {
    let mut sim = Sim::serving(&["/a"], |_| {});
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let mut args = client.session_args();
    args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    client.create_session_with(&mut sim, args).all_ok();
    let done = args::ReclaimComplete { one_fs: false };
    client.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
    let root = handle(&mut sim, &mut client, "/a");
    let making = making_args(b"o", b"f");
    let reply = on(&mut sim, &mut client, &root, |c| c.open(making)).all_ok();
    let opened = ok!(reply, Open);
    let OpenDelegation::Write(held) = opened.delegation else {
        panic!("no delegation")
    };
    let lost = [held.stateid, opened.stateid];
    remove(&mut sim, "/a");
    sim.run_timers();
    assert!(sim.take_callbacks().is_empty(), "no recall is waited for");
    let reply = client.call(&mut sim, |c| c).all_ok();
    assert_eq!(
        ok!(reply, Sequence).status_flags,
        SEQ4_STATUS_ADMIN_STATE_REVOKED
    );
    let test = args::TestStateid {
        stateids: List::new(&lost),
    };
    let reply = client.call(&mut sim, |c| c.test_stateid(test)).all_ok();
    let statuses: Vec<Status> = ok!(reply, TestStateid).status_codes.iter().collect();
    assert_eq!(statuses, [Status::ADMIN_REVOKED; 2]);
    for stateid in lost {
        let free = args::FreeStateid { stateid };
        client.call(&mut sim, |c| c.free_stateid(free)).all_ok();
    }
    let reply = client.call(&mut sim, |c| c).all_ok();
    assert_eq!(ok!(reply, Sequence).status_flags, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_that_the_file_system_answers_later_leaves_nothing() {
    let mut sim = Sim::serving(&["/a"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let (b, fs) = export("/b");
    put(&mut sim, &b);
    drop(b);
    let root = handle(&mut sim, &mut client, "/b");
    sim.set_pace(Pace::Held);
    let put_root = args::PutFh { object: &root };
    let request = client.request(&mut sim, 0, true, |c| {
        c.putfh(put_root).open(making_args(b"o", b"f"))
    });
    client.advance(0);
    sim.send(client.conn, request.record);
    sim.run();
    assert_eq!(sim.held().len(), 1);
    remove(&mut sim, "/b");
    sim.run_timers();
    assert!(Arc::strong_count(&fs) > 1, "a request uses it");
    sim.complete_all();
    sim.run_timers();
    let replies = sim.take_replies();
    assert_eq!(replies[0].last(), (Op::Open, Status::STALE));
    assert_eq!((fs.held(), sim.tables().opens), (0, 0));
    assert_eq!(Arc::strong_count(&fs), 1);
    sim.assert_nothing_is_left();
}
