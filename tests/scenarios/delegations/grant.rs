//! Which clients get a delegation, and which get the reason why not. [RFC 8881 §18.16.3]

use std::cell::RefCell;
use std::sync::Arc;
use std::task::Poll;

use nfs4_engine::Export;
use nfs4_engine::fs::{Backend, Capabilities, FsHandle, FsRequest, FsResult, Pending};
use nfs4_proto::nfs4::consts::{
    ACE4_APPEND_DATA, ACE4_READ_DATA, ACE4_WRITE_DATA, OPEN4_SHARE_ACCESS_WANT_ANY_DELEG,
    OPEN4_SHARE_ACCESS_WANT_CANCEL, OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
    OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED, OPEN4_SHARE_ACCESS_WANT_READ_DELEG,
    OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
    WND4_CANCELLED, WND4_NOT_SUPP_DOWNGRADE, WND4_NOT_WANTED,
};
use nfs4_proto::nfs4::res::SpaceLimit;

use super::*;

const WANT_READ: u32 = OPEN4_SHARE_ACCESS_WANT_READ_DELEG;
const WANT_WRITE: u32 = OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG;
const WANT_ANY: u32 = OPEN4_SHARE_ACCESS_WANT_ANY_DELEG;
const CONTENTION: NoDelegation = NoDelegation::Contention(false);
const RESOURCE: NoDelegation = NoDelegation::Resource(false);

#[test]
fn an_open_brings_the_delegation_that_it_wishes_or_that_serves_it() {
    for (access, kind) in [
        (1, Some(READ)),
        (3, Some(WRITE)),
        (2, None),
        (1 | WANT_READ, Some(READ)),
        (3 | WANT_READ, Some(READ)),
        (2 | WANT_READ, Some(READ)),
        (1 | WANT_WRITE, Some(READ)),
        (3 | WANT_WRITE, Some(WRITE)),
        (2 | WANT_WRITE, Some(WRITE)),
        (1 | WANT_ANY, Some(READ)),
        (3 | WANT_ANY, Some(WRITE)),
    ] {
        let (mut sim, mut one, _) = two();
        let reply = open(&mut sim, &mut one, opening(access, b"f")).all_ok();
        let delegation = ok!(reply, Open).delegation;
        match kind {
            Some(kind) => assert_eq!(granted(&delegation, kind).seqid, 1, "{access:#x}"),
            None => assert_eq!(delegation, OpenDelegation::None, "{access:#x}"),
        }
        let held = usize::from(kind == Some(READ));
        let expected = (held, usize::from(kind == Some(WRITE)), 0);
        assert_eq!(counts(&sim), expected, "{access:#x}");
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_client_that_wants_no_delegation_gets_none() {
    let (mut sim, mut one, _) = two();
    for (access, why) in [
        (OPEN4_SHARE_ACCESS_WANT_NO_DELEG, WND4_NOT_WANTED),
        (OPEN4_SHARE_ACCESS_WANT_CANCEL, WND4_CANCELLED),
    ] {
        let reply = open(&mut sim, &mut one, opening(3 | access, b"f")).all_ok();
        assert_eq!(refused(&reply), NoDelegation::WhyNone(why));
    }
    assert_eq!(counts(&sim), (0, 0, 0));
}

#[test]
fn a_new_file_can_be_delegated_to_its_creator() {
    let (mut sim, mut one, _) = two();
    let mode = Fattr::mode(0o444);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(mode.raw())),
        ..opening(3, b"new")
    };
    let reply = open(&mut sim, &mut one, args).all_ok();
    granted(&ok!(reply, Open).delegation, WRITE);
}

#[test]
fn a_client_that_cannot_be_called_back_gets_none() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "deaf");
    make(&mut sim, &mut client, b"f");
    let reply = open(&mut sim, &mut client, opening(3, b"f")).all_ok();
    assert_eq!(ok!(reply, Open).delegation, OpenDelegation::None);
    let reply = open(&mut sim, &mut client, opening(3 | WANT_ANY, b"f")).all_ok();
    assert_eq!(refused(&reply), RESOURCE);
}

