//! Delegations of clients of minor version 0, and what these do to those of others.
//! [RFC 7530 §10.4]

use nfs4_proto::nfs4::basic::{LockType, StableHow};
use nfs4_tests::sim::{Client40, Dialling, Opened};

use super::*;

/// A client of minor version 0 that has answered the probe of the connection that we make to it.
#[track_caller]
pub(super) fn reachable_v40(sim: &mut Sim, name: &str) -> Client40 {
    sim.set_dialling(Dialling::Succeeds);
    let client = Client40::mounted(sim, name);
    sim.settle();
    let callbacks = sim.take_callbacks();
    let [probe] = callbacks.as_slice() else {
        panic!("{} callbacks", callbacks.len());
    };
    assert!(probe.is_null());
    sim.send(probe.conn, probe.answered(&[]));
    sim.settle();
    client
}

/// Opens a file by a confirmed open-owner, which gets this delegation.
#[track_caller]
pub(super) fn delegated_v40(
    sim: &mut Sim,
    client: &mut Client40,
    access: u32,
    name: &[u8],
    kind: DelegationKind,
) -> Held {
    if client.seqids.is_empty() {
        client.open(sim, b"owner", b"another");
    }
    let args = args::Open {
        share_access: access,
        openhow: OpenFlag::NoCreate,
        ..client.open_args(b"owner", name)
    };
    let reply = client
        .call(sim, |c| c.putrootfh().open(args).getfh())
        .all_ok();
    let opened = ok!(reply, Open);
    Held {
        fh: handle(&reply),
        open: opened.stateid,
        delegation: granted(&opened.delegation, kind),
    }
}

#[test]
fn an_open_that_is_to_be_confirmed_brings_none() {
    let mut sim = Sim::new();
    let mut one = reachable_v40(&mut sim, "old");
    let args = one.open_args(b"owner", b"f");
    let reply = one.call(&mut sim, |c| c.putrootfh().open(args)).all_ok();
    assert_eq!(ok!(reply, Open).delegation, OpenDelegation::None);
    assert_eq!(counts(&sim), (0, 0, 0));
}

#[test]
fn a_delegation_of_v40_is_recalled_by_the_callback_path_for_any_client() {
    let (mut sim, _, mut two) = two();
    let mut old = reachable_v40(&mut sim, "old");
    let mut third = Client40::mounted(&mut sim, "third");
    sim.settle();
    sim.take_callbacks();
    for (access, kind) in [(1, READ), (3, WRITE)] {
        for new in [true, false] {
            let name: &[u8] = if new { b"new" } else { b"old" };
            let name = [name, kind.label().as_bytes()].concat();
            make(&mut sim, &mut two, &name);
            let held = delegated_v40(&mut sim, &mut old, access, &name, kind);
            let wants = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, &name);
            let mut tries = |sim: &mut Sim| {
                if new {
                    return open(sim, &mut two, wants).status();
                }
                let args = args::Open {
                    share_access: 2,
                    openhow: OpenFlag::NoCreate,
                    ..third.open_args(b"wants", &name)
                };
                third.call(sim, |c| c.putrootfh().open(args)).status()
            };
            assert_eq!(tries(&mut sim), Status::DELAY);
            let callback = called(&mut sim);
            assert_ne!(callback.conn, old.conn);
            let ops = callback.ops();
            let [CbArgOp::Recall(asked)] = ops.as_slice() else {
                panic!("{ops:?}");
            };
            assert_eq!((asked.stateid, asked.fh), (held.delegation, &*held.fh));
            sim.send(callback.conn, callback.alone(Status::OK));
            sim.settle();
            assert_eq!(tries(&mut sim), Status::DELAY);
            let back = args::DelegReturn {
                deleg_stateid: held.delegation,
            };
            old.on(&mut sim, &held.fh, |c| c.delegreturn(back)).all_ok();
            assert_eq!(tries(&mut sim), Status::OK);
            assert_eq!(counts(&sim), (0, 0, 0));
        }
    }
}

#[test]
fn a_delegation_that_is_not_returned_leaves_only_its_revoked_stateid() {
    let (mut sim, _, mut two) = two();
    let lease = sim.settings().lease;
    let mut old = reachable_v40(&mut sim, "old");
    let held = delegated_v40(&mut sim, &mut old, 3, b"f", WRITE);
    let wants = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    assert_eq!(open(&mut sim, &mut two, wants).status(), Status::DELAY);
    let callback = called(&mut sim);
    sim.send(callback.conn, callback.alone(Status::OK));
    for _ in 0..3 {
        sim.sleep(lease / 3);
        old.renew(&mut sim);
        two.call(&mut sim, |c| c).all_ok();
    }
    open(&mut sim, &mut two, wants).all_ok();
    assert_eq!(counts(&sim), (0, 0, 0));
    let args = args::Read {
        stateid: held.delegation,
        offset: 0,
        count: 1,
    };
    let reply = old.on(&mut sim, &held.fh, |c| c.read(args));
    assert_last(&reply, Op::Read, Status::EXPIRED);
}

