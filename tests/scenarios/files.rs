//! Data and stateids: READ, WRITE, and what stands for state. [RFC 8881 §8.2, §18.22, §18.32]

use nfs4_engine::fs::FsReply;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{LockType, StableHow, Stateid, Verifier};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fattr, Pace, Reply, Sim, making_args, open_args};

const fn read(stateid: Stateid) -> args::Read {
    args::Read {
        stateid,
        offset: 0,
        count: 100,
    }
}

const fn write(stateid: Stateid, data: &[u8]) -> args::Write<'_> {
    args::Write {
        stateid,
        offset: 0,
        stable: StableHow::Unstable,
        data,
    }
}

/// A file that the client has open with this share, and its stateid.
fn opened(sim: &mut Sim, client: &mut Client, access: u32, deny: u32) -> (Vec<u8>, Stateid) {
    let open = args::Open {
        share_access: access,
        share_deny: deny,
        ..making_args(b"o", b"f")
    };
    let reply = client
        .call(sim, |c| c.putrootfh().open(open).getfh())
        .all_ok();
    (ok!(reply, GetFh).object.to_vec(), ok!(reply, Open).stateid)
}

#[track_caller]
fn assert_last(reply: &Reply, op: Op, status: Status) {
    assert_eq!(reply.last(), (op, status), "{:?}", reply.statuses());
}

#[test]
fn what_is_written_is_read() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (fh, id) = opened(&mut sim, &mut client, 3, 0);
    let put = args::PutFh { object: &fh };
    let reply = client
        .call(&mut sim, |c| c.putfh(put).write(write(id, b"hello")))
        .all_ok();
    let written = ok!(reply, Write);
    assert_eq!(written.count, 5);
    let commit = args::Commit {
        offset: 0,
        count: 0,
    };
    let reply = client
        .call(&mut sim, |c| c.putfh(put).commit(commit).read(read(id)))
        .all_ok();
    assert_eq!(ok!(reply, Commit).writeverf, written.writeverf);
    assert_eq!(ok!(reply, Read).data, b"hello");
    assert!(ok!(reply, Read).eof);
}

/// The verifiers of a WRITE and of the COMMIT after it, when the file system counts this many losses
/// at each.
fn verifiers(sim: &mut Sim, client: &mut Client, losses: [u64; 2]) -> [Verifier; 2] {
    sim.set_pace(Pace::Delayed);
    let (fh, id) = opened(sim, client, 3, 0);
    sim.set_pace(Pace::Held);
    let put = args::PutFh { object: &fh };
    let commit = args::Commit {
        offset: 0,
        count: 0,
    };
    let request = client.request(sim, 0, false, |c| {
        c.putfh(put).write(write(id, b"hello")).commit(commit)
    });
    client.advance(0);
    request.send(sim, client.conn);
    sim.run();
    for counted in losses {
        sim.distort(0, |answer| {
            let mut answer = answer.expect("MemFs does it");
            match &mut answer {
                FsReply::Written { losses, .. } | FsReply::Committed { losses } => {
                    *losses = counted;
                }
                other => panic!("neither WRITE nor COMMIT: {other:?}"),
            }
            Ok(answer)
        });
    }
    let reply = sim.take_replies().pop().expect("it is answered").all_ok();
    [ok!(reply, Write).writeverf, ok!(reply, Commit).writeverf]
}

/// A client writes again what it has not committed when the verifier differs. [RFC 8881 §18.3.4]
#[test]
fn the_write_verifier_changes_with_the_losses_of_the_file_system() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let [first, second] = verifiers(&mut sim, &mut client, [0, 0]);
    assert_eq!(first, second);
    // Lost between the two.
    let [before, after] = verifiers(&mut sim, &mut client, [0, 1]);
    assert_eq!(before, first);
    assert_ne!(after, first);
    let [next, committed] = verifiers(&mut sim, &mut client, [1, 1]);
    assert_eq!((next, committed), (after, after));
    let [last, _] = verifiers(&mut sim, &mut client, [u64::MAX, u64::MAX]);
    assert!(![first, after].contains(&last));
    // Another run of the server has other verifiers.
    sim.restart();
    let mut client = Client::mounted(&mut sim, "a");
    let [restarted, _] = verifiers(&mut sim, &mut client, [0, 0]);
    assert!(![first, after, last].contains(&restarted));
}

