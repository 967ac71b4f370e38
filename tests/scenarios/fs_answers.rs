//! Answers of a file system that cannot be: each costs its request and nothing else.

use nfs4_engine::Wall;
use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::driver::{FsCall, FsFault};
use nfs4_engine::fs::{
    AccessMask, Attrs, Device, DirChange, FileKind, FsError, FsHandle, FsReply, FsResult, Opened,
    Payload, Stability,
};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, Op, Stateid, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Pace, Rng, Sim, making_args, open_args};

use crate::asker::{Asker, WAYS, faults, is_allowed};

fn attrs() -> Attrs {
    Attrs {
        kind: FileKind::Regular,
        mode: 0o644,
        links: 1,
        uid: 0,
        gid: 0,
        device: Device::default(),
        fileid: 7,
        change: 1,
        size: 1,
        space_used: 1,
        accessed: Wall::default(),
        modified: Wall::default(),
        changed: Wall::default(),
        created: Wall::default(),
        fs: 0,
        mounted_on: 0,
    }
}

/// One answer of each kind, but for directory entries, which only a request can bring.
fn answers() -> [(FsReply, &'static [FsCall]); 13] {
    let fh = FsHandle::new(b"some").expect("it is short");
    let (attrs, dir, stat) = (attrs(), DirChange::default(), None);
    let opened = Opened {
        fh,
        attrs,
        created: false,
        dir,
    };
    let written = FsReply::Written {
        count: 1,
        stability: Stability::File,
        losses: 0,
    };
    let granted = FsReply::Access {
        granted: AccessMask::READ,
        kind: FileKind::Regular,
    };
    let data = FsReply::Data {
        data: Bytes::from_static(b"x").into(),
        eof: true,
    };
    [
        (FsReply::Done, &[]),
        (FsReply::Committed { losses: 0 }, &[FsCall::Commit]),
        (
            FsReply::Attrs { attrs, stat },
            &[FsCall::GetAttrs, FsCall::SetAttrs],
        ),
        (granted, &[FsCall::Access]),
        (
            FsReply::Node { fh, attrs, stat },
            &[FsCall::Lookup, FsCall::LookupParent],
        ),
        (FsReply::Link(Bytes::from_static(b"x")), &[FsCall::ReadLink]),
        (data, &[FsCall::Read]),
        (written, &[FsCall::Write]),
        (FsReply::Created { fh, attrs, dir }, &[FsCall::Create]),
        (FsReply::Opened(opened), &[FsCall::Open]),
        (FsReply::Linked { dir }, &[FsCall::Link]),
        (FsReply::Removed { dir }, &[FsCall::Remove]),
        (FsReply::Renamed { from: dir, to: dir }, &[FsCall::Rename]),
    ]
}

#[test]
fn another_requests_answer_is_none() {
    for minor in 0..=2 {
        for (op, call, since) in WAYS {
            if since > minor {
                continue;
            }
            let mut sim = Sim::new();
            let mut asker = Asker::new(&mut sim, minor);
            sim.take_events();
            for (answer, of) in answers() {
                if of.contains(&call) {
                    continue;
                }
                let what = format!("{op} in 4.{minor} by {call:?}: {answer:?}");
                let reply = asker.ask(&mut sim, op, call, |sim| sim.answer_as(0, |_| Ok(answer)));
                assert_eq!(reply.last(), (op, Status::SERVERFAULT), "{what}");
            }
            assert_eq!(faults(&mut sim), [(call, FsFault::Reply, 0)]);
            assert_eq!((sim.tables().parked, sim.fs().held()), (0, 0));
        }
    }
}

#[test]
fn only_the_first_answer_to_a_request_counts() {
    let mut sim = Sim::new();
    let mut asker = Asker::new(&mut sim, 1);
    let read = |data: &'static [u8]| {
        let data = Bytes::from_static(data).into();
        Ok(FsReply::Data { data, eof: true })
    };
    for (answers, status) in [
        ([read(b"1"), read(b"2")], Status::OK),
        ([read(b"1"), Err(FsError::Io)], Status::OK),
        ([Err(FsError::Misused), read(b"2")], Status::SERVERFAULT),
    ] {
        let reply = asker.ask(&mut sim, Op::Read, FsCall::Read, |sim| {
            sim.answer_twice(0, answers);
        });
        assert_eq!(reply.last(), (Op::Read, status));
        if status == Status::OK {
            assert_eq!(ok!(reply, Read).data, b"1");
        }
    }
    let misused = FsFault::Error(FsError::Misused);
    let told = faults(&mut sim);
    let expected = [
        (FsCall::Read, FsFault::Again, 0),
        (FsCall::Read, misused, 0),
    ];
    assert_eq!(told, expected);
    // A completion that is dropped besides says nothing new.
    for again in [FsError::NoAnswer, FsError::Misused, FsError::Panicked] {
        asker.ask(&mut sim, Op::GetAttr, FsCall::GetAttrs, |sim| {
            sim.answer_twice(0, [Err(FsError::Io), Err(again)]);
        });
        assert_eq!(faults(&mut sim), []);
    }
}

