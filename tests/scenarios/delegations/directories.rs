//! What the rights to a directory have to do with delegations of the files in it, and with names that
//! files get while they are delegated. [RFC 8881 §10.4]

use nfs4_engine::fs::{AccessMask, FsOp, FsReply};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::CreateType;
use nfs4_tests::sim::Pace;

use super::users::Asker;
use super::*;

const OWNER: u32 = 1000;
const OTHER: u32 = 2000;
const HEAD: u32 = 3000;
const MINORS: [u32; 3] = [0, 1, 2];

/// What is done with names in the directory "d", in which "f" and "g" are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Remove,
    /// To the root,
    MoveOut,
    /// from there,
    MoveIn,
    /// within the directory,
    MoveWithin,
    /// and there in place of "f".
    Replace,
    Link,
}

impl Way {
    const ALL: [Way; 6] = [
        Way::Remove,
        Way::MoveOut,
        Way::MoveIn,
        Way::MoveWithin,
        Way::Replace,
        Way::Link,
    ];

    fn op(self) -> Op {
        match self {
            Way::Remove => Op::Remove,
            Way::Link => Op::Link,
            _ => Op::Rename,
        }
    }

    /// The rights to directories that it needs.
    fn needed(self) -> AccessMask {
        match self {
            Way::Remove => AccessMask::DELETE,
            Way::Link => AccessMask::EXTEND,
            _ => AccessMask::DELETE.union(AccessMask::EXTEND),
        }
    }

    /// Whether a name of the file in "d" goes.
    fn takes(self) -> bool {
        !matches!(self, Way::Link | Way::MoveIn)
    }

    fn ask<'a>(self, c: &'a mut CompoundBuilder, dir: &[u8], fh: &[u8]) -> &'a mut CompoundBuilder {
        let (put, file) = (args::PutFh { object: dir }, args::PutFh { object: fh });
        let rename = |oldname, newname| args::Rename { oldname, newname };
        match self {
            Way::Remove => c.putfh(put).remove(args::Remove { target: b"f" }),
            Way::MoveOut => c.putfh(put).savefh().putrootfh().rename(rename(b"f", b"n")),
            Way::MoveIn => c.putrootfh().savefh().putfh(put).rename(rename(b"f", b"n")),
            Way::MoveWithin => c.putfh(put).savefh().rename(rename(b"f", b"n")),
            Way::Replace => c.putfh(put).savefh().rename(rename(b"h", b"f")),
            Way::Link => {
                let link = args::Link { newname: b"n" };
                c.putfh(file).savefh().putfh(put).link(link)
            }
        }
    }
}

/// A directory "d" of this mode, of the user `HEAD`, and in it another name of "f", which is delegated
/// for reading and not open, and "h", of the user `OTHER`.
fn delegated_in(mode: u32) -> (Sim, Client, Held, Vec<u8>) {
    let (mut sim, mut one, _) = two();
    let free = Fattr::mode(0o777);
    one.uid = HEAD;
    let create = args::Create {
        objtype: CreateType::Directory,
        objname: b"d",
        createattrs: free.raw(),
    };
    let reply = one.call(&mut sim, |c| c.putrootfh().create(create).getfh());
    let dir = handle(&reply.all_ok());
    let put = args::PutFh { object: &dir };
    one.uid = OWNER;
    let lookup = args::Lookup { objname: b"f" };
    let link = args::Link { newname: b"f" };
    one.call(&mut sim, |c| {
        c.putrootfh().lookup(lookup).savefh().putfh(put).link(link)
    })
    .all_ok();
    one.uid = OTHER;
    make(&mut sim, &mut one, b"h");
    let (oldname, newname) = (b"h", b"h");
    let rename = args::Rename { oldname, newname };
    one.call(&mut sim, |c| {
        c.putrootfh().savefh().putfh(put).rename(rename)
    })
    .all_ok();
    one.uid = HEAD;
    let mode = Fattr::mode(mode);
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: mode.raw(),
    };
    one.call(&mut sim, |c| c.putfh(put).setattr(set)).all_ok();
    one.uid = OWNER;
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    close(&mut sim, &mut one, &held.fh, held.open);
    (sim, one, held, dir)
}

#[test]
fn from_a_sticky_directory_only_owners_have_it_recalled() {
    for (way, minor) in Way::ALL
        .into_iter()
        .flat_map(|way| MINORS.map(|minor| (way, minor)))
    {
        for uid in [OWNER, HEAD, OTHER, 0] {
            let case = format!("{way:?} {minor} {uid}");
            let (mut sim, mut one, held, dir) = delegated_in(0o1777);
            let mut asker = Asker::new(&mut sim, minor, uid);
            if way.takes() && uid == OTHER {
                for _ in 0..2 {
                    let reply = asker.call(&mut sim, |c| way.ask(c, &dir, &held.fh));
                    assert_eq!(reply.last(), (way.op(), Status::ACCESS), "{case}");
                }
                sim.settle();
                assert!(sim.take_callbacks().is_empty(), "{case}");
                assert_eq!(counts(&sim), (1, 0, 0), "{case}");
                continue;
            }
            let reply = asker.call(&mut sim, |c| way.ask(c, &dir, &held.fh));
            assert_eq!(reply.last(), (way.op(), Status::DELAY), "{case}");
            comes_back(&mut sim, &mut one, &held);
            let reply = asker.call(&mut sim, |c| way.ask(c, &dir, &held.fh));
            let moved = if way == Way::Replace && uid == OWNER {
                // What is moved is none of its own.
                Status::ACCESS
            } else {
                Status::OK
            };
            assert_eq!(reply.last(), (way.op(), moved), "{case}");
        }
    }
}

