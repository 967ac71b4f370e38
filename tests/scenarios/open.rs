//! OPEN, CLOSE and OPEN_DOWNGRADE. [RFC 8881 §18.16, §18.2, §18.18]

mod creation;

use nfs4_proto::nfs4::args::{self, CreateHow, Locker, OpenClaim, OpenFlag, OpenToLockOwner};
use nfs4_proto::nfs4::attr::{AttrValue, num};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, StableHow, Stateid};
use nfs4_proto::nfs4::consts::{
    OPEN4_RESULT_LOCKTYPE_POSIX, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS,
    OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION, OPEN4_SHARE_DENY_WRITE,
};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, open_args};

fn creating<'a>(owner: &'a [u8], name: &'a [u8], how: CreateHow<'a>) -> args::Open<'a> {
    args::Open {
        openhow: OpenFlag::Create(how),
        ..open_args(owner, name)
    }
}

fn unchecked<'a>(owner: &'a [u8], name: &'a [u8]) -> args::Open<'a> {
    creating(owner, name, CreateHow::Unchecked(FattrRaw::EMPTY))
}

#[track_caller]
fn open(sim: &mut Sim, client: &mut Client, args: args::Open<'_>) -> Reply {
    client.call(sim, |c| c.putrootfh().open(args).getfh())
}

fn stateid(reply: &Reply) -> Stateid {
    ok!(reply, Open).stateid
}

fn handle(reply: &Reply) -> Vec<u8> {
    ok!(reply, GetFh).object.to_vec()
}

fn close(sim: &mut Sim, client: &mut Client, fh: &[u8], open_stateid: Stateid) -> Reply {
    let args = args::Close {
        seqid: 0,
        open_stateid,
    };
    client.call(sim, |c| c.putfh(args::PutFh { object: fh }).close(args))
}

#[track_caller]
fn assert_last(reply: &Reply, op: Op, status: Status) {
    assert_eq!(reply.last(), (op, status), "{:?}", reply.statuses());
}

#[test]
fn a_file_is_created_opened_and_closed() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = open(&mut sim, &mut client, unchecked(b"o", b"f")).all_ok();
    let ok = ok!(reply, Open);
    assert_eq!(ok.stateid.seqid, 1);
    assert_eq!(ok.rflags, OPEN4_RESULT_LOCKTYPE_POSIX);
    assert!(ok.cinfo.after > ok.cinfo.before);
    assert_eq!(sim.tables().opens, 1);
    let (fh, id) = (handle(&reply), stateid(&reply));
    close(&mut sim, &mut client, &fh, id).all_ok();
    let tables = sim.tables();
    assert_eq!((tables.opens, tables.files, tables.owners), (0, 0, 0));
    assert_eq!(sim.fs().held(), 0);
    let reply = close(&mut sim, &mut client, &fh, id);
    assert_last(&reply, Op::Close, Status::BAD_STATEID);
}

#[test]
fn opening_again_raises_the_seqid_by_one_and_keeps_the_state() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let first = stateid(&open(&mut sim, &mut client, unchecked(b"o", b"f")).all_ok());
    for seqid in 2..5 {
        let again = stateid(&open(&mut sim, &mut client, open_args(b"o", b"f")).all_ok());
        assert_eq!((again.seqid, again.other), (seqid, first.other));
    }
    assert_eq!(sim.tables().opens, 1);
    assert_eq!(sim.fs().held(), 1);
    let reply = open(&mut sim, &mut client, open_args(b"p", b"f")).all_ok();
    assert_ne!(stateid(&reply).other, first.other);
    assert_eq!(sim.tables().opens, 2);
    let reply = close(&mut sim, &mut client, &handle(&reply), first);
    assert_last(&reply, Op::Close, Status::OLD_STATEID);
    sim.assert_nothing_is_left();
}