/// Short data are copied into the reply, long ones are sent from where they are.
#[test]
fn data_of_any_length_are_padded_to_four_bytes() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (fh, id) = opened(&mut sim, &mut client, 3, 0);
    let put = args::PutFh { object: &fh };
    let data: Vec<u8> = (0..5_000).map(|at| at as u8).collect();
    client
        .call(&mut sim, |c| c.putfh(put).write(write(id, &data)))
        .all_ok();
    for count in [0, 1, 2, 3, 4, 4_095, 4_096, 4_097, 4_098, 4_099, 4_100] {
        let read = args::Read { count, ..read(id) };
        let request = client.request(&mut sim, 0, true, |c| c.putfh(put).read(read).getfh());
        let reply = request.exchange(&mut sim, client.conn).all_ok();
        assert_eq!(ok!(reply, Read).data, &data[..count as usize]);
        assert_eq!(
            ok!(reply, GetFh).object,
            fh,
            "what follows is where it should be"
        );
        let replay = request.again(&mut sim).exchange(&mut sim, client.conn);
        assert_eq!(replay.body(), reply.body());
        client.advance(0);
    }
}

#[test]
fn an_open_for_reading_does_not_write_and_one_for_writing_reads() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (fh, id) = opened(&mut sim, &mut client, 1, 0);
    let put = args::PutFh { object: &fh };
    let reply = client.call(&mut sim, |c| c.putfh(put).write(write(id, b"x")));
    assert_last(&reply, Op::Write, Status::OPENMODE);
    let cut = Fattr::size(0);
    let set = args::SetAttr {
        stateid: id,
        obj_attributes: cut.raw(),
    };
    let reply = client.call(&mut sim, |c| c.putfh(put).setattr(set));
    assert_last(&reply, Op::SetAttr, Status::OPENMODE);
    let other = args::Open {
        share_access: 2,
        ..open_args(b"p", b"f")
    };
    let current = Stateid::CURRENT;
    client
        .call(&mut sim, |c| c.putrootfh().open(other).read(read(current)))
        .all_ok();
}

#[test]
fn special_stateids_bow_to_what_others_deny() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let (fh, id) = opened(&mut sim, &mut one, 3, 3);
    let put = args::PutFh { object: &fh };
    one.call(&mut sim, |c| c.putfh(put).write(write(id, b"x")))
        .all_ok();
    for (stateid, reads) in [(Stateid::ANONYMOUS, false), (Stateid::READ_BYPASS, true)] {
        let reply = two.call(&mut sim, |c| c.putfh(put).read(read(stateid)));
        let expected = if reads { Status::OK } else { Status::LOCKED };
        assert_last(&reply, Op::Read, expected);
        let reply = two.call(&mut sim, |c| c.putfh(put).write(write(stateid, b"y")));
        assert_last(&reply, Op::Write, Status::LOCKED);
    }
    let close = args::Close {
        seqid: 0,
        open_stateid: id,
    };
    one.call(&mut sim, |c| c.putfh(put).close(close)).all_ok();
    // The file is its creator's; both call as the same user.
    two.call(&mut sim, |c| {
        c.putfh(put).write(write(Stateid::ANONYMOUS, b"y"))
    })
    .all_ok();
}

#[test]
fn stateids_that_mean_nothing_are_bad() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (fh, id) = opened(&mut sim, &mut client, 3, 0);
    let put = args::PutFh { object: &fh };
    for bad in [
        Stateid::INVALID,
        Stateid::CURRENT,
        Stateid { seqid: 2, ..id },
        Stateid {
            seqid: 2,
            ..Stateid::ANONYMOUS
        },
        Stateid {
            seqid: 0,
            ..Stateid::READ_BYPASS
        },
        Stateid {
            other: [7; 12],
            ..id
        },
    ] {
        let reply = client.call(&mut sim, |c| c.putfh(put).read(read(bad)));
        assert_last(&reply, Op::Read, Status::BAD_STATEID);
    }
    client
        .call(&mut sim, |c| {
            c.putfh(put).read(read(Stateid { seqid: 0, ..id }))
        })
        .all_ok();
}

