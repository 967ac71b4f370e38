//! What an owner of minor version 0 does comes one after the other, and the last once more.
//! [RFC 7530 §9.1.7 to 9.1.11]

use std::time::Duration;

use nfs4_engine::fs::FsError;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::basic::{DelegationType, StableHow, Stateid, Verifier};
use nfs4_proto::nfs4::consts::{OPEN4_RESULT_CONFIRM, OPEN4_RESULT_LOCKTYPE_POSIX};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client40, Opened, Pace, Sim};

fn setup() -> (Sim, Client40, Opened) {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    (sim, client, file)
}

#[test]
fn a_new_owner_must_confirm_and_a_known_one_need_not() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let args = client.open_args(b"o", b"f");
    let reply = client
        .call(&mut sim, |c| c.putrootfh().open(args).getfh())
        .all_ok();
    let ok = ok!(reply, Open);
    assert_eq!(
        ok.rflags,
        OPEN4_RESULT_LOCKTYPE_POSIX | OPEN4_RESULT_CONFIRM
    );
    let mut file = Opened {
        fh: ok!(reply, GetFh).object.to_vec(),
        stateid: ok.stateid,
    };
    // Before, nothing else can be done with it.
    let read = args::Read {
        stateid: file.stateid,
        offset: 0,
        count: 1,
    };
    let reply = client.on(&mut sim, &file.fh, |c| c.read(read));
    assert_eq!(reply.last(), (Op::Read, Status::BAD_STATEID));
    let close = client.clone().close_args(b"o", &file);
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close));
    assert_eq!(reply.last(), (Op::Close, Status::BAD_STATEID));
    let confirm = client.confirm_args(b"o", &file);
    let reply = client
        .on(&mut sim, &file.fh, |c| c.open_confirm(confirm))
        .all_ok();
    file.stateid = ok!(reply, OpenConfirm).open_stateid;
    assert_eq!(file.stateid.seqid, 2);
    // Once is enough.
    let confirm = client.clone().confirm_args(b"o", &file);
    let reply = client.on(&mut sim, &file.fh, |c| c.open_confirm(confirm));
    assert_eq!(reply.last(), (Op::OpenConfirm, Status::BAD_STATEID));
    let args = client.open_args(b"o", b"g");
    let reply = client.call(&mut sim, |c| c.putrootfh().open(args)).all_ok();
    assert_eq!(ok!(reply, Open).rflags, OPEN4_RESULT_LOCKTYPE_POSIX);
    sim.assert_nothing_is_left();
}

#[test]
fn seqids_are_checked() {
    let (mut sim, mut client, file) = setup();
    let next = client.seqids[&b"o"[..]];
    for seqid in [next - 2, next + 1, next + 100, 0] {
        let open = args::Open {
            seqid,
            ..client.clone().open_args(b"o", b"f")
        };
        let reply = client.call(&mut sim, |c| c.putrootfh().open(open));
        assert_eq!(reply.last(), (Op::Open, Status::BAD_SEQID), "{seqid}");
        let close = args::Close {
            seqid,
            open_stateid: file.stateid,
        };
        let reply = client.on(&mut sim, &file.fh, |c| c.close(close));
        assert_eq!(reply.last(), (Op::Close, Status::BAD_SEQID), "{seqid}");
    }
    // The last one belongs to an OPEN_CONFIRM, and this is none.
    let close = args::Close {
        seqid: next - 1,
        open_stateid: file.stateid,
    };
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close));
    assert_eq!(reply.last(), (Op::Close, Status::BAD_SEQID));
    let close = client.close_args(b"o", &file);
    client.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
}