/// What a file system may answer that means no good.
fn any_answer(rng: &mut Rng) -> FsResult {
    if rng.below(3) == 0 {
        return Err(FsError::ALL[rng.index(FsError::ALL.len())]);
    }
    let mut attrs = attrs();
    match rng.below(6) {
        0 => attrs.fileid = 0,
        1 => attrs.size = rng.next_u64(),
        2 => attrs.changed.nanos = rng.next_u64() as u32,
        3 => attrs.kind = FileKind::Fifo,
        _ => {}
    }
    let (mut answer, _) = answers().into_iter().nth(rng.index(13)).expect("13 kinds");
    match &mut answer {
        FsReply::Attrs { attrs: own, .. }
        | FsReply::Node { attrs: own, .. }
        | FsReply::Created { attrs: own, .. } => *own = attrs,
        FsReply::Opened(opened) => opened.attrs = attrs,
        FsReply::Data { data, eof } => {
            *data = (0..rng.index(3))
                .map(|_| Bytes::from_static(b"x"))
                .collect();
            *eof = rng.below(2) == 0;
        }
        FsReply::Written { count, losses, .. } => {
            (*count, *losses) = (rng.below(3) as u32, rng.next_u64());
        }
        FsReply::Committed { losses } => *losses = rng.next_u64(),
        FsReply::Link(target) => *target = target.repeat(rng.index(5_000)).into(),
        _ => {}
    }
    Ok(answer)
}

/// Whatever a file system answers, the client is told what it may be told, and the server goes on.
#[test]
fn a_file_system_that_answers_at_random_harms_only_its_users() {
    for seed in 0..60 {
        let minor = seed as u32 % 3;
        let mut rng = Rng::new(seed);
        let mut sim = Sim::new();
        let mut asker = Asker::new(&mut sim, minor);
        for _ in 0..60 {
            let (op, call, since) = WAYS[rng.index(WAYS.len())];
            if since > minor {
                continue;
            }
            let answers = [any_answer(&mut rng), any_answer(&mut rng)];
            let what = format!("{seed}: {op} in 4.{minor} by {call:?} {answers:?}");
            let twice = rng.below(8) == 0;
            let reply = asker.ask(&mut sim, op, call, |sim| {
                if twice {
                    sim.answer_twice(0, answers);
                } else {
                    let [answer, _] = answers;
                    sim.answer_as(0, |_| answer);
                }
            });
            let (last, status) = reply.last();
            assert_eq!(last, op, "{what}");
            let is_told = status == Status::OK || is_allowed(op, minor, status);
            assert!(is_told, "{what}: {status}");
            assert_eq!(sim.tables().parked, 0, "{what}");
        }
        let honest = asker.ask(&mut sim, Op::GetAttr, FsCall::GetAttrs, |sim| {
            sim.complete(0);
        });
        assert_eq!(honest.last(), (Op::GetAttr, Status::OK), "{seed}");
    }
}

/// The attributes in an answer.
fn attrs_of(reply: &mut FsReply) -> &mut Attrs {
    match reply {
        FsReply::Attrs { attrs, .. }
        | FsReply::Node { attrs, .. }
        | FsReply::Created { attrs, .. } => attrs,
        FsReply::Opened(opened) => &mut opened.attrs,
        other => panic!("no attributes: {other:?}"),
    }
}

#[test]
fn attributes_that_cannot_be_are_not_passed_on() {
    const LATE: Wall = Wall {
        seconds: 0,
        nanos: 1_000_000_000,
    };
    let wrong: [fn(&mut Attrs); 6] = [
        |attrs| attrs.fileid = 0,
        |attrs| attrs.size = 1 << 63,
        |attrs| attrs.accessed = LATE,
        |attrs| attrs.modified = LATE,
        |attrs| attrs.changed = LATE,
        |attrs| attrs.created = LATE,
    ];
    let ways = [
        (Op::GetAttr, FsCall::GetAttrs),
        (Op::Verify, FsCall::GetAttrs),
        (Op::LockT, FsCall::GetAttrs),
        (Op::SetAttr, FsCall::SetAttrs),
        (Op::Open, FsCall::SetAttrs),
        (Op::Create, FsCall::Create),
        (Op::Open, FsCall::Open),
    ];
    for (op, call) in ways {
        for wrong in wrong {
            let mut sim = Sim::new();
            let mut asker = Asker::new(&mut sim, 1);
            sim.take_events();
            let reply = asker.ask(&mut sim, op, call, |sim| {
                sim.distort(0, |answer| {
                    let mut answer = answer.expect("MemFs does it");
                    wrong(attrs_of(&mut answer));
                    Ok(answer)
                });
            });
            assert_eq!(reply.last(), (op, Status::SERVERFAULT), "{call:?}");
            assert_eq!(faults(&mut sim), [(call, FsFault::Attributes, 0)]);
            assert_eq!((sim.tables().opens, sim.fs().held()), (0, 0), "{call:?}");
        }
    }
}

