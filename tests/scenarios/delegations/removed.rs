//! Delegations of files that their holder removes. [RFC 8881 §10.4]

use nfs4_proto::client::CompoundBuilder;

use super::*;

/// How its holder takes the last name from the file "f".
#[derive(Clone, Copy, Debug)]
enum Way {
    Remove,
    RenameOver,
}

fn take<'a>(c: &'a mut CompoundBuilder, way: Way, name: &[u8]) -> &'a mut CompoundBuilder {
    match way {
        Way::Remove => c.putrootfh().remove(args::Remove { target: name }),
        Way::RenameOver => {
            let args = args::Rename {
                oldname: b"g",
                newname: name,
            };
            c.putrootfh().savefh().rename(args)
        }
    }
}

#[test]
fn a_delegation_of_a_file_that_its_holder_removes_is_ended() {
    for way in [Way::Remove, Way::RenameOver] {
        for (access, kind) in [(1, READ), (3, WRITE)] {
            let (mut sim, mut one, _) =
                two_with(Sim::config().with(|config| config.max_delegations_per_client = 1));
            make(&mut sim, &mut one, b"g");
            make(&mut sim, &mut one, b"h");
            let held = delegated(&mut sim, &mut one, access, b"f", kind);
            close(&mut sim, &mut one, &held.fh, held.open);
            one.call(&mut sim, |c| take(c, way, b"f")).all_ok();
            assert_eq!(counts(&sim), (0, 0, 0), "{way:?}");
            assert_eq!(sim.tables().files, 0, "{way:?}");
            assert!(sim.take_callbacks().is_empty());
            // It need not know, and may give it back once.
            give_back(&mut sim, &mut one, &held).all_ok();
            let reply = give_back(&mut sim, &mut one, &held);
            assert_last(&reply, Op::DelegReturn, Status::BAD_STATEID);
            // The room is there for another.
            delegated(&mut sim, &mut one, access, b"h", kind);
            sim.assert_nothing_is_left();
        }
    }
}

#[test]
fn what_is_still_open_stays_delegated_until_it_is_closed() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    one.call(&mut sim, |c| take(c, Way::Remove, b"f")).all_ok();
    assert_eq!(counts(&sim), (0, 1, 0));
    let read = args::Read {
        stateid: held.delegation,
        offset: 0,
        count: 7,
    };
    one.call(&mut sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).read(read)
    })
    .all_ok();
    close(&mut sim, &mut one, &held.fh, held.open);
    assert_eq!(counts(&sim), (0, 0, 0));
    sim.assert_nothing_is_left();
}

#[test]
fn what_has_another_name_stays_delegated() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    close(&mut sim, &mut one, &held.fh, held.open);
    let link = args::Link { newname: b"second" };
    let put = args::PutFh { object: &held.fh };
    one.call(&mut sim, |c| c.putfh(put).savefh().putrootfh().link(link))
        .all_ok();
    one.call(&mut sim, |c| take(c, Way::Remove, b"f")).all_ok();
    assert_eq!(counts(&sim), (0, 1, 0));
    one.call(&mut sim, |c| take(c, Way::Remove, b"second"))
        .all_ok();
    assert_eq!(counts(&sim), (0, 0, 0));
}

#[test]
fn a_holder_that_learns_that_its_file_is_not_there_has_no_delegation_of_it() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    close(&mut sim, &mut one, &held.fh, held.open);
    // The request is executed, and its session goes before the engine hears of that.
    sim.set_pace(nfs4_tests::sim::Pace::Held);
    let removes = one.request(&mut sim, 0, true, |c| take(c, Way::Remove, b"f"));
    removes.send(&mut sim, one.conn);
    sim.settle();
    sim.answer(0);
    sim.execute(0);
    let second = one.session_args();
    let first = one.session;
    sim.set_pace(nfs4_tests::sim::Pace::Delayed);
    one.create_session_with(&mut sim, second).all_ok();
    sim.admin(nfs4_engine::Admin::DestroySession { session: first });
    sim.complete_all();
    let attrs = args::GetAttr {
        attr_request: nfs4_proto::nfs4::Bitmap::of(&[nfs4_proto::nfs4::attr::num::SIZE]),
    };
    let reply = one.call(&mut sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).getattr(attrs)
    });
    assert_last(&reply, Op::GetAttr, Status::STALE);
    assert_eq!(counts(&sim), (0, 0, 0));
}