#[test]
fn a_close_sent_again_is_answered_again() {
    let (mut sim, mut client, file) = setup();
    let close = client.close_args(b"o", &file);
    let first = client.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
    assert_eq!(sim.tables().opens, 0);
    // By transaction ids of their own, so that only the owner can know.
    for _ in 0..3 {
        let again = client.on(&mut sim, &file.fh, |c| c.close(close));
        assert_eq!(again.body(), first.body());
    }
    // With the next request of the owner, the closed stateid is forgotten.
    client.open(&mut sim, b"o", b"g");
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close));
    assert_eq!(reply.last(), (Op::Close, Status::BAD_STATEID));
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_sent_again_is_answered_again_with_its_file() {
    let (mut sim, mut client, _) = setup();
    let open = client.open_args(b"o", b"g");
    let first = client
        .call(&mut sim, |c| c.putrootfh().open(open).getfh())
        .all_ok();
    let again = client
        .call(&mut sim, |c| c.putrootfh().open(open).getfh())
        .all_ok();
    assert_eq!(again.body(), first.body());
    assert_eq!(sim.tables().opens, 2);
    // Failures are answered again, too, whatever holds by now.
    let missing = args::Open {
        openhow: OpenFlag::NoCreate,
        ..client.open_args(b"o", b"h")
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().open(missing));
    assert_eq!(reply.last(), (Op::Open, Status::NOENT));
    client.open(&mut sim, b"another", b"h");
    let reply = client.call(&mut sim, |c| c.putrootfh().open(missing));
    assert_eq!(reply.last(), (Op::Open, Status::NOENT));
    // Another request under the same seqid is none of that.
    let other = args::Open {
        share_access: 1,
        ..missing
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().open(other));
    assert_eq!(reply.last(), (Op::Open, Status::BAD_SEQID));
}

#[test]
fn a_second_open_of_an_unconfirmed_owner_cancels_the_first() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let first = client.open_args(b"o", b"f");
    client
        .call(&mut sim, |c| c.putrootfh().open(first))
        .all_ok();
    assert_eq!(sim.tables().opens, 1);
    let second = args::Open {
        seqid: 77,
        ..client.clone().open_args(b"o", b"g")
    };
    let reply = client
        .call(&mut sim, |c| c.putrootfh().open(second).getfh())
        .all_ok();
    assert_eq!(sim.tables().opens, 1);
    assert_eq!(sim.fs().held(), 1);
    let fh = ok!(reply, GetFh).object.to_vec();
    let confirm = args::OpenConfirm {
        open_stateid: ok!(reply, Open).stateid,
        seqid: 78,
    };
    client
        .on(&mut sim, &fh, |c| c.open_confirm(confirm))
        .all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_confirmation_out_of_order_cancels_the_open() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let open = client.open_args(b"o", b"f");
    let reply = client
        .call(&mut sim, |c| c.putrootfh().open(open).getfh())
        .all_ok();
    let fh = ok!(reply, GetFh).object.to_vec();
    let confirm = args::OpenConfirm {
        open_stateid: ok!(reply, Open).stateid,
        seqid: open.seqid + 2,
    };
    let reply = client.on(&mut sim, &fh, |c| c.open_confirm(confirm));
    assert_eq!(reply.last(), (Op::OpenConfirm, Status::BAD_SEQID));
    assert_eq!((sim.tables().opens, sim.tables().owners), (0, 0));
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_that_is_not_confirmed_is_cancelled_after_a_lease() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let open = client.open_args(b"o", b"f");
    client.call(&mut sim, |c| c.putrootfh().open(open)).all_ok();
    let lease = sim.settings().lease;
    for _ in 0..3 {
        sim.sleep(lease - Duration::from_secs(1));
        client.renew(&mut sim).all_ok();
    }
    assert_eq!((sim.tables().opens, sim.tables().owners), (0, 0));
    assert_eq!(sim.fs().held(), 0);
}

#[test]
fn an_owner_without_state_is_forgotten_after_a_lease() {
    let (mut sim, mut client, file) = setup();
    let close = client.close_args(b"o", &file);
    client.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
    assert_eq!(sim.tables().owners, 1);
    let lease = sim.settings().lease;
    for _ in 0..3 {
        sim.sleep(lease - Duration::from_secs(1));
        client.renew(&mut sim).all_ok();
    }
    assert_eq!(sim.tables().owners, 0);
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close));
    assert_eq!(reply.last(), (Op::Close, Status::BAD_STATEID));
}

#[test]
fn owners_without_state_are_bounded() {
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    for number in 0..1_500_u32 {
        let name = number.to_be_bytes();
        let open = args::Open {
            openhow: OpenFlag::NoCreate,
            ..client.clone().open_args(&name, b"missing")
        };
        let reply = client.call(&mut sim, |c| c.putrootfh().open(open));
        assert_eq!(reply.status(), Status::NOENT);
    }
    // A third of all that are remembered.
    assert_eq!(sim.tables().owners, 4_096 / 3);
    assert!(sim.tables().kept_replies <= 4_096);
    sim.assert_nothing_is_left();
}