#[test]
fn seqids_of_owners_are_not_looked_at() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut last = None;
    for (at, seqid) in [7, 7, 0, u32::MAX, 3].into_iter().enumerate() {
        let how = args::Open {
            seqid,
            ..unchecked(b"o", b"f")
        };
        let reply = open(&mut sim, &mut client, how).all_ok();
        assert_eq!(stateid(&reply).seqid as usize, at + 1);
        last = Some(reply);
    }
    let last = last.expect("it was opened");
    let (object, open_stateid) = (handle(&last), stateid(&last));
    let put = args::PutFh { object: &object };
    let lock = args::Lock {
        locktype: LockType::Write,
        reclaim: false,
        offset: 0,
        length: 1,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 99,
            open_stateid,
            lock_seqid: 99,
            lock_owner: Owner {
                clientid: ClientId(0),
                owner: b"l",
            },
        }),
    };
    let reply = client.call(&mut sim, |c| c.putfh(put).lock(lock)).all_ok();
    let unlock = args::LockU {
        locktype: LockType::Write,
        seqid: 5,
        lock_stateid: ok!(reply, Lock).lock_stateid,
        offset: 0,
        length: 1,
    };
    let close = args::Close {
        seqid: 42,
        open_stateid,
    };
    client
        .call(&mut sim, |c| c.putfh(put).locku(unlock).close(close))
        .all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_share_that_is_denied_is_not_opened_and_nothing_is_held() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    open(&mut sim, &mut one, unchecked(b"o", b"f")).all_ok();
    for access in 1..4 {
        for deny in 0..4 {
            let held = args::Open {
                share_access: access,
                share_deny: deny,
                ..open_args(b"held", b"g")
            };
            let create = args::Open {
                openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
                ..held
            };
            let first = open(&mut sim, &mut one, create).all_ok();
            for other_access in 1..4 {
                for other_deny in 0..4 {
                    let asked = args::Open {
                        share_access: other_access,
                        share_deny: other_deny,
                        ..open_args(b"asks", b"g")
                    };
                    let reply = open(&mut sim, &mut two, asked);
                    if other_access & deny == 0 && other_deny & access == 0 {
                        let (fh, id) = (handle(&reply.clone().all_ok()), stateid(&reply));
                        close(&mut sim, &mut two, &fh, id).all_ok();
                    } else {
                        assert_last(&reply, Op::Open, Status::SHARE_DENIED);
                    }
                    assert_eq!(sim.fs().held(), 2);
                }
            }
            close(&mut sim, &mut one, &handle(&first), stateid(&first)).all_ok();
        }
    }
    sim.assert_nothing_is_left();
}

#[test]
fn a_senseless_share_is_invalid() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for (share_access, share_deny) in [(0, 0), (4, 0), (1, 4), (0x8000_0001, 0)] {
        let args = args::Open {
            share_access,
            share_deny,
            ..unchecked(b"o", b"f")
        };
        let reply = open(&mut sim, &mut client, args);
        assert_last(&reply, Op::Open, Status::INVAL);
    }
    assert_eq!(sim.fs().requests("Open"), 0);
}

#[test]
fn a_file_is_opened_by_its_handle() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let first = open(&mut sim, &mut client, unchecked(b"o", b"f")).all_ok();
    let fh = handle(&first);
    let by_handle = args::Open {
        claim: OpenClaim::Fh,
        ..open_args(b"o", b"")
    };
    let put = args::PutFh { object: &fh };
    let reply = client
        .call(&mut sim, |c| c.putfh(put).open(by_handle))
        .all_ok();
    assert_eq!(stateid(&reply).other, stateid(&first).other);
    assert_eq!(stateid(&reply).seqid, 2);
    // A directory is not opened.
    let reply = client.call(&mut sim, |c| c.putrootfh().open(by_handle));
    assert_last(&reply, Op::Open, Status::ISDIR);
}

#[test]
fn there_is_nothing_to_reclaim() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let fh = handle(&open(&mut sim, &mut client, unchecked(b"o", b"f")).all_ok());
    let reclaim = args::Open {
        claim: OpenClaim::Previous(nfs4_proto::nfs4::basic::DelegationType::None),
        ..open_args(b"o", b"")
    };
    let put = args::PutFh { object: &fh };
    let reply = client.call(&mut sim, |c| c.putfh(put).open(reclaim));
    assert_last(&reply, Op::Open, Status::NO_GRACE);
}

#[test]
fn a_share_is_narrowed_to_what_was_opened_before() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let share = |share_access, share_deny| args::Open {
        share_access,
        share_deny,
        ..unchecked(b"o", b"f")
    };
    open(&mut sim, &mut client, share(1, 0)).all_ok();
    let reply = open(&mut sim, &mut client, share(2, 0)).all_ok();
    let (fh, id) = (handle(&reply), stateid(&reply));
    let put = args::PutFh { object: &fh };
    let narrow = |open_stateid, share_access| args::OpenDowngrade {
        open_stateid,
        seqid: 0,
        share_access,
        share_deny: 0,
    };
    let reply = client.call(&mut sim, |c| c.putfh(put).open_downgrade(narrow(id, 1)));
    let narrowed = ok!(reply.all_ok(), OpenDowngrade).open_stateid;
    assert_eq!((narrowed.seqid, narrowed.other), (id.seqid + 1, id.other));
    let write = args::Write {
        stateid: narrowed,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    let reply = client.call(&mut sim, |c| c.putfh(put).write(write));
    assert_last(&reply, Op::Write, Status::OPENMODE);
    // What was given up cannot be had back this way.
    let reply = client.call(&mut sim, |c| {
        c.putfh(put).open_downgrade(narrow(narrowed, 3))
    });
    assert_last(&reply, Op::OpenDowngrade, Status::INVAL);
}

