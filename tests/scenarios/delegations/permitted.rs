//! A user without permission on a file or a directory cannot cause callbacks to other clients, nor
//! affect their delegations. [RFC 8881 §10.4]

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::CreateType;
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG;

use nfs4_proto::nfs4::basic::StableHow;

use super::*;

const OWNER: u32 = 1000;
const STRANGER: u32 = 2000;

#[derive(Clone, Copy, Debug)]
enum Way {
    Remove,
    RenameOut,
    RenameIn,
    RenameOver,
    Link,
}

impl Way {
    const ALL: [Way; 5] = [
        Way::Remove,
        Way::RenameOut,
        Way::RenameIn,
        Way::RenameOver,
        Way::Link,
    ];

    fn op(self) -> Op {
        match self {
            Way::Remove => Op::Remove,
            Way::RenameOut | Way::RenameIn | Way::RenameOver => Op::Rename,
            Way::Link => Op::Link,
        }
    }

    /// Done to the file "f", which is in the root too, under the name "d/f".
    fn ask<'a>(self, c: &'a mut CompoundBuilder, dir: &[u8], fh: &[u8]) -> &'a mut CompoundBuilder {
        let (dir, file) = (args::PutFh { object: dir }, args::PutFh { object: fh });
        let rename = |oldname, newname| args::Rename { oldname, newname };
        match self {
            Way::Remove => c.putfh(dir).remove(args::Remove { target: b"f" }),
            Way::RenameOut => c.putfh(dir).savefh().putrootfh().rename(rename(b"f", b"n")),
            Way::RenameIn => c.putrootfh().savefh().putfh(dir).rename(rename(b"f", b"n")),
            Way::RenameOver => c.putrootfh().savefh().putfh(dir).rename(rename(b"g", b"f")),
            Way::Link => c
                .putfh(file)
                .savefh()
                .putfh(dir)
                .link(args::Link { newname: b"n" }),
        }
    }
}

/// "f" is delegated; "d/f" is another name of it, in a directory that only its owner may change.
fn delegated_in_a_directory() -> (Sim, Client, Held, Vec<u8>) {
    let (mut sim, mut one, _) = two();
    make(&mut sim, &mut one, b"g");
    let mode = Fattr::mode(0o755);
    let create = args::Create {
        objtype: CreateType::Directory,
        objname: b"d",
        createattrs: mode.raw(),
    };
    let reply = one.call(&mut sim, |c| c.putrootfh().create(create).getfh());
    let dir = handle(&reply.all_ok());
    let lookup = args::Lookup { objname: b"f" };
    let put = args::PutFh { object: &dir };
    let link = args::Link { newname: b"f" };
    one.call(&mut sim, |c| {
        c.putrootfh().lookup(lookup).savefh().putfh(put).link(link)
    })
    .all_ok();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    close(&mut sim, &mut one, &held.fh, held.open);
    (sim, one, held, dir)
}

#[test]
fn a_user_without_directory_permission_recalls_no_delegation() {
    for way in Way::ALL {
        let (mut sim, mut one, held, dir) = delegated_in_a_directory();
        let mut other = reachable(&mut sim, "other");
        other.uid = STRANGER;
        for _ in 0..2 {
            let reply = other.call(&mut sim, |c| way.ask(c, &dir, &held.fh));
            assert_last(&reply, way.op(), Status::ACCESS);
        }
        sim.settle();
        assert!(sim.take_callbacks().is_empty(), "{way:?}");
        assert_eq!(counts(&sim), (1, 0, 0), "{way:?}");
        other.uid = OWNER;
        let reply = other.call(&mut sim, |c| way.ask(c, &dir, &held.fh));
        assert_last(&reply, way.op(), Status::DELAY);
        comes_back(&mut sim, &mut one, &held);
        other
            .call(&mut sim, |c| way.ask(c, &dir, &held.fh))
            .all_ok();
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_user_without_write_permission_gets_no_write_delegation() {
    let (mut sim, mut one, mut two) = two();
    let mode = Fattr::mode(0o644);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(mode.raw())),
        ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 3, b"own")
    };
    let reply = open(&mut sim, &mut one, args).all_ok();
    close(
        &mut sim,
        &mut one,
        &handle(&reply),
        ok!(reply, Open).stateid,
    );
    two.uid = STRANGER;
    let wish = 1 | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG;
    let reply = open(&mut sim, &mut two, opening(wish, b"own")).all_ok();
    granted(&ok!(reply, Open).delegation, READ);
    let reply = open(&mut sim, &mut two, opening(wish, b"own")).all_ok();
    assert_eq!(refused(&reply), NoDelegation::Contention(false));
    assert_eq!(counts(&sim), (1, 0, 0));
}

#[test]
fn a_length_that_no_file_can_have_is_refused_before_a_recall() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    let fh = args::PutFh { object: &held.fh };
    let longer = Fattr::new(&SettableAttrs {
        size: Some(u64::MAX),
        ..SettableAttrs::default()
    });
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: longer.raw(),
    };
    let write = |offset| args::Write {
        stateid: Stateid::ANONYMOUS,
        offset,
        stable: StableHow::Unstable,
        data: b"xy",
    };
    let cut = two.call(&mut sim, |c| c.putfh(fh).setattr(set));
    assert_last(&cut, Op::SetAttr, Status::FBIG);
    for offset in [u64::MAX, u64::MAX - 2] {
        let written = two.call(&mut sim, |c| c.putfh(fh).write(write(offset)));
        assert_last(&written, Op::Write, Status::FBIG);
    }
    sim.settle();
    assert!(sim.take_callbacks().is_empty());
    assert_eq!(counts(&sim), (1, 0, 0));
    give_back(&mut sim, &mut one, &held).all_ok();
    // The id that leaves an owner unchanged belongs to no user.
    for (owner, group) in [
        (Some(&b"4294967295"[..]), None),
        (None, Some(&b"4294967295@x"[..])),
    ] {
        let named = Fattr::new(&SettableAttrs {
            owner,
            owner_group: group,
            ..SettableAttrs::default()
        });
        let set = args::SetAttr {
            stateid: Stateid::ANONYMOUS,
            obj_attributes: named.raw(),
        };
        let refused = one.call(&mut sim, |c| c.putfh(fh).setattr(set));
        assert_last(&refused, Op::SetAttr, Status::BADOWNER);
    }
}
