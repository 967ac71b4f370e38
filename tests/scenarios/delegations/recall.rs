//! What brings a delegation back. [RFC 8881 §10.4.4]

use nfs4_engine::{Event, RecallReason};
use nfs4_proto::nfs4::attr::SettableAttrs;
use nfs4_proto::nfs4::basic::StableHow;

use super::*;

/// What a client does to the file "f" with this handle; the last operation has to wait.
type Deed = fn(&mut Sim, &mut Client, &[u8]) -> Reply;

const OPEN_READ: Deed = |sim, client, _| open_quietly(sim, client, 1, 0);
const OPEN_WRITE: Deed = |sim, client, _| open_quietly(sim, client, 2, 0);
const OPEN_DENY_READ: Deed = |sim, client, _| open_quietly(sim, client, 1, 1);
const OPEN_DENY_WRITE: Deed = |sim, client, _| open_quietly(sim, client, 1, 2);
const OPEN_CUT: Deed = |sim, client, _| {
    let attrs = Fattr::size(0);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(attrs.raw())),
        ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 1, b"f")
    };
    client.call(sim, |c| c.putrootfh().open(args))
};
const READ_BYTES: Deed = |sim, client, fh| {
    let args = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 7,
    };
    client.call(sim, |c| c.putfh(args::PutFh { object: fh }).read(args))
};
const WRITE_BYTES: Deed = |sim, client, fh| {
    let args = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    client.call(sim, |c| c.putfh(args::PutFh { object: fh }).write(args))
};
const SET_MODE: Deed = |sim, client, fh| set(sim, client, fh, &Fattr::mode(0o600));
const CUT: Deed = |sim, client, fh| set(sim, client, fh, &Fattr::size(0));
const REMOVE: Deed = |sim, client, _| {
    let args = args::Remove { target: b"f" };
    client.call(sim, |c| c.putrootfh().remove(args))
};
const RENAME: Deed = |sim, client, _| rename(sim, client, b"f", b"g");
const REPLACE: Deed = |sim, client, _| rename(sim, client, b"other", b"f");
const LINK: Deed = |sim, client, fh| {
    let args = args::Link { newname: b"again" };
    client.call(sim, |c| {
        c.putfh(args::PutFh { object: fh })
            .savefh()
            .putrootfh()
            .link(args)
    })
};
const TEST_LOCK: Deed = |sim, client, fh| {
    let args = args::LockT {
        locktype: nfs4_proto::nfs4::basic::LockType::Read,
        offset: 0,
        length: 1,
        owner: nfs4_proto::nfs4::basic::Owner {
            clientid: client.id,
            owner: b"locker",
        },
    };
    client.call(sim, |c| c.putfh(args::PutFh { object: fh }).lockt(args))
};

fn open_quietly(sim: &mut Sim, client: &mut Client, access: u32, share_deny: u32) -> Reply {
    let args = args::Open {
        share_deny,
        ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | access, b"f")
    };
    client.call(sim, |c| c.putrootfh().open(args))
}

fn set(sim: &mut Sim, client: &mut Client, fh: &[u8], attrs: &Fattr) -> Reply {
    let args = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: attrs.raw(),
    };
    client.call(sim, |c| c.putfh(args::PutFh { object: fh }).setattr(args))
}

fn rename(sim: &mut Sim, client: &mut Client, oldname: &[u8], newname: &[u8]) -> Reply {
    let args = args::Rename { oldname, newname };
    client.call(sim, |c| c.putrootfh().savefh().rename(args))
}

/// Everything that others can do, whether a delegation for reading forbids it, and whether the
/// recall says that the file is cut to length zero. One for writing forbids all of it.
const DEEDS: [(&str, Deed, bool, bool); 14] = [
    ("OPEN for reading", OPEN_READ, false, false),
    ("OPEN for writing", OPEN_WRITE, true, false),
    ("OPEN that denies reading", OPEN_DENY_READ, true, false),
    ("OPEN that denies writing", OPEN_DENY_WRITE, false, false),
    ("OPEN that cuts", OPEN_CUT, true, true),
    ("READ", READ_BYTES, false, false),
    ("WRITE", WRITE_BYTES, true, false),
    ("SETATTR of the mode", SET_MODE, true, false),
    ("SETATTR of the size", CUT, true, true),
    ("REMOVE", REMOVE, true, false),
    ("RENAME", RENAME, true, false),
    ("RENAME onto it", REPLACE, true, false),
    ("LINK", LINK, true, false),
    ("LOCKT", TEST_LOCK, false, false),
];