#[test]
fn bytes_that_cannot_be_are_not_passed_on() {
    let data = |data: &[u8], eof| {
        let data = Bytes::copy_from_slice(data).into();
        FsReply::Data { data, eof }
    };
    let written = |count, stability| FsReply::Written {
        count,
        stability,
        losses: 0,
    };
    let link = |target: &[u8]| FsReply::Link(Bytes::copy_from_slice(target));
    let file = Stability::File;
    // One byte is read and written, to be durable as a file.
    let cases = [
        (Op::Read, FsCall::Read, data(b"xy", true), FsFault::Length),
        (Op::Read, FsCall::Read, data(b"", false), FsFault::Length),
        (Op::Write, FsCall::Write, written(2, file), FsFault::Length),
        (Op::Write, FsCall::Write, written(0, file), FsFault::Length),
        (
            Op::Write,
            FsCall::Write,
            written(1, Stability::Unstable),
            FsFault::Stability,
        ),
        (
            Op::Write,
            FsCall::Write,
            written(1, Stability::Data),
            FsFault::Stability,
        ),
        (Op::ReadLink, FsCall::ReadLink, link(b""), FsFault::Target),
        (
            Op::ReadLink,
            FsCall::ReadLink,
            link(&[b'x'; 4096]),
            FsFault::Target,
        ),
        (
            Op::ReadLink,
            FsCall::ReadLink,
            link(b"a\0b"),
            FsFault::Target,
        ),
    ];
    for (op, call, answer, fault) in cases {
        let mut sim = Sim::new();
        let mut asker = Asker::new(&mut sim, 1);
        let what = format!("{answer:?}");
        let reply = asker.ask(&mut sim, op, call, |sim| sim.answer_as(0, |_| Ok(answer)));
        assert_eq!(reply.last(), (op, Status::SERVERFAULT), "{what}");
        assert_eq!(faults(&mut sim), [(call, fault, 0)], "{what}");
    }
    let good = [
        (Op::Read, FsCall::Read, data(b"", true)),
        (Op::Read, FsCall::Read, data(b"x", false)),
        (Op::ReadLink, FsCall::ReadLink, link(&[b'x'; 4095])),
    ];
    for (op, call, answer) in good {
        let mut sim = Sim::new();
        let mut asker = Asker::new(&mut sim, 1);
        let reply = asker.ask(&mut sim, op, call, |sim| sim.answer_as(0, |_| Ok(answer)));
        assert_eq!(reply.last(), (op, Status::OK));
        assert_eq!(faults(&mut sim), []);
    }
}

/// Short ones are copied into the reply, longer ones are sent from where they are.
#[test]
fn bytes_come_in_no_more_pieces_than_the_limit() {
    for (len, count, fault) in [
        (1, Payload::MAX_PIECES, None),
        (5, Payload::MAX_PIECES, None),
        (1, Payload::MAX_PIECES + 1, Some(FsFault::Pieces)),
        (5, Payload::MAX_PIECES + 1, Some(FsFault::Pieces)),
    ] {
        let mut sim = Sim::new();
        let mut client = Client::mounted(&mut sim, "a");
        client.make_file(&mut sim, b"f", 1);
        sim.take_events();
        sim.set_pace(Pace::Held);
        let read = args::Read {
            stateid: Stateid::READ_BYPASS,
            offset: 0,
            count: 10_000,
        };
        let look = args::Lookup { objname: b"f" };
        let request = client.request(&mut sim, 0, false, |c| {
            c.putrootfh().lookup(look).read(read).getfh()
        });
        request.send(&mut sim, client.conn);
        sim.settle();
        while sim.held()[0].op.call() != FsCall::Read {
            sim.complete(0);
            sim.settle();
        }
        let bytes: Vec<u8> = (0..len * count).map(|at| at as u8).collect();
        let all = Bytes::from(bytes.clone());
        let data = (0..count).map(|at| all.slice(at * len..(at + 1) * len));
        let data = Payload::from_iter(data);
        sim.answer_as(0, |_| Ok(FsReply::Data { data, eof: true }));
        sim.settle();
        let reply = sim.take_replies().pop().expect("it is answered");
        let expected: Vec<_> = fault
            .map(|fault| (FsCall::Read, fault, 0))
            .into_iter()
            .collect();
        assert_eq!(faults(&mut sim), expected);
        if fault.is_some() {
            assert_eq!(reply.last(), (Op::Read, Status::SERVERFAULT));
        } else {
            let reply = reply.all_ok();
            assert!(ok!(reply, Read).data == bytes, "{count} pieces of {len}");
        }
    }
}