#[test]
fn a_stateid_is_good_for_its_client_and_file_only() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let f = open(&mut sim, &mut one, unchecked(b"o", b"f")).all_ok();
    let g = open(&mut sim, &mut one, unchecked(b"o", b"g")).all_ok();
    let (fh, id) = (handle(&f), stateid(&f));
    for (client, fh, id) in [(&mut two, handle(&f), id), (&mut one, handle(&g), id)] {
        let reply = close(&mut sim, client, &fh, id);
        assert_last(&reply, Op::Close, Status::BAD_STATEID);
    }
    for bad in [
        Stateid { seqid: 2, ..id },
        Stateid::ANONYMOUS,
        Stateid::READ_BYPASS,
        Stateid::INVALID,
        Stateid::CURRENT,
    ] {
        let reply = close(&mut sim, &mut one, &fh, bad);
        assert_last(&reply, Op::Close, Status::BAD_STATEID);
    }
    // Zero is whatever is current.
    close(&mut sim, &mut one, &fh, Stateid { seqid: 0, ..id }).all_ok();
}

#[test]
fn names_that_cannot_be_are_refused() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for (name, status) in [
        (&b""[..], Status::INVAL),
        (b".", Status::BADNAME),
        (b"..", Status::BADNAME),
        (b"a/b", Status::BADCHAR),
        (&[b'x'; 256], Status::NAMETOOLONG),
    ] {
        let reply = open(&mut sim, &mut client, unchecked(b"o", name));
        assert_last(&reply, Op::Open, status);
    }
    open(&mut sim, &mut client, unchecked(b"o", &[b'x'; 255])).all_ok();
    open(&mut sim, &mut client, unchecked(b"o", b"\xff\xfe")).all_ok();
}

#[test]
fn a_client_is_told_what_an_open_may_say_and_each_of_it_is_understood() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.minor = 2;
    client.mount(&mut sim);
    open(&mut sim, &mut client, unchecked(b"maker", b"f")).all_ok();
    let asked = args::GetAttr {
        attr_request: Bitmap::of(&[num::OPEN_ARGUMENTS]),
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().getattr(asked));
    let reply = reply.all_ok();
    let told = ok!(reply, GetAttr).obj_attributes.get(num::OPEN_ARGUMENTS);
    let Some(AttrValue::OpenArguments(told)) = told else {
        panic!("{told:?}");
    };
    for access in told.share_access.iter() {
        for deny in told.share_deny.iter() {
            for want in told.share_access_want.iter() {
                // What is wanted of delegations stands in the second byte.
                let name = format!("{access} {deny} {want}").into_bytes();
                let args = args::Open {
                    share_access: access | want << 8,
                    share_deny: deny,
                    ..unchecked(&name, &name)
                };
                open(&mut sim, &mut client, args).all_ok();
            }
        }
    }
    assert_eq!(told.create_mode.iter().count(), 4);
    for unpromised in [
        OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS,
        OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION,
    ] {
        let bit = unpromised.trailing_zeros();
        assert!(!told.share_access_want.contains(bit));
        let args = args::Open {
            share_access: OPEN4_SHARE_ACCESS_READ | unpromised,
            ..open_args(b"other", b"f")
        };
        open(&mut sim, &mut client, args).all_ok();
    }
}

#[test]
fn an_owner_is_denied_by_its_own_share_deny() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let alone = args::Open {
        share_deny: OPEN4_SHARE_DENY_WRITE,
        ..unchecked(b"o", b"f")
    };
    open(&mut sim, &mut client, alone).all_ok();
    // An open for writing conflicts with the owner's own deny.
    let reply = open(&mut sim, &mut client, open_args(b"o", b"f"));
    assert_last(&reply, Op::Open, Status::SHARE_DENIED);
    let reading = args::Open {
        share_access: OPEN4_SHARE_ACCESS_READ,
        ..open_args(b"o", b"f")
    };
    open(&mut sim, &mut client, reading).all_ok();
    assert_eq!(sim.tables().opens, 1);
}