#[test]
fn each_right_that_is_needed_is_asked_for() {
    let rights = [AccessMask::DELETE, AccessMask::EXTEND, AccessMask::MODIFY];
    for (way, lacking) in Way::ALL
        .into_iter()
        .flat_map(|way| rights.map(|right| (way, right)))
    {
        let case = format!("{way:?} {lacking:?}");
        let (mut sim, _, held, dir) = delegated_in(0o777);
        let mut asker = Asker::new(&mut sim, 1, OWNER);
        sim.set_pace(Pace::Held);
        let xid = asker.send(&mut sim, |c| way.ask(c, &dir, &held.fh));
        while let Some(request) = sim.held().first() {
            if matches!(request.op, FsOp::Access { .. }) {
                sim.distort(0, |result| match result {
                    Ok(FsReply::Access { granted, kind }) => Ok(FsReply::Access {
                        granted: AccessMask(granted.0 & !lacking.0),
                        kind,
                    }),
                    other => panic!("{other:?}"),
                });
            } else {
                sim.complete(0);
            }
            sim.settle();
        }
        let reply = sim.take_reply(xid).expect("it is answered");
        let refused = way.needed().contains(lacking);
        let status = if refused {
            Status::ACCESS
        } else {
            Status::DELAY
        };
        assert_eq!(reply.last(), (way.op(), status), "{case}");
        assert_eq!(sim.take_callbacks().len(), usize::from(!refused), "{case}");
    }
}

/// A client with a delegated file makes others wait for a name by giving the name to that file.
#[test]
fn a_refused_rename_or_link_leaves_the_name_free_for_others() {
    for (way, minor) in [Way::MoveWithin, Way::MoveIn, Way::Link]
        .into_iter()
        .flat_map(|way| [1, 2].map(|minor| (way, minor)))
    {
        let (mut sim, mut one, held, dir) = delegated_in(0o777);
        give_back(&mut sim, &mut one, &held).all_ok();
        let mut thief = reachable(&mut sim, "thief");
        let held = delegated(&mut sim, &mut thief, 1, b"f", READ);
        thief.uid = OTHER;
        thief.minor = minor;
        one.uid = HEAD;
        let put = args::PutFh { object: &dir };
        let closed = Fattr::mode(0o755);
        let set = args::SetAttr {
            stateid: Stateid::ANONYMOUS,
            obj_attributes: closed.raw(),
        };
        one.call(&mut sim, |c| c.putfh(put).setattr(set)).all_ok();
        let mut steps = 0;
        loop {
            // However far it has come, the name is free for others.
            sim.set_pace(Pace::Held);
            let asks = thief.request(&mut sim, 1, true, |c| way.ask(c, &dir, &held.fh));
            asks.send(&mut sim, thief.conn);
            thief.advance(1);
            sim.settle();
            for _ in 0..steps {
                sim.complete(0);
                sim.settle();
            }
            if sim.held().is_empty() {
                let reply = sim.take_reply(asks.xid()).expect("it is answered");
                assert_last(&reply, way.op(), Status::ACCESS);
                break;
            }
            sim.set_pace(Pace::Delayed);
            let reply = one.call(&mut sim, |c| {
                c.putfh(put).remove(args::Remove { target: b"n" })
            });
            assert_last(&reply, Op::Remove, Status::NOENT);
            sim.complete_all();
            let reply = sim.take_reply(asks.xid()).expect("it is answered");
            assert_last(&reply, way.op(), Status::ACCESS);
            steps += 1;
        }
        assert!(steps > 0, "{way:?}");
    }
}

#[test]
fn what_is_moved_onto_a_file_that_comes_back_meanwhile_does_not_wait_for_itself() {
    for moved_too in [false, true] {
        // After so many answers of the file system it comes back.
        for steps in 0.. {
            let (mut sim, mut one, mut two) = two();
            make(&mut sim, &mut one, b"g");
            let moved = delegated(&mut sim, &mut one, 1, b"f", READ);
            let shared = moved_too.then(|| delegated(&mut sim, &mut two, 1, b"f", READ));
            let held = delegated(&mut sim, &mut two, 1, b"g", READ);
            for (client, held) in [(&mut one, &moved), (&mut two, &held)] {
                close(&mut sim, client, &held.fh, held.open);
            }
            sim.set_pace(Pace::Held);
            let rename = args::Rename {
                oldname: b"f",
                newname: b"g",
            };
            let asks = one.request(&mut sim, 0, true, |c| c.putrootfh().savefh().rename(rename));
            asks.send(&mut sim, one.conn);
            one.advance(0);
            sim.settle();
            for _ in 0..steps {
                sim.complete(0);
                sim.settle();
            }
            sim.set_pace(Pace::Delayed);
            let recalled = sim.held().is_empty();
            if !recalled {
                for held in [Some(&held), shared.as_ref()].into_iter().flatten() {
                    give_back(&mut sim, &mut two, held).all_ok();
                }
            }
            sim.complete_all();
            let reply = sim.take_reply(asks.xid()).expect("it is answered");
            if recalled {
                assert_last(&reply, Op::Rename, Status::DELAY);
                assert!(steps > 2);
                break;
            }
            assert_eq!(reply.last(), (Op::Rename, Status::OK), "{steps}");
            assert!(sim.take_callbacks().is_empty(), "{steps}");
        }
    }
}