#[test]
fn whatever_it_forbids_others_waits_until_it_is_back() {
    for (what, deed, reading_forbids, truncates) in DEEDS {
        for (access, kind) in [(1, READ), (3, WRITE)] {
            let (mut sim, mut one, mut two) = two();
            make(&mut sim, &mut one, b"other");
            let held = delegated(&mut sim, &mut one, access, b"f", kind);
            // An open would keep others out by itself if it denied anything.
            close(&mut sim, &mut one, &held.fh, held.open);
            let reply = deed(&mut sim, &mut two, &held.fh);
            if kind == READ && !reading_forbids {
                reply.all_ok();
                assert!(sim.take_callbacks().is_empty(), "{what}");
                continue;
            }
            assert_eq!(reply.last().1, Status::DELAY, "{what} {kind:?}");
            let callback = called(&mut sim);
            let asked = recall(&callback);
            assert_eq!(asked.stateid, held.delegation, "{what}");
            assert_eq!(asked.fh, held.fh, "{what}");
            assert_eq!(asked.truncate, truncates, "{what}");
            assert_eq!(callback.conn, one.conn, "{what}");
            // It waits as long as that takes, and the client is asked once.
            let reply = deed(&mut sim, &mut two, &held.fh);
            assert_eq!(reply.last().1, Status::DELAY, "{what}");
            sim.send(callback.conn, callback.ok());
            sim.settle();
            let reply = deed(&mut sim, &mut two, &held.fh);
            assert_eq!(reply.last().1, Status::DELAY, "{what}");
            assert!(sim.take_callbacks().is_empty(), "{what}");
            give_back(&mut sim, &mut one, &held).all_ok();
            deed(&mut sim, &mut two, &held.fh).all_ok();
            assert_eq!(counts(&sim), (0, 0, 0));
            sim.assert_nothing_is_left();
        }
    }
}

#[test]
fn what_its_client_does_itself_leaves_it_there() {
    for (what, deed, _, _) in DEEDS {
        for (access, kind) in [(1, READ), (3, WRITE)] {
            let (mut sim, mut one, _) = two();
            make(&mut sim, &mut one, b"other");
            let held = delegated(&mut sim, &mut one, access, b"f", kind);
            close(&mut sim, &mut one, &held.fh, held.open);
            assert_eq!(
                deed(&mut sim, &mut one, &held.fh).status(),
                Status::OK,
                "{what}"
            );
            assert!(sim.take_callbacks().is_empty(), "{what}");
            give_back(&mut sim, &mut one, &held).all_ok();
        }
    }
}

#[test]
fn every_holder_of_a_read_delegation_gets_a_recall() {
    let (mut sim, mut one, mut two) = two();
    let mut three = reachable(&mut sim, "three");
    let first = delegated(&mut sim, &mut one, 1, b"f", READ);
    let second = delegated(&mut sim, &mut two, 1, b"f", READ);
    // The opener's own delegation does not conflict with its open for writing.
    let own = delegated(&mut sim, &mut three, 1, b"f", READ);
    let reply = open_quietly(&mut sim, &mut three, 2, 0);
    assert_eq!(reply.last().1, Status::DELAY);
    sim.settle();
    let callbacks = sim.take_callbacks();
    let mut asked: Vec<_> = callbacks
        .iter()
        .map(|call| (call.conn, recall(call).stateid))
        .collect();
    asked.sort_by_key(|(conn, _)| *conn);
    let expected = [(one.conn, first.delegation), (two.conn, second.delegation)];
    assert_eq!(asked, expected);
    for callback in &callbacks {
        sim.send(callback.conn, callback.ok());
    }
    give_back(&mut sim, &mut one, &first).all_ok();
    let reply = open_quietly(&mut sim, &mut three, 2, 0);
    assert_eq!(reply.last().1, Status::DELAY);
    give_back(&mut sim, &mut two, &second).all_ok();
    open_quietly(&mut sim, &mut three, 2, 0).all_ok();
    assert_eq!(counts(&sim), (1, 0, 0));
    give_back(&mut sim, &mut three, &own).all_ok();
}

#[test]
fn an_open_that_has_to_wait_leaves_nothing_behind() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let before = sim.tables();
    let files = sim.fs().held();
    let reply = open_quietly(&mut sim, &mut two, 1, 0);
    assert_last(&reply, Op::Open, Status::DELAY);
    let after = sim.tables();
    assert_eq!((after.opens, after.owners), (before.opens, before.owners));
    assert_eq!(sim.fs().held(), files);
    comes_back(&mut sim, &mut one, &held);
}

#[test]
fn names_are_looked_up_only_while_something_is_delegated() {
    let (mut sim, mut one, mut two) = two();
    make(&mut sim, &mut one, b"g");
    make(&mut sim, &mut one, b"h");
    rename(&mut sim, &mut two, b"g", b"h").all_ok();
    assert_eq!(sim.fs().requests("Lookup"), 0);
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    rename(&mut sim, &mut two, b"h", b"g").all_ok();
    assert_eq!(sim.fs().requests("Lookup"), 2);
    let missing = args::Remove { target: b"missing" };
    let reply = two.call(&mut sim, |c| c.putrootfh().remove(missing));
    assert_last(&reply, Op::Remove, Status::NOENT);
    give_back(&mut sim, &mut one, &held).all_ok();
    let args = args::Remove { target: b"g" };
    two.call(&mut sim, |c| c.putrootfh().remove(args)).all_ok();
    assert_eq!(sim.fs().requests("Lookup"), 3);
}