#[test]
fn only_some_failures_leave_the_seqid() {
    let (mut sim, mut client, file) = setup();
    // These do not count.
    let stale = Stateid {
        other: [9; 12],
        ..file.stateid
    };
    let next = client.seqids[&b"o"[..]];
    let close = |open_stateid| args::Close {
        seqid: next,
        open_stateid,
    };
    for (stateid, status) in [
        (stale, Status::STALE_STATEID),
        (Stateid::ANONYMOUS, Status::BAD_STATEID),
        (Stateid::READ_BYPASS, Status::BAD_STATEID),
        (Stateid::CURRENT, Status::BAD_STATEID),
    ] {
        let reply = client.on(&mut sim, &file.fh, |c| c.close(close(stateid)));
        assert_eq!(reply.last(), (Op::Close, status));
    }
    let reply = client.call(&mut sim, |c| c.close(close(file.stateid)));
    assert_eq!(reply.last(), (Op::Close, Status::NOFILEHANDLE));
    let late = Stateid {
        seqid: file.stateid.seqid + 1,
        ..file.stateid
    };
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close(late)));
    assert_eq!(reply.last(), (Op::Close, Status::BAD_STATEID));
    // This does.
    let old = Stateid {
        seqid: file.stateid.seqid - 1,
        ..file.stateid
    };
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close(old)));
    assert_eq!(reply.last(), (Op::Close, Status::OLD_STATEID));
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close(file.stateid)));
    assert_eq!(reply.last(), (Op::Close, Status::BAD_SEQID));
    client.seqid(b"o");
    let close = client.close_args(b"o", &file);
    client.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
}