#[test]
fn the_current_stateid_goes_from_open_to_close() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let current = Stateid::CURRENT;
    let close = args::Close {
        seqid: 0,
        open_stateid: current,
    };
    let open = making_args(b"o", b"f");
    client
        .call(&mut sim, |c| {
            c.putrootfh()
                .open(open)
                .write(write(current, b"x"))
                .read(read(current))
                .close(close)
        })
        .all_ok();
    assert_eq!(sim.tables().opens, 0);
    // After CLOSE it names nothing, and another filehandle has none.
    let reply = client.call(&mut sim, |c| {
        c.putrootfh().open(open).close(close).read(read(current))
    });
    assert_last(&reply, Op::Read, Status::BAD_STATEID);
    let reply = client.call(&mut sim, |c| {
        c.putrootfh().open(open).putrootfh().close(close)
    });
    assert_last(&reply, Op::Close, Status::BAD_STATEID);
    // SAVEFH and RESTOREFH keep the two together.
    let reply = client.call(&mut sim, |c| {
        c.putrootfh()
            .open(open)
            .savefh()
            .putrootfh()
            .restorefh()
            .close(close)
    });
    reply.all_ok();
}

/// Appends operations to a COMPOUND.
type Build = fn(&mut CompoundBuilder) -> &mut CompoundBuilder;

/// Set the filehandle, and return no stateid.
const SET_FILEHANDLE: [Build; 6] = [
    |c| c.putrootfh(),
    |c| c.putpubfh(),
    |c| c.putrootfh().lookup(args::Lookup { objname: b"f" }),
    |c| {
        c.putrootfh()
            .lookup(args::Lookup { objname: b"d" })
            .lookupp()
    },
    |c| {
        c.putrootfh().savefh();
        c.open(making_args(b"o", b"f")).restorefh()
    },
    |c| {
        c.putrootfh().create(args::Create {
            objtype: args::CreateType::Directory,
            objname: b"new",
            createattrs: FattrRaw::EMPTY,
        })
    },
];

/// Want the current stateid.
const USE_CURRENT_STATEID: [Build; 9] = [
    |c| c.read(read(Stateid::CURRENT)),
    |c| c.write(write(Stateid::CURRENT, b"x")),
    |c| {
        c.close(args::Close {
            seqid: 0,
            open_stateid: Stateid::CURRENT,
        })
    },
    |c| {
        c.open_downgrade(args::OpenDowngrade {
            open_stateid: Stateid::CURRENT,
            seqid: 0,
            share_access: 1,
            share_deny: 0,
        })
    },
    |c| {
        c.locku(args::LockU {
            locktype: LockType::Read,
            seqid: 0,
            lock_stateid: Stateid::CURRENT,
            offset: 0,
            length: 1,
        })
    },
    |c| {
        c.lock(args::Lock {
            locktype: LockType::Read,
            reclaim: false,
            offset: 0,
            length: 1,
            locker: args::Locker::Existing(args::ExistLockOwner {
                lock_stateid: Stateid::CURRENT,
                lock_seqid: 0,
            }),
        })
    },
    |c| {
        c.delegreturn(args::DelegReturn {
            deleg_stateid: Stateid::CURRENT,
        })
    },
    |c| {
        c.free_stateid(args::FreeStateid {
            stateid: Stateid::CURRENT,
        })
    },
    |c| {
        let claim = args::OpenClaim::DelegCurFh(Stateid::CURRENT);
        c.open(args::Open {
            claim,
            ..open_args(b"o", b"")
        })
    },
];

/// Each operation that sets the filehandle and returns no stateid makes the current stateid the
/// anonymous one, which is no current stateid to any operation that wants one.
/// [RFC 8881 §8.2.3, §16.2.3.1.2]
#[test]
fn the_current_stateid_is_the_anonymous_one_after_a_filehandle_was_set() {
    for (set_by, set) in SET_FILEHANDLE.into_iter().enumerate() {
        for (used_by, used) in USE_CURRENT_STATEID.into_iter().enumerate() {
            let mut sim = Sim::new();
            let mut client = Client::mounted(&mut sim, "a");
            let directory = args::Create {
                objtype: args::CreateType::Directory,
                objname: b"d",
                createattrs: FattrRaw::EMPTY,
            };
            client
                .call(&mut sim, |c| c.putrootfh().create(directory))
                .all_ok();
            let (_, id) = opened(&mut sim, &mut client, 3, 0);
            let open = making_args(b"o", b"f");
            let reply = client.call(&mut sim, |c| used(set(c.putrootfh().open(open))));
            assert_eq!(reply.last().1, Status::BAD_STATEID, "{set_by} {used_by}");
            // What was open stays open.
            assert_eq!(sim.tables().opens, 1, "{id:?}");
        }
    }
}