#[test]
fn the_room_in_the_file_system_is_not_made_up() {
    let mut sim = Sim::new();
    let mut asker = Asker::new(&mut sim, 1);
    let without = |answer: FsResult| match answer {
        Ok(FsReply::Attrs { attrs, stat: _ }) => Ok(FsReply::Attrs { attrs, stat: None }),
        other => panic!("no attributes: {other:?}"),
    };
    // READDIR asks for it before it lists.
    let reply = asker.ask(&mut sim, Op::ReadDir, FsCall::GetAttrs, |sim| {
        sim.distort(0, without);
    });
    assert_eq!(reply.last(), (Op::ReadDir, Status::SERVERFAULT));
    assert_eq!(faults(&mut sim), [(FsCall::GetAttrs, FsFault::Stat, 0)]);
}

#[test]
fn what_is_opened_is_a_file_and_the_one_that_was_asked_for() {
    let other_kind = |opened: &mut Opened| opened.attrs.kind = FileKind::Directory;
    let other_file = |opened: &mut Opened| opened.fh = FsHandle::new(b"other").expect("short");
    type Distort = fn(&mut Opened);
    let cases: [(Distort, bool, FsFault); 3] = [
        (other_kind, false, FsFault::Attributes),
        (other_kind, true, FsFault::Attributes),
        (other_file, true, FsFault::Handle),
    ];
    for (distort, by_handle, fault) in cases {
        let mut sim = Sim::new();
        let mut client = Client::mounted(&mut sim, "a");
        let made = client
            .call(&mut sim, |c| {
                c.putrootfh().open(making_args(b"o", b"f")).getfh()
            })
            .all_ok();
        let fh = ok!(made, GetFh).object.to_vec();
        let (opens, held) = (sim.tables().opens, sim.fs().held());
        sim.set_pace(Pace::Held);
        let by_name = open_args(b"p", b"f");
        let request = client.request(&mut sim, 0, true, |c| {
            if by_handle {
                let claim = args::OpenClaim::Fh;
                c.putfh(args::PutFh { object: &fh })
                    .open(args::Open { claim, ..by_name })
            } else {
                c.putrootfh().open(by_name)
            }
        });
        request.send(&mut sim, client.conn);
        sim.run();
        sim.distort(0, |answer| match answer {
            Ok(FsReply::Opened(mut opened)) => {
                distort(&mut opened);
                Ok(FsReply::Opened(opened))
            }
            other => panic!("not opened: {other:?}"),
        });
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        assert_eq!(reply.last(), (Op::Open, Status::SERVERFAULT));
        assert_eq!(faults(&mut sim), [(FsCall::Open, fault, 0)]);
        assert_eq!(sim.tables().opens, opens, "nothing is open that was not");
        // What it says it holds is given back; of what it says no file is known.
        if fault != FsFault::Handle {
            assert_eq!(sim.fs().held(), held);
        }
    }
}

/// Between LOOKUP and GETATTR is an operation that changes nothing.
#[test]
fn attributes_that_were_not_asked_for_are_not_believed() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    client.make_file(&mut sim, b"f", 5);
    let size = args::GetAttr {
        attr_request: Bitmap::of(&[num::SIZE]),
    };
    let lookup = args::Lookup { objname: b"f" };
    let access = args::Access { access: 0x3f };
    let request = client.request(&mut sim, 0, true, |c| {
        c.putrootfh().lookup(lookup).access(access).getattr(size)
    });
    sim.set_pace(Pace::Held);
    request.send(&mut sim, client.conn);
    sim.run();
    sim.distort(0, |answer| match answer {
        Ok(FsReply::Node { fh, stat, .. }) => {
            let attrs = Attrs {
                fileid: 0,
                size: 1 << 63,
                ..attrs()
            };
            Ok(FsReply::Node { fh, attrs, stat })
        }
        other => panic!("no node: {other:?}"),
    });
    sim.complete_all();
    let reply = sim.take_reply(request.xid()).expect("it is answered");
    let reply = reply.all_ok();
    let told = ok!(reply, GetAttr).obj_attributes;
    assert_eq!(format!("{:?}", told.get(num::SIZE)), "Some(size=5)");
    assert_eq!(faults(&mut sim), []);
}