#[test]
fn an_owner_does_one_thing_at_a_time() {
    let (mut sim, mut client, _) = setup();
    sim.set_pace(Pace::Held);
    let first = client.open_args(b"o", b"g");
    let record = client.record(sim.xid(), |c| c.putrootfh().open(first));
    sim.send(client.conn, record);
    sim.settle();
    let second = client.clone().open_args(b"o", b"h");
    for open in [first, second] {
        let reply = client.call(&mut sim, |c| c.putrootfh().open(open));
        assert_eq!(reply.last(), (Op::Open, Status::RESOURCE));
    }
    sim.complete_all();
    assert_eq!(sim.take_replies().len(), 1);
    sim.set_pace(Pace::Delayed);
    client
        .call(&mut sim, |c| c.putrootfh().open(second))
        .all_ok();
    assert_eq!(sim.tables().opens, 3);
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_goes_while_its_open_waits_leaves_nothing() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let open = client.open_args(b"o", b"f");
    let record = client.record(sim.xid(), |c| c.putrootfh().open(open));
    sim.send(client.conn, record);
    sim.settle();
    assert_eq!(sim.tables().owners, 1);
    client.reboot();
    client.mount(&mut sim);
    assert_eq!(sim.tables().owners, 0);
    sim.complete_all();
    let replies = sim.take_replies();
    assert_eq!(replies[0].last(), (Op::Open, Status::STALE_CLIENTID));
    assert_eq!((sim.tables().opens, sim.fs().held()), (0, 0));
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_that_a_file_system_refuses_counts() {
    let (mut sim, mut client, _) = setup();
    sim.set_pace(Pace::Held);
    let open = client.open_args(b"o", b"g");
    let record = client.record(sim.xid(), |c| c.putrootfh().open(open));
    sim.send(client.conn, record);
    sim.settle();
    sim.refuse(0, FsError::NoSpace);
    let replies = sim.take_replies();
    assert_eq!(replies[0].last(), (Op::Open, Status::NOSPC));
    sim.set_pace(Pace::Delayed);
    let reply = client.call(&mut sim, |c| c.putrootfh().open(open));
    assert_eq!(reply.last(), (Op::Open, Status::NOSPC));
    let open = client.open_args(b"o", b"g");
    client.call(&mut sim, |c| c.putrootfh().open(open)).all_ok();
}

#[test]
fn stateids_are_of_this_boot_this_file_and_the_present() {
    let (mut sim, mut client, file) = setup();
    let other = client.open(&mut sim, b"o", b"g");
    let write = |stateid| args::Write {
        stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    let mut stale = file.stateid;
    stale.other[0] ^= 0x80;
    for (stateid, status) in [
        (file.stateid, Status::OK),
        (Stateid::ANONYMOUS, Status::OK),
        (Stateid::READ_BYPASS, Status::OK),
        (stale, Status::STALE_STATEID),
        (other.stateid, Status::BAD_STATEID),
        // There is no current stateid, and zero does not stand for one.
        (Stateid::CURRENT, Status::BAD_STATEID),
        (
            Stateid {
                seqid: 0,
                ..file.stateid
            },
            Status::OLD_STATEID,
        ),
        (
            Stateid {
                seqid: 9,
                ..file.stateid
            },
            Status::BAD_STATEID,
        ),
    ] {
        let reply = client.on(&mut sim, &file.fh, |c| c.write(write(stateid)));
        assert_eq!(reply.last(), (Op::Write, status), "{stateid:?}");
    }
}

#[test]
fn nothing_is_reclaimed_where_nothing_was_kept() {
    let (mut sim, mut client, file) = setup();
    let previous = args::Open {
        openhow: OpenFlag::NoCreate,
        claim: OpenClaim::Previous(DelegationType::None),
        ..client.open_args(b"o", b"f")
    };
    let reply = client.on(&mut sim, &file.fh, |c| c.open(previous));
    assert_eq!(reply.last(), (Op::Open, Status::NO_GRACE));
    let reclaim = args::Lock {
        reclaim: true,
        ..client.lock_args(b"o", &file, b"l", (0, 10))
    };
    let reply = client.on(&mut sim, &file.fh, |c| c.lock(reclaim));
    assert_eq!(reply.last(), (Op::Lock, Status::NO_GRACE));
}

#[test]
fn what_only_4_1_can_say_in_an_open_is_malformed() {
    let (mut sim, mut client, file) = setup();
    let exclusive = CreateHow::Exclusive41 {
        verf: Verifier(*b"verifier"),
        attrs: FattrRaw::EMPTY,
    };
    let plain = client.open_args(b"p", b"h");
    let strange = [
        args::Open {
            openhow: OpenFlag::NoCreate,
            claim: OpenClaim::Fh,
            ..plain
        },
        args::Open {
            openhow: OpenFlag::Create(exclusive),
            ..plain
        },
    ];
    for open in strange {
        let reply = client.on(&mut sim, &file.fh, |c| c.open(open));
        assert_eq!(reply.last(), (Op::Open, Status::BADXDR));
    }
    let wants = args::Open {
        share_access: 0x103,
        ..plain
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().open(wants));
    assert_eq!(reply.last(), (Op::Open, Status::INVAL));
}

#[test]
fn a_stolen_stateid_opens_nothing() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let mode = nfs4_tests::sim::Fattr::mode(0o600);
    let open = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(mode.raw())),
        ..client.open_args(b"o", b"f")
    };
    let reply = client
        .call(&mut sim, |c| c.putrootfh().open(open).getfh())
        .all_ok();
    let mut file = Opened {
        fh: ok!(reply, GetFh).object.to_vec(),
        stateid: ok!(reply, Open).stateid,
    };
    let confirm = client.confirm_args(b"o", &file);
    let reply = client
        .on(&mut sim, &file.fh, |c| c.open_confirm(confirm))
        .all_ok();
    file.stateid = ok!(reply, OpenConfirm).open_stateid;
    let write = args::Write {
        stateid: file.stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    let read = args::Read {
        stateid: file.stateid,
        offset: 0,
        count: 1,
    };
    let mut thief = client.clone();
    thief.uid = 77;
    for _ in 0..2 {
        let reply = thief.on(&mut sim, &file.fh, |c| c.write(write));
        assert_eq!(reply.last(), (Op::Write, Status::ACCESS));
        let reply = thief.on(&mut sim, &file.fh, |c| c.read(read));
        assert_eq!(reply.last(), (Op::Read, Status::ACCESS));
        client.on(&mut sim, &file.fh, |c| c.write(write)).all_ok();
    }
}