#[test]
fn the_current_stateid_is_used_without_its_seqid_but_by_close() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let current = Stateid::CURRENT;
    let open = making_args(b"o", b"f");
    let close = args::Close {
        seqid: 0,
        open_stateid: current,
    };
    // The saved stateid is old when it is restored. [RFC 8881 §8.2.3]
    let reply = client.call(&mut sim, |c| {
        c.putrootfh().open(open).savefh().putrootfh().open(open);
        c.restorefh()
            .read(read(current))
            .write(write(current, b"x"))
            .close(close)
    });
    assert_last(&reply, Op::Close, Status::OLD_STATEID);
    assert_eq!(reply.statuses().len(), 10);
}

#[test]
fn test_stateid_answers_for_each_and_free_stateid_frees_no_open() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (_, first) = opened(&mut sim, &mut client, 3, 0);
    let (_, second) = opened(&mut sim, &mut client, 3, 0);
    let asked = [
        second,
        first,
        Stateid { seqid: 9, ..first },
        Stateid::ANONYMOUS,
    ];
    let test = args::TestStateid {
        stateids: List::new(&asked),
    };
    let reply = client.call(&mut sim, |c| c.test_stateid(test)).all_ok();
    let statuses: Vec<Status> = ok!(reply, TestStateid).status_codes.iter().collect();
    let expected = [
        Status::OK,
        Status::OLD_STATEID,
        Status::BAD_STATEID,
        Status::BAD_STATEID,
    ];
    assert_eq!(statuses, expected);
    let free = args::FreeStateid { stateid: second };
    let reply = client.call(&mut sim, |c| c.free_stateid(free));
    assert_last(&reply, Op::FreeStateid, Status::LOCKS_HELD);
}

#[test]
fn verify_goes_on_when_equal_and_nverify_when_not() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (fh, _) = opened(&mut sim, &mut client, 3, 0);
    let put = args::PutFh { object: &fh };
    for (size, verify, nverify) in [
        (0, Status::OK, Status::SAME),
        (1, Status::NOT_SAME, Status::OK),
    ] {
        let fattr = Fattr::size(size);
        let obj_attributes = fattr.raw();
        let reply = client.call(&mut sim, |c| {
            c.putfh(put).verify(args::Verify { obj_attributes })
        });
        assert_last(&reply, Op::Verify, verify);
        let reply = client.call(&mut sim, |c| {
            c.putfh(put).nverify(args::NVerify { obj_attributes })
        });
        assert_last(&reply, Op::NVerify, nverify);
    }
    for (number, status) in [
        (num::TIME_MODIFY_SET, Status::INVAL),
        (num::RDATTR_ERROR, Status::INVAL),
        (num::ACL, Status::ATTRNOTSUPP),
    ] {
        let obj_attributes = FattrRaw {
            mask: Bitmap::of(&[number]),
            values: &[0; 4],
        };
        let reply = client.call(&mut sim, |c| {
            c.putfh(put).verify(args::Verify { obj_attributes })
        });
        assert_last(&reply, Op::Verify, status);
    }
}

#[test]
fn setattr_says_that_nothing_was_set_however_it_fails() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    // Without a filehandle, and with arguments that cannot be read: the result has its bitmap.
    let none = client.call(&mut sim, |c| c.raw(Op::SetAttr.number(), &[]));
    assert_eq!(none.last(), (Op::SetAttr, Status::NOFILEHANDLE));
    let short = client.call(&mut sim, |c| c.putrootfh().raw(Op::SetAttr.number(), &[]));
    assert_eq!(short.last(), (Op::SetAttr, Status::BADXDR));
}

#[test]
fn a_file_that_has_lost_its_last_name_gets_none_again() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (fh, _) = opened(&mut sim, &mut client, 3, 0);
    client
        .call(&mut sim, |c| {
            c.putrootfh().remove(args::Remove { target: b"f" })
        })
        .all_ok();
    let put = args::PutFh { object: &fh };
    let link = args::Link { newname: b"g" };
    for (minor, status) in [(1, Status::STALE), (2, Status::STALE)] {
        client.minor = minor;
        let reply = client.call(&mut sim, |c| c.putfh(put).savefh().putrootfh().link(link));
        assert_last(&reply, Op::Link, status);
    }
    let old = Client40::mounted(&mut sim, "old");
    let reply = old.call(&mut sim, |c| c.putfh(put).savefh().putrootfh().link(link));
    assert_last(&reply, Op::Link, Status::NOENT);
}