#[test]
fn what_a_client_without_a_session_does_recalls_those_of_others() {
    let (mut sim, mut one, _) = two();
    let old = Client40::mounted(&mut sim, "old");
    sim.settle();
    sim.take_callbacks();
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 1,
    };
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    type Deed<'a> = &'a dyn Fn(&mut Sim, &[u8], &[u8]) -> Reply;
    let mode = Fattr::mode(0o606);
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: mode.raw(),
    };
    let deeds: [(&[u8], Deed<'_>); 4] = [
        (b"read", &|sim, fh, _| old.on(sim, fh, |c| c.read(read))),
        (b"write", &|sim, fh, _| old.on(sim, fh, |c| c.write(write))),
        (b"set", &|sim, fh, _| old.on(sim, fh, |c| c.setattr(set))),
        (b"remove", &|sim, _, name| {
            let args = args::Remove { target: name };
            old.call(sim, |c| c.putrootfh().remove(args))
        }),
    ];
    for (name, deed) in deeds {
        make(&mut sim, &mut one, name);
        let held = delegated(&mut sim, &mut one, 3, name, WRITE);
        let reply = deed(&mut sim, &held.fh, name);
        assert_eq!(reply.status(), Status::DELAY, "{name:?}");
        comes_back(&mut sim, &mut one, &held);
        deed(&mut sim, &held.fh, name).all_ok();
        close(&mut sim, &mut one, &held.fh, held.open);
    }
}

#[test]
fn an_anonymous_request_recalls_the_delegation_of_its_own_client_too() {
    let (mut sim, _, _) = two();
    let mut old = reachable_v40(&mut sim, "old");
    let held = delegated_v40(&mut sim, &mut old, 3, b"f", WRITE);
    let remove = args::Remove { target: b"f" };
    let reply = old.call(&mut sim, |c| c.putrootfh().remove(remove));
    assert_last(&reply, Op::Remove, Status::DELAY);
    called(&mut sim);
    // A request with a stateid of the holder belongs to the holder.
    let own = args::Read {
        stateid: held.delegation,
        offset: 0,
        count: 7,
    };
    let reply = old.on(&mut sim, &held.fh, |c| c.read(own)).all_ok();
    assert_eq!(ok!(reply, Read).data, [0; 7]);
    let opened = Opened {
        fh: held.fh.clone(),
        stateid: held.open,
    };
    let shut = old.close_args(b"owner", &opened);
    old.on(&mut sim, &held.fh, |c| c.close(shut)).all_ok();
}

#[test]
fn another_host_that_names_the_holder_is_not_taken_for_it() {
    let (mut sim, _, _) = two();
    let mut old = reachable_v40(&mut sim, "old");
    let held = delegated_v40(&mut sim, &mut old, 3, b"f", WRITE);
    let elsewhere = sim.connect_from("198.51.100.9");
    let stranger = Client40::by(elsewhere, "stranger");
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    let renew = args::Renew { clientid: old.id };
    let file = args::PutFh { object: &held.fh };
    let reply = stranger.call(&mut sim, |c| c.renew(renew).putfh(file).write(write));
    assert_last(&reply, Op::Write, Status::DELAY);
    called(&mut sim);
    // The holder's own host goes on.
    let write = args::Write {
        stateid: held.delegation,
        ..write
    };
    old.on(&mut sim, &held.fh, |c| c.write(write)).all_ok();
}

#[test]
fn the_holder_is_known_by_a_lock_owner_and_by_stateids() {
    let (mut sim, _, _) = two();
    let mut old = reachable_v40(&mut sim, "old");
    let held = delegated_v40(&mut sim, &mut old, 3, b"f", WRITE);
    let test = args::LockT {
        locktype: LockType::Write,
        offset: 0,
        length: 1,
        owner: old.owner(b"locker"),
    };
    old.on(&mut sim, &held.fh, |c| c.lockt(test)).all_ok();
    let mode = Fattr::mode(0o606);
    for stateid in [held.delegation, held.open] {
        let set = args::SetAttr {
            stateid,
            obj_attributes: mode.raw(),
        };
        old.on(&mut sim, &held.fh, |c| c.setattr(set)).all_ok();
    }
    sim.settle();
    assert!(sim.take_callbacks().is_empty());
    assert_eq!(counts(&sim), (0, 1, 0));
    // Of another client's request it comes back.
    let other = Client40::mounted(&mut sim, "other");
    sim.settle();
    sim.take_callbacks();
    let test = args::LockT {
        owner: other.owner(b"locker"),
        ..test
    };
    let reply = other.on(&mut sim, &held.fh, |c| c.lockt(test));
    assert_last(&reply, Op::LockT, Status::DELAY);
    called(&mut sim);
}

#[test]
fn a_repeated_open_whose_delegation_does_not_fit_into_the_reply_gets_resource() {
    let (mut sim, _, mut two) = two();
    make(&mut sim, &mut two, b"g");
    let most = sim.settings().max_io + (64 << 10);
    let mut old = reachable_v40(&mut sim, "old");
    let large = old.open(&mut sim, b"owner", b"large");
    let size = Fattr::size(u64::from(most));
    let args = args::SetAttr {
        stateid: large.stateid,
        obj_attributes: size.raw(),
    };
    old.on(&mut sim, &large.fh, |c| c.setattr(args)).all_ok();
    let opens = args::Open {
        openhow: OpenFlag::NoCreate,
        ..old.open_args(b"owner", b"g")
    };
    let reply = old.call(&mut sim, |c| c.putrootfh().open(opens)).all_ok();
    granted(&ok!(reply, Open).delegation, WRITE);
    let mut repeats = |count| {
        let read = |count| args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count,
        };
        let fh = args::PutFh { object: &large.fh };
        let reply = old.call(&mut sim, |c| {
            let c = c.putfh(fh).read(read(most)).read(read(count));
            c.putrootfh().open(opens)
        });
        (reply.len(), reply.last())
    };
    let (len, last) = repeats(0);
    assert_eq!(last, (Op::Open, Status::OK));
    let fits = (most - len as u32) & !3;
    for count in (fits - 32..fits + 64).step_by(4) {
        let status = if count <= fits {
            Status::OK
        } else {
            Status::RESOURCE
        };
        let (len, last) = repeats(count);
        assert!(len <= most as usize);
        assert_eq!(last, (Op::Open, status), "{count} of {fits}");
    }
}