#[test]
fn what_others_have_open_is_delegated_for_no_more_than_goes_together_with_that() {
    // Access and deny of the other, then what can be had beside.
    for (access, deny, read, write) in [
        (1, 0, true, false),
        (2, 0, false, false),
        (3, 0, false, false),
        (2, 1, false, false),
        // A client that may not open the file for writing gets a read delegation.
        (1, 2, true, true),
    ] {
        for (want, can) in [(WANT_READ, read), (WANT_WRITE, write)] {
            let (mut sim, mut one, mut two) = two();
            let args = args::Open {
                share_deny: deny,
                ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | access, b"f")
            };
            open(&mut sim, &mut one, args).all_ok();
            // For what is not denied, so that the open itself succeeds.
            let own = match (deny, want) {
                (1, _) => 2,
                (0, WANT_WRITE) => 3,
                _ => 1,
            };
            let want = want
                | OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL
                | OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED;
            let reply = open(&mut sim, &mut two, opening(own | want, b"f")).all_ok();
            if can {
                granted(&ok!(reply, Open).delegation, READ);
            } else {
                assert_eq!(refused(&reply), CONTENTION, "{access} {deny} {want:#x}");
            }
            assert!(sim.take_callbacks().is_empty());
        }
    }
}

#[test]
fn many_may_have_a_file_for_reading() {
    let (mut sim, mut one, mut two) = two();
    delegated(&mut sim, &mut one, 1, b"f", READ);
    delegated(&mut sim, &mut two, 1, b"f", READ);
    assert_eq!(counts(&sim), (2, 0, 0));
    assert!(sim.take_callbacks().is_empty());
    sim.assert_nothing_is_left();
}

#[test]
fn a_delegation_is_given_once_and_made_one_for_writing_where_that_is_asked() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    for access in [1 | WANT_READ, 3 | WANT_ANY] {
        let reply = open(&mut sim, &mut one, opening(access, b"f")).all_ok();
        assert_eq!(refused(&reply), CONTENTION);
    }
    let reply = open(&mut sim, &mut one, opening(3, b"f")).all_ok();
    assert_eq!(ok!(reply, Open).delegation, OpenDelegation::None);

    let reply = open(&mut sim, &mut one, opening(3 | WANT_WRITE, b"f")).all_ok();
    let better = granted(&ok!(reply, Open).delegation, WRITE);
    let same = Stateid {
        seqid: 2,
        ..held.delegation
    };
    assert_eq!(better, same);
    assert_eq!(counts(&sim), (0, 1, 0));
    assert_last(
        &give_back(&mut sim, &mut one, &held),
        Op::DelegReturn,
        Status::OLD_STATEID,
    );

    let reply = open(&mut sim, &mut one, opening(1 | WANT_READ, b"f")).all_ok();
    let why = NoDelegation::WhyNone(WND4_NOT_SUPP_DOWNGRADE);
    assert_eq!(refused(&reply), why);
    let held = Held {
        delegation: better,
        ..held
    };
    let reply = open(&mut sim, &mut two, opening(1, b"f"));
    assert_last(&reply, Op::Open, Status::DELAY);
    comes_back(&mut sim, &mut one, &held);
}

#[test]
fn a_read_delegation_is_not_upgraded_while_others_have_the_file_open() {
    let (mut sim, mut one, mut two) = two();
    delegated(&mut sim, &mut one, 1, b"f", READ);
    delegated(&mut sim, &mut two, 1, b"f", READ);
    let reply = open(&mut sim, &mut one, opening(1 | WANT_WRITE, b"f")).all_ok();
    assert_eq!(refused(&reply), CONTENTION);
    assert_eq!(counts(&sim), (2, 0, 0));
}