#[test]
fn nothing_is_delegated_that_is_being_changed() {
    let set_mode = |fh: &[u8]| {
        let attrs = Fattr::new(&SettableAttrs {
            mode: Some(0o666),
            ..SettableAttrs::default()
        });
        (fh.to_vec(), attrs)
    };
    for named in [true, false] {
        let (mut sim, mut one, mut two) = two();
        let held = delegated(&mut sim, &mut one, 1, b"f", READ);
        close(&mut sim, &mut one, &held.fh, held.open);
        give_back(&mut sim, &mut one, &held).all_ok();
        sim.set_pace(nfs4_tests::sim::Pace::Held);
        let (fh, attrs) = set_mode(&held.fh);
        let request = two.request(&mut sim, 0, true, |c| {
            if named {
                let args = args::Rename {
                    oldname: b"f",
                    newname: b"g",
                };
                c.putrootfh().savefh().rename(args)
            } else {
                let args = args::SetAttr {
                    stateid: Stateid::ANONYMOUS,
                    obj_attributes: attrs.raw(),
                };
                c.putfh(args::PutFh { object: &fh }).setattr(args)
            }
        });
        request.send(&mut sim, two.conn);
        sim.settle();
        assert_eq!(sim.held().len(), 1);
        let args = args::Open {
            claim: args::OpenClaim::Fh,
            ..opening(1, b"")
        };
        let opens = one.request(&mut sim, 0, true, |c| {
            c.putfh(args::PutFh { object: &fh }).open(args)
        });
        opens.send(&mut sim, one.conn);
        sim.settle();
        sim.complete(1);
        let reply = sim.take_reply(opens.xid()).expect("it is open").all_ok();
        assert_eq!(ok!(reply, Open).delegation, OpenDelegation::None);
        one.advance(0);
        sim.complete_all();
        sim.take_reply(request.xid()).expect("it is done").all_ok();
        two.advance(0);
        sim.set_pace(nfs4_tests::sim::Pace::Delayed);
        let reply = one.call(&mut sim, |c| {
            c.putfh(args::PutFh { object: &fh }).open(args)
        });
        granted(&ok!(reply.all_ok(), Open).delegation, READ);
    }
}

#[test]
fn a_session_that_goes_in_the_middle_leaves_no_guard() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    give_back(&mut sim, &mut one, &held).all_ok();
    sim.set_pace(nfs4_tests::sim::Pace::Held);
    let args = args::Remove { target: b"missing" };
    let request = two.request(&mut sim, 0, true, |c| c.putrootfh().remove(args));
    request.send(&mut sim, two.conn);
    sim.settle();
    // The same client, started anew, takes its place.
    two.reboot();
    two.exchange_id(&mut sim).all_ok();
    two.create_session(&mut sim).all_ok();
    sim.complete_all();
    sim.set_pace(nfs4_tests::sim::Pace::Delayed);
    let reply = open(&mut sim, &mut one, opening(1, b"f")).all_ok();
    granted(&ok!(reply, Open).delegation, READ);
}

#[test]
fn a_recall_is_told_and_counted() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    sim.take_events();
    for _ in 0..2 {
        open_quietly(&mut sim, &mut two, 1, 0);
    }
    let told = Event::DelegationRecalled {
        client: one.id.0,
        kind: WRITE,
        reason: RecallReason::Conflict,
    };
    assert_eq!(sim.take_events(), [told]);
    comes_back(&mut sim, &mut one, &held);
    assert_eq!(sim.take_events(), []);
}

#[test]
fn what_is_no_client_asks_before_it_touches_a_file() {
    use nfs4_engine::Touch;
    for (access, kind, touch, forbidden) in [
        (1, READ, Touch::Read, false),
        (1, READ, Touch::Change, true),
        (3, WRITE, Touch::Read, true),
        (3, WRITE, Touch::Change, true),
    ] {
        let (mut sim, mut one, _) = two();
        let held = delegated(&mut sim, &mut one, access, b"f", kind);
        assert_eq!(sim.touch(&held.fh, touch), !forbidden, "{kind:?} {touch:?}");
        if !forbidden {
            assert!(sim.take_callbacks().is_empty());
            continue;
        }
        comes_back(&mut sim, &mut one, &held);
        assert!(sim.touch(&held.fh, touch));
        // While the file changes outside, no client gets a delegation.
        let reply = open(&mut sim, &mut one, opening(1, b"f")).all_ok();
        assert_eq!(ok!(reply, Open).delegation, OpenDelegation::None);
    }
}
