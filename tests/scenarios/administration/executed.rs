//! What a file system has done for a request is told, although the session or the client of the
//! request has been ended meanwhile: the client must not do it again.

use nfs4_engine::Admin;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, CreateHow, CreateType, OpenFlag};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{StableHow, Stateid, Verifier};
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
};
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Pace, Sim, making_args, open_args};

const SIZE: args::GetAttr = args::GetAttr {
    attr_request: Bitmap::of(&[num::SIZE]),
};

type Build = fn(&mut CompoundBuilder) -> &mut CompoundBuilder;

/// Requests whose first change waits for the file system, each with that operation.
const CHANGES: [(Op, Build); 7] = [
    (Op::Remove, |c| {
        c.putrootfh().remove(args::Remove { target: b"f" })
    }),
    (Op::Rename, |c| {
        c.putrootfh().savefh().rename(args::Rename {
            oldname: b"f",
            newname: b"g",
        })
    }),
    (Op::Create, |c| {
        c.putrootfh().create(args::Create {
            objtype: CreateType::Directory,
            objname: b"g",
            createattrs: FattrRaw::EMPTY,
        })
    }),
    (Op::Link, |c| {
        c.putrootfh()
            .lookup(args::Lookup { objname: b"f" })
            .savefh()
            .putrootfh()
            .link(args::Link { newname: b"g" })
    }),
    (Op::SetAttr, |c| {
        c.putrootfh()
            .lookup(args::Lookup { objname: b"f" })
            .setattr(args::SetAttr {
                stateid: Stateid::ANONYMOUS,
                obj_attributes: FattrRaw::EMPTY,
            })
    }),
    (Op::Write, |c| {
        c.putrootfh()
            .lookup(args::Lookup { objname: b"f" })
            .write(args::Write {
                stateid: Stateid::ANONYMOUS,
                offset: 0,
                stable: StableHow::FileSync,
                data: b"data",
            })
    }),
    (Op::Open, |c| c.putrootfh().open(guarded(b"g")).getfh()),
];

fn guarded(name: &[u8]) -> args::Open<'_> {
    args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(FattrRaw::EMPTY)),
        ..open_args(b"owner", name)
    }
}

/// A client, and a file "f" that no client has open.
fn with_file(sim: &mut Sim) -> Client {
    let mut client = Client::mounted(sim, "a");
    let close = args::Close {
        seqid: 0,
        open_stateid: Stateid::CURRENT,
    };
    client
        .call(sim, |c| {
            c.putrootfh().open(making_args(b"o", b"f")).close(close)
        })
        .all_ok();
    client
}

/// Lets a request go on until the file system carries out this operation.
fn until(sim: &mut Sim, op: Op) {
    while let Some(asked) = sim.held().first() {
        // LOOKUP comes first, and its answer is no effect.
        if !format!("{:?}", asked.op).starts_with("Lookup") {
            return;
        }
        sim.complete(0);
    }
    panic!("{op} is not asked for");
}

#[test]
fn what_was_done_when_the_session_ended_is_told_with_what_is_asked_after_it() {
    for (op, change) in CHANGES {
        let mut sim = Sim::new();
        let client = with_file(&mut sim);
        sim.set_pace(Pace::Held);
        let request = client.request(&mut sim, 0, true, |c| change(c).putrootfh().getattr(SIZE));
        request.send(&mut sim, client.conn);
        sim.run();
        until(&mut sim, op);
        let session = client.session;
        sim.admin(Admin::DestroySession { session });
        sim.complete_all();
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        let statuses = reply.statuses();
        assert!(statuses.contains(&(op, Status::OK)), "{statuses:?}");
        assert_eq!(reply.last(), (Op::GetAttr, Status::OK), "{op}");
        // An open is the client's, whose lease runs on.
        let opens = usize::from(op == Op::Open);
        assert_eq!(sim.tables().opens, opens);
        sim.assert_nothing_is_left();
    }
}

#[test]
fn nothing_more_is_changed_then() {
    for (op, change) in CHANGES {
        let mut sim = Sim::new();
        let client = with_file(&mut sim);
        sim.set_pace(Pace::Held);
        let more = args::Create {
            objtype: CreateType::Directory,
            objname: b"more",
            createattrs: FattrRaw::EMPTY,
        };
        let request = client.request(&mut sim, 0, true, |c| change(c).putrootfh().create(more));
        request.send(&mut sim, client.conn);
        sim.run();
        until(&mut sim, op);
        let session = client.session;
        sim.admin(Admin::DestroySession { session });
        sim.complete_all();
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        assert!(reply.statuses().contains(&(op, Status::OK)), "{op}");
        assert_eq!(reply.last(), (Op::Create, Status::DELAY));
        assert_eq!(sim.fs().creations(b"more"), 0);
        sim.assert_nothing_is_left();
    }
}