#[test]
fn what_cannot_be_written_is_not_delegated_for_writing() {
    // The same files twice.
    let files = RefCell::new(None);
    let rules = |export: &mut Export| {
        let mut files = files.borrow_mut();
        let first = files.get_or_insert_with(|| Arc::clone(&export.backend));
        export.read_only = export.path == "/ro";
        if export.read_only {
            export.backend = Arc::new(Mirror(Arc::clone(first)));
        }
    };
    let mut sim = Sim::serving(&["/rw", "/ro"], rules);
    let mut client = reachable(&mut sim, "a");
    let named = |objname| args::Lookup { objname };
    let attrs = Fattr::mode(0o666);
    let create = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
        ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 3, b"f")
    };
    client
        .call(&mut sim, |c| {
            c.putrootfh().lookup(named(b"rw")).open(create)
        })
        .all_ok();
    let args = opening(1 | WANT_WRITE, b"f");
    let reply = client.call(&mut sim, |c| c.putrootfh().lookup(named(b"ro")).open(args));
    granted(&ok!(reply.all_ok(), Open).delegation, READ);
}

/// The files of another file system; that they are the same the engine cannot know.
struct Mirror(Arc<dyn Backend>);

impl Backend for Mirror {
    fn root(&self) -> FsHandle {
        self.0.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        self.0.submit(request, pending)
    }

    fn release(&self, fh: FsHandle) {
        self.0.release(fh);
    }
}

#[test]
fn a_write_delegation_has_the_openers_rights_and_the_space_limit() {
    let (mut sim, mut one, _) = two();
    let reply = open(&mut sim, &mut one, opening(3, b"f")).all_ok();
    let OpenDelegation::Write(write) = ok!(reply, Open).delegation else {
        panic!("{reply:?}");
    };
    assert!(!write.recall);
    // Nothing is written yet: the seven bytes are a hole.
    assert_eq!(write.space_limit, SpaceLimit::Size(0));
    assert_eq!(write.permissions.who, b"1000");
    let mask = ACE4_READ_DATA | ACE4_WRITE_DATA | ACE4_APPEND_DATA;
    assert_eq!(write.permissions.access_mask, mask);
}

#[test]
fn only_its_client_can_give_a_delegation_back_and_only_once() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    let reply = give_back(&mut sim, &mut two, &held);
    assert_last(&reply, Op::DelegReturn, Status::BAD_STATEID);
    let opened = Held {
        delegation: held.open,
        ..held.clone()
    };
    let reply = give_back(&mut sim, &mut one, &opened);
    assert_last(&reply, Op::DelegReturn, Status::BAD_STATEID);
    make(&mut sim, &mut one, b"g");
    let other = delegated(&mut sim, &mut one, 1, b"g", READ);
    let crossed = Held {
        fh: other.fh,
        ..held.clone()
    };
    let reply = give_back(&mut sim, &mut one, &crossed);
    assert_last(&reply, Op::DelegReturn, Status::BAD_STATEID);
    assert_eq!(counts(&sim), (2, 0, 0));
    give_back(&mut sim, &mut one, &held).all_ok();
    let reply = give_back(&mut sim, &mut one, &held);
    assert_last(&reply, Op::DelegReturn, Status::BAD_STATEID);
    assert_eq!(counts(&sim), (1, 0, 0));
    // What is open stays open.
    close(&mut sim, &mut one, &held.fh, held.open);
}

#[test]
fn a_client_is_known_by_how_much_is_delegated_to_it() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    let seen = |sim: &Sim| -> Vec<u32> {
        let page = sim.engine().clients(sim.clock(), Default::default(), 10);
        page.items.iter().map(|client| client.delegations).collect()
    };
    assert_eq!(seen(&sim), [1, 0]);
    give_back(&mut sim, &mut one, &held).all_ok();
    assert_eq!(seen(&sim), [0, 0]);
}
