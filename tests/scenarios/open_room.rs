//! An OPEN that has no room for its state, or wants a file that is too long, says so before it makes
//! one. [RFC 8881 §18.16.3]

use nfs4_engine::fs::{Creation, FsOp};
use nfs4_proto::nfs4::args::{self, CreateHow, OpenFlag};
use nfs4_proto::nfs4::basic::Verifier;
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fattr, Pace, Reply, Sim, making_args, open_args};

/// A server for so many opens and locks of one peer, which has a third of all.
fn server(share: u32) -> Sim {
    Sim::with(Sim::config().with(|config| {
        config.max_states = 3 * share;
        config.delegations = false;
    }))
}

/// Every way to make a file.
fn hows() -> Vec<CreateHow<'static>> {
    let verifier = Verifier(*b"verifier");
    let attrs = FattrRaw::EMPTY;
    vec![
        CreateHow::Unchecked(attrs),
        CreateHow::Guarded(attrs),
        CreateHow::Exclusive(verifier),
        CreateHow::Exclusive41 {
            verf: verifier,
            attrs,
        },
    ]
}

fn creating<'a>(owner: &'a [u8], name: &'a [u8], how: CreateHow<'a>) -> args::Open<'a> {
    args::Open {
        openhow: OpenFlag::Create(how),
        ..open_args(owner, name)
    }
}

fn open(sim: &mut Sim, client: &mut Client, args: args::Open<'_>) -> Reply {
    client.call(sim, |c| c.putrootfh().open(args).getfh())
}

#[track_caller]
fn close(sim: &mut Sim, client: &mut Client, opened: &Reply) {
    let close = args::Close {
        seqid: 0,
        open_stateid: ok!(opened, Open).stateid,
    };
    let put = args::PutFh {
        object: ok!(opened, GetFh).object,
    };
    client.call(sim, |c| c.putfh(put).close(close)).all_ok();
}