#[test]
fn what_was_only_looked_at_is_not_done() {
    for (op, change) in [CHANGES[0], CHANGES[1]] {
        let mut sim = Sim::new();
        // While something is delegated, it is looked first what the names mean.
        let mut holder = Client::mounted_with(&mut sim, "holder", |args| {
            args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
        });
        let wish = args::Open {
            share_access: 3 | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
            ..making_args(b"holder", b"delegated")
        };
        let reply = holder.call(&mut sim, |c| c.putrootfh().open(wish)).all_ok();
        assert!(matches!(
            ok!(reply, Open).delegation,
            OpenDelegation::Write(_)
        ));
        let client = with_file(&mut sim);
        sim.set_pace(Pace::Held);
        let request = client.request(&mut sim, 0, true, change);
        request.send(&mut sim, client.conn);
        sim.run();
        let session = client.session;
        sim.admin(Admin::DestroySession { session });
        sim.complete_all();
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        assert_eq!(reply.last(), (op, Status::DELAY));
        assert_eq!(sim.fs().requests("Remove") + sim.fs().requests("Rename"), 0);
        sim.assert_nothing_is_left();
    }
}

#[test]
fn what_was_done_for_a_client_that_is_thrown_out_is_told_too() {
    for (op, change) in CHANGES {
        let mut sim = Sim::new();
        let client = with_file(&mut sim);
        sim.set_pace(Pace::Held);
        let request = client.request(&mut sim, 0, true, change);
        request.send(&mut sim, client.conn);
        sim.run();
        until(&mut sim, op);
        let evicted = client.id.0;
        sim.admin(Admin::EvictClient { client: evicted });
        sim.complete_all();
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        let expected = match op {
            // What is made cannot be opened, and the client must not think that it can try again.
            Op::Open => Status::SERVERFAULT,
            _ => Status::OK,
        };
        assert_eq!(reply.last(), (op, expected));
        assert_eq!((sim.tables().opens, sim.fs().held()), (0, 0));
        sim.assert_nothing_is_left();
    }
}

/// Ways to make a file that can be tried again, and one that cannot.
#[test]
fn an_open_of_a_client_that_is_thrown_out_invites_to_try_again_only_what_can_be() {
    let verf = Verifier(*b"verifier");
    let attrs = FattrRaw::EMPTY;
    for (how, minors, again) in [
        (CreateHow::Unchecked(attrs), 0..2, true),
        (CreateHow::Guarded(attrs), 0..2, false),
        (CreateHow::Exclusive(verf), 0..2, true),
        (CreateHow::Exclusive41 { verf, attrs }, 1..2, true),
    ] {
        for minor in minors {
            let mut sim = Sim::new();
            let (conn, xid, id, record) = if minor == 0 {
                let mut client = Client40::mounted(&mut sim, "a");
                let open = args::Open {
                    openhow: OpenFlag::Create(how),
                    ..client.open_args(b"owner", b"g")
                };
                let xid = sim.xid();
                let record = client.record(xid, |c| c.putrootfh().open(open));
                (client.conn, xid, client.id, record)
            } else {
                let client = Client::mounted(&mut sim, "a");
                let open = args::Open {
                    openhow: OpenFlag::Create(how),
                    ..open_args(b"owner", b"g")
                };
                let request = client.request(&mut sim, 0, true, |c| c.putrootfh().open(open));
                (client.conn, request.xid(), client.id, request.record)
            };
            sim.set_pace(Pace::Held);
            sim.send(conn, record);
            sim.run();
            sim.admin(Admin::EvictClient { client: id.0 });
            sim.complete_all();
            let reply = sim.take_reply(xid).expect("it is answered");
            let (op, status) = reply.last();
            assert_eq!(op, Op::Open);
            if again {
                let states = [Status::DELAY, Status::STALE_CLIENTID, Status::EXPIRED];
                assert!(states.contains(&status), "{how:?}: {status}");
            } else {
                assert_eq!(status, Status::SERVERFAULT, "minor {minor}");
            }
            assert_eq!((sim.tables().opens, sim.fs().held()), (0, 0));
            sim.assert_nothing_is_left();
        }
    }
}
