//! Delegations of clients whose leases have expired. [RFC 8881 §8.4.2.4, §10.4.6]

use std::time::Duration;

use nfs4_engine::Event;
use nfs4_proto::nfs4::consts::{
    SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED, SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED,
};
use nfs4_proto::xdr::List;

use super::*;

/// One holds a delegation of "f" of this kind, and its lease has expired.
fn away(access: u32, kind: DelegationKind) -> (Sim, Client, Client, Held) {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, access, b"f", kind);
    for _ in 0..3 {
        sim.sleep(sim.settings().lease / 2);
        two.call(&mut sim, |c| c).all_ok();
    }
    assert_eq!(sim.tables().courteous_clients, 1);
    sim.take_events();
    (sim, one, two, held)
}

fn flags(sim: &mut Sim, client: &mut Client) -> u32 {
    let reply = client.call(sim, |c| c).all_ok();
    ok!(reply, Sequence).status_flags
}

fn tested(sim: &mut Sim, client: &mut Client, stateids: &[Stateid]) -> Vec<Status> {
    let args = args::TestStateid {
        stateids: List::new(stateids),
    };
    let reply = client.call(sim, |c| c.test_stateid(args)).all_ok();
    ok!(reply, TestStateid).status_codes.iter().collect()
}

fn read_anonymously<'a>(
    c: &'a mut nfs4_proto::client::CompoundBuilder,
    held: &Held,
) -> &'a mut nfs4_proto::client::CompoundBuilder {
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 1,
    };
    c.putfh(args::PutFh { object: &held.fh }).read(read)
}

#[test]
fn each_request_that_conflicts_takes_it_at_once_without_a_recall() {
    let size = Fattr::size(3);
    let remove = args::Remove { target: b"f" };
    let rename = args::Rename {
        oldname: b"f",
        newname: b"g",
    };
    let link = args::Link { newname: b"l" };
    for request in 0..6 {
        let (mut sim, mut one, mut two, held) = away(1, READ);
        let set = args::SetAttr {
            stateid: Stateid::ANONYMOUS,
            obj_attributes: size.raw(),
        };
        let writing = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
        let write = args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            stable: nfs4_proto::nfs4::basic::StableHow::FileSync,
            data: b"x",
        };
        let put = args::PutFh { object: &held.fh };
        let reply = two.call(&mut sim, |c| match request {
            0 => c.putrootfh().open(writing),
            1 => c.putfh(put).write(write),
            2 => c.putfh(put).setattr(set),
            3 => c.putrootfh().remove(remove),
            4 => c.putrootfh().savefh().rename(rename),
            _ => c.putfh(put).savefh().putrootfh().link(link),
        });
        assert_eq!(reply.status(), Status::OK, "{request}: {reply:?}");
        assert_eq!(sim.take_callbacks().len(), 0, "{request}");
        assert_eq!(counts(&sim), (0, 0, 1), "{request}");
        let id = one.id.0;
        let revoked = Event::DelegationRevoked {
            client: id,
            kind: READ,
        };
        assert_eq!(sim.take_events(), [revoked]);
        let some = SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED;
        let told = flags(&mut sim, &mut one);
        assert_eq!(told & some, some, "its open is there");
        let both = [held.delegation, held.open];
        let answers = tested(&mut sim, &mut one, &both);
        assert_eq!(answers, [Status::EXPIRED, Status::OK]);
        let reply = give_back(&mut sim, &mut one, &held);
        assert_last(&reply, Op::DelegReturn, Status::EXPIRED);
        let free = args::FreeStateid {
            stateid: held.delegation,
        };
        one.call(&mut sim, |c| c.free_stateid(free)).all_ok();
        assert_eq!(flags(&mut sim, &mut one), 0);
        assert_eq!(counts(&sim), (0, 0, 0));
        sim.assert_nothing_is_left();
    }
}

#[test]
fn it_was_all_when_nothing_is_left() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    close(&mut sim, &mut one, &held.fh, held.open);
    sim.sleep(2 * sim.settings().lease);
    let writing = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    open(&mut sim, &mut two, writing).all_ok();
    let all = SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED;
    assert_eq!(flags(&mut sim, &mut one), all);
    sim.assert_nothing_is_left();
}

#[test]
fn to_look_at_a_file_takes_it_from_no_holder_that_is_away() {
    let (mut sim, mut one, mut two, held) = away(3, WRITE);
    let mask = nfs4_proto::nfs4::attr::Bitmap::of(&[nfs4_proto::nfs4::attr::num::SIZE]);
    let get = args::GetAttr { attr_request: mask };
    let put = args::PutFh { object: &held.fh };
    two.call(&mut sim, |c| c.putfh(put).getattr(get)).all_ok();
    let test = args::LockT {
        locktype: nfs4_proto::nfs4::basic::LockType::Write,
        offset: 0,
        length: 1,
        owner: super::super::holder::owner(b"l"),
    };
    two.call(&mut sim, |c| c.putfh(put).lockt(test)).all_ok();
    assert_eq!(sim.take_callbacks().len(), 0);
    assert_eq!(counts(&sim), (0, 1, 0));
    assert_eq!(flags(&mut sim, &mut one), 0);
    assert_eq!(counts(&sim), (0, 1, 0), "the holder is back");
    // It can be called again.
    let reply = two.call(&mut sim, |c| read_anonymously(c, &held));
    assert_last(&reply, Op::Read, Status::DELAY);
    comes_back(&mut sim, &mut one, &held);
    two.call(&mut sim, |c| read_anonymously(c, &held)).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_user_that_may_not_access_the_file_takes_it_from_no_holder() {
    let (mut sim, mut one, mut two, held) = away(3, WRITE);
    two.uid = 77;
    let mode = Fattr::mode(0o777);
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: mode.raw(),
    };
    let put = args::PutFh { object: &held.fh };
    let reply = two.call(&mut sim, |c| c.putfh(put).setattr(set));
    assert_last(&reply, Op::SetAttr, Status::PERM);
    assert_eq!(counts(&sim), (0, 1, 0));
    assert_eq!(flags(&mut sim, &mut one), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn a_holder_that_falls_silent_while_it_is_recalled_loses_it_and_has_lapsed() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    sim.sleep(sim.settings().lease / 2);
    two.call(&mut sim, |c| c).all_ok();
    let writing = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    assert_last(&open(&mut sim, &mut two, writing), Op::Open, Status::DELAY);
    sim.sleep(sim.settings().lease / 2 + Duration::from_secs(1));
    assert_eq!(sim.tables().courteous_clients, 1);
    open(&mut sim, &mut two, writing).all_ok();
    assert_eq!(counts(&sim), (0, 0, 1));
    assert_eq!(
        tested(&mut sim, &mut one, &[held.delegation]),
        [Status::EXPIRED]
    );
    make(&mut sim, &mut one, b"g");
    let reply = open(&mut sim, &mut one, opening(1, b"g")).all_ok();
    assert!(matches!(
        ok!(reply, Open).delegation,
        OpenDelegation::None | OpenDelegation::NoneExt(_)
    ));
    sim.assert_nothing_is_left();
}