/// Whether there is a file of this name.
fn exists(sim: &mut Sim, client: &mut Client, name: &[u8]) -> bool {
    let look = args::Lookup { objname: name };
    let reply = client.call(sim, |c| c.putrootfh().lookup(look));
    match reply.last() {
        (Op::Lookup, Status::OK) => true,
        (Op::Lookup, Status::NOENT) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_that_has_no_room_makes_no_file_and_succeeds_when_it_has_some() {
    for how in hows() {
        let mut sim = server(16);
        let mut client = Client::mounted(&mut sim, "a");
        let filled: Vec<Reply> = (0..16_u8)
            .map(|owner| open(&mut sim, &mut client, making_args(&[owner], b"full")).all_ok())
            .collect();
        for _ in 0..2 {
            let reply = open(&mut sim, &mut client, creating(b"o", b"f", how));
            assert_eq!(reply.last().0, Op::Open);
            assert_ne!(reply.status(), Status::OK);
            assert!(!exists(&mut sim, &mut client, b"f"), "{how:?}");
        }
        close(&mut sim, &mut client, &filled[0]);
        open(&mut sim, &mut client, creating(b"o", b"f", how)).all_ok();
        assert_eq!((sim.tables().opens, sim.fs().held()), (16, 16));
        sim.assert_nothing_is_left();
    }
}

#[test]
fn nor_does_one_of_minor_version_0() {
    for how in hows().into_iter().take(3) {
        let mut sim = server(16);
        let mut later = Client::mounted(&mut sim, "later");
        let mut client = Client40::mounted(&mut sim, "a");
        client.open(&mut sim, b"o", b"own");
        let filled: Vec<Reply> = (0..15_u8)
            .map(|owner| open(&mut sim, &mut later, making_args(&[owner], b"full")).all_ok())
            .collect();
        let attempt = |sim: &mut Sim, client: &mut Client40| {
            let args = args::Open {
                openhow: OpenFlag::Create(how),
                ..client.open_args(b"o", b"f")
            };
            client.call(sim, |c| c.putrootfh().open(args))
        };
        let reply = attempt(&mut sim, &mut client);
        assert_eq!(reply.last().0, Op::Open);
        assert_ne!(reply.status(), Status::OK);
        if reply.status() == Status::RESOURCE {
            // It does not count. [RFC 7530 §9.1.7]
            *client.seqids.get_mut(&b"o"[..]).expect("it has one") -= 1;
        }
        assert!(!exists(&mut sim, &mut later, b"f"), "{how:?}");
        close(&mut sim, &mut later, &filled[0]);
        attempt(&mut sim, &mut client).all_ok();
        sim.assert_nothing_is_left();
    }
}

#[test]
fn what_is_there_is_opened_or_refused_as_ever() {
    let mut sim = server(16);
    let mut client = Client::mounted(&mut sim, "a");
    let verifier = hows()[2];
    close_all(
        &mut sim,
        &mut client,
        creating(b"o", b"exclusive", verifier),
    );
    for owner in 0..16_u8 {
        open(&mut sim, &mut client, making_args(&[owner], b"full")).all_ok();
    }
    // One more open of what its owner has open takes no room.
    open(&mut sim, &mut client, making_args(&[0], b"full")).all_ok();
    let guarded = creating(&[0], b"full", CreateHow::Guarded(FattrRaw::EMPTY));
    let reply = open(&mut sim, &mut client, guarded);
    assert_eq!(reply.last(), (Op::Open, Status::EXIST));
    // Whether it is the same creation once more is not looked at without room for the open.
    let reply = open(
        &mut sim,
        &mut client,
        creating(b"o", b"exclusive", verifier),
    );
    assert_eq!(reply.last().0, Op::Open);
    assert!(!matches!(reply.status(), Status::OK | Status::EXIST));
    assert_eq!((sim.tables().opens, sim.fs().held()), (16, 16));
    sim.assert_nothing_is_left();
}

#[track_caller]
fn close_all(sim: &mut Sim, client: &mut Client, args: args::Open<'_>) {
    let reply = open(sim, client, args).all_ok();
    close(sim, client, &reply);
}

#[test]
fn room_for_one_is_not_given_to_two_that_are_made_at_once() {
    let mut sim = server(16);
    let mut client = Client::mounted(&mut sim, "a");
    for owner in 0..15_u8 {
        open(&mut sim, &mut client, making_args(&[owner], b"full")).all_ok();
    }
    sim.set_pace(Pace::Held);
    let names = [&b"f"[..], b"g"];
    let requests = [0, 1].map(|slot| {
        let name = names[slot as usize];
        let guarded = creating(name, name, CreateHow::Guarded(FattrRaw::EMPTY));
        client.request(&mut sim, slot, true, |c| c.putrootfh().open(guarded))
    });
    for request in &requests {
        request.send(&mut sim, client.conn);
    }
    sim.run();
    assert_eq!(sim.held().len(), 2);
    // The later one is answered first.
    sim.complete(1);
    sim.complete(0);
    let [first, second] =
        requests.map(|request| sim.take_reply(request.xid()).expect("it is done"));
    assert_eq!(first.status(), Status::OK);
    assert_eq!(second.last().0, Op::Open);
    assert_ne!(second.status(), Status::OK);
    sim.set_pace(Pace::Delayed);
    client.advance(0);
    client.advance(1);
    assert!(exists(&mut sim, &mut client, b"f"));
    assert!(!exists(&mut sim, &mut client, b"g"));
    sim.assert_nothing_is_left();
}

#[test]
fn room_that_an_open_keeps_while_it_cuts_is_kept_and_given_back() {
    for fails in [false, true] {
        let mut sim = server(16);
        let mut client = Client::mounted(&mut sim, "a");
        let length = Fattr::size(4);
        let of_some_length = CreateHow::Unchecked(length.raw());
        close_all(&mut sim, &mut client, creating(b"o", b"f", of_some_length));
        for owner in 0..15_u8 {
            open(&mut sim, &mut client, making_args(&[owner], b"full")).all_ok();
        }
        sim.set_pace(Pace::Held);
        let empty = Fattr::size(0);
        let cutting = creating(b"o", b"f", CreateHow::Unchecked(empty.raw()));
        let request = client.request(&mut sim, 0, true, |c| c.putrootfh().open(cutting));
        request.send(&mut sim, client.conn);
        sim.run();
        sim.complete(0);
        assert_eq!(sim.held().len(), 1, "it is being cut");
        let other = client.request(&mut sim, 1, true, |c| {
            c.putrootfh().open(making_args(b"p", b"g"))
        });
        other.send(&mut sim, client.conn);
        sim.run();
        sim.complete(1);
        let reply = sim.take_reply(other.xid()).expect("it is done");
        assert_ne!(reply.status(), Status::OK);
        if fails {
            sim.refuse(0, nfs4_engine::fs::FsError::NoSpace);
        } else {
            sim.complete(0);
        }
        let reply = sim.take_reply(request.xid()).expect("it is done");
        assert_eq!(reply.status() == Status::OK, !fails);
        sim.set_pace(Pace::Delayed);
        client.advance(0);
        client.advance(1);
        let reply = open(&mut sim, &mut client, making_args(b"p", b"g"));
        assert_eq!(reply.status() == Status::OK, fails);
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_length_that_no_file_can_have_is_not_asked_of_the_file_system() {
    let verf = Verifier(*b"verifier");
    for length in [1 << 63, u64::MAX] {
        let size = Fattr::size(length);
        let attrs = size.raw();
        let hows = [
            (CreateHow::Unchecked(attrs), Status::OK),
            (CreateHow::Guarded(attrs), Status::EXIST),
            (CreateHow::Exclusive41 { verf, attrs }, Status::EXIST),
        ];
        for (minor, (how, when_there)) in
            [0, 1, 2].map(|minor| hows.map(|how| (minor, how))).concat()
        {
            let mut sim = server(100);
            let mut client = Client::mounted(&mut sim, "client");
            client.minor = minor.max(1);
            let mut old = Client40::mounted(&mut sim, "old");
            client.make_file(&mut sim, b"there", 0);
            if minor == 0 && matches!(how, CreateHow::Exclusive41 { .. }) {
                continue;
            }
            for (name, expected) in [(&b"there"[..], when_there), (b"absent", Status::FBIG)] {
                let openhow = OpenFlag::Create(how);
                let args = args::Open {
                    openhow,
                    ..open_args(b"owner", name)
                };
                let args40 = args::Open {
                    openhow,
                    ..old.open_args(b"owner", name)
                };
                sim.set_pace(Pace::Held);
                let xid = if minor == 0 {
                    let xid = sim.xid();
                    let record = old.record(xid, |c| c.putrootfh().open(args40));
                    sim.send(old.conn, record);
                    xid
                } else {
                    let asks = client.request(&mut sim, 0, true, |c| c.putrootfh().open(args));
                    asks.send(&mut sim, client.conn);
                    client.advance(0);
                    asks.xid()
                };
                sim.settle();
                match sim.held().as_slice() {
                    [asked] => match &asked.op {
                        FsOp::Open { how, .. } => assert_eq!(how.create, Creation::No, "{args:?}"),
                        other => panic!("{other:?}"),
                    },
                    other => panic!("{other:?}"),
                }
                sim.complete_all();
                sim.settle();
                let reply = sim.take_reply(xid).expect("it is answered");
                assert_eq!(reply.last(), (Op::Open, expected), "{minor} {args:?}");
                sim.set_pace(Pace::Delayed);
            }
        }
    }
}
