//! What a client does by virtue of a delegation. [RFC 8881 §9.1.2, §10.4.4]

use nfs4_proto::nfs4::args::OpenClaim;
use nfs4_proto::nfs4::basic::{DelegationType, StableHow};

use super::*;

/// The user that makes the files, and another user of the same client.
const OWNER: u32 = 1000;
const STRANGER: u32 = 2000;

fn claiming<'a>(access: u32, claim: OpenClaim<'a>) -> args::Open<'a> {
    args::Open {
        claim,
        ..opening(access, b"")
    }
}

/// OPEN by a handle.
fn open_fh(sim: &mut Sim, client: &mut Client, fh: &[u8], args: args::Open<'_>) -> Reply {
    client.call(sim, |c| {
        c.putfh(args::PutFh { object: fh }).open(args).getfh()
    })
}

fn write(sim: &mut Sim, client: &mut Client, held: &Held, stateid: Stateid) -> Reply {
    let args = args::Write {
        stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"0123456789",
    };
    client.call(sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).write(args)
    })
}

fn read(sim: &mut Sim, client: &mut Client, held: &Held, stateid: Stateid) -> Reply {
    let args = args::Read {
        stateid,
        offset: 0,
        count: 100,
    };
    client.call(sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).read(args)
    })
}

#[test]
fn a_delegation_stateid_reads_and_writes_as_its_kind_allows() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    close(&mut sim, &mut one, &held.fh, held.open);
    write(&mut sim, &mut one, &held, held.delegation).all_ok();
    let reply = read(&mut sim, &mut one, &held, held.delegation).all_ok();
    assert_eq!(ok!(reply, Read).data, b"0123456789");
    let cut = Fattr::size(3);
    let args = args::SetAttr {
        stateid: held.delegation,
        obj_attributes: cut.raw(),
    };
    one.call(&mut sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).setattr(args)
    })
    .all_ok();
    give_back(&mut sim, &mut one, &held).all_ok();
    let reply = read(&mut sim, &mut one, &held, held.delegation);
    assert_last(&reply, Op::Read, Status::BAD_STATEID);
    sim.assert_nothing_is_left();
}

#[test]
fn a_read_delegation_stateid_does_not_write() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    read(&mut sim, &mut one, &held, held.delegation).all_ok();
    let reply = write(&mut sim, &mut one, &held, held.delegation);
    assert_last(&reply, Op::Write, Status::OPENMODE);
    let reply = read(&mut sim, &mut two, &held, held.delegation);
    assert_last(&reply, Op::Read, Status::BAD_STATEID);
}

#[test]
fn nor_does_it_open_close_or_lock() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let args = args::Close {
        seqid: 0,
        open_stateid: held.delegation,
    };
    let reply = one.call(&mut sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).close(args)
    });
    assert_last(&reply, Op::Close, Status::BAD_STATEID);
    let args = args::FreeStateid {
        stateid: held.delegation,
    };
    let reply = one.call(&mut sim, |c| c.free_stateid(args));
    assert_last(&reply, Op::FreeStateid, Status::LOCKS_HELD);
}

/// A file whose mode lets in only its owner, and the state of that owner: a delegation for writing,
/// granted for an OPEN of this access.
fn shut(sim: &mut Sim, one: &mut Client, access: u32) -> Held {
    let wish = nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG;
    let held = delegated(sim, one, access | wish, b"f", WRITE);
    let attrs = Fattr::mode(0o000);
    let args = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: attrs.raw(),
    };
    one.call(sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).setattr(args)
    })
    .all_ok();
    held
}

fn cut(sim: &mut Sim, client: &mut Client, held: &Held, stateid: Stateid) -> Reply {
    let size = Fattr::size(3);
    let args = args::SetAttr {
        stateid,
        obj_attributes: size.raw(),
    };
    client.call(sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).setattr(args)
    })
}

#[test]
fn a_stateid_of_a_delegation_or_of_an_open_is_no_password() {
    let (mut sim, mut one, _) = two();
    let held = shut(&mut sim, &mut one, 3);
    for stateid in [held.delegation, held.open] {
        for (user, status) in [(STRANGER, Status::ACCESS), (OWNER, Status::OK)] {
            one.uid = user;
            assert_eq!(read(&mut sim, &mut one, &held, stateid).status(), status);
            assert_eq!(write(&mut sim, &mut one, &held, stateid).status(), status);
            assert_eq!(cut(&mut sim, &mut one, &held, stateid).status(), status);
        }
    }
}

#[test]
fn nor_does_it_open_files_for_another_user_than_the_one_that_was_let_in() {
    type Claim = fn(Stateid) -> OpenClaim<'static>;
    let claims: [(bool, Claim); 2] = [
        (false, OpenClaim::DelegCurFh),
        (true, |delegate_stateid| OpenClaim::DelegateCur {
            delegate_stateid,
            file: b"f",
        }),
    ];
    for (by_name, claim) in claims {
        for access in [1, 2, 3] {
            let (mut sim, mut one, _) = two();
            let held = shut(&mut sim, &mut one, 3);
            let root = one.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
            let at = if by_name {
                handle(&root)
            } else {
                held.fh.clone()
            };
            one.uid = STRANGER;
            let args = claiming(access, claim(held.delegation));
            let reply = open_fh(&mut sim, &mut one, &at, args);
            assert_last(&reply, Op::Open, Status::ACCESS);
            one.uid = OWNER;
            open_fh(&mut sim, &mut one, &at, args).all_ok();
        }
    }
}

#[test]
fn each_user_of_an_open_is_let_in_for_what_it_was_looked_at() {
    let (mut sim, mut one, _) = two();
    let mode = Fattr::mode(0o644);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(mode.raw())),
        ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 3, b"shared")
    };
    let reply = open(&mut sim, &mut one, args).all_ok();
    let (fh, first) = (handle(&reply), ok!(reply, Open).stateid);
    close(&mut sim, &mut one, &fh, first);
    // Another user opens it for reading, and its owner under the same name for writing.
    let quiet = OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
    one.uid = STRANGER;
    open(&mut sim, &mut one, opening(quiet | 1, b"shared")).all_ok();
    one.uid = OWNER;
    let reply = open(&mut sim, &mut one, opening(quiet | 2, b"shared")).all_ok();
    let held = Held {
        fh,
        open: ok!(reply, Open).stateid,
        delegation: Stateid::ANONYMOUS,
    };
    one.uid = STRANGER;
    read(&mut sim, &mut one, &held, held.open).all_ok();
    let reply = write(&mut sim, &mut one, &held, held.open);
    assert_last(&reply, Op::Write, Status::ACCESS);
}

#[test]
fn an_upgraded_delegation_has_the_rights_of_its_new_user() {
    use nfs4_proto::nfs4::consts::{
        OPEN4_SHARE_ACCESS_WANT_READ_DELEG, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
    };
    let (mut sim, mut one, _) = two();
    // Other users may write and not read.
    let attrs = Fattr::mode(0o602);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
        ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 3, b"box")
    };
    let reply = open(&mut sim, &mut one, args).all_ok();
    close(
        &mut sim,
        &mut one,
        &handle(&reply),
        ok!(reply, Open).stateid,
    );
    let want = OPEN4_SHARE_ACCESS_WANT_READ_DELEG;
    delegated(&mut sim, &mut one, 1 | want, b"box", READ);
    one.uid = STRANGER;
    let want = OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG;
    let held = delegated(&mut sim, &mut one, 2 | want, b"box", WRITE);
    write(&mut sim, &mut one, &held, held.delegation).all_ok();
    let reply = read(&mut sim, &mut one, &held, held.delegation);
    assert_last(&reply, Op::Read, Status::ACCESS);
}

#[test]
fn rights_that_were_not_checked_are_by_its_stateid() {
    let (mut sim, mut one, _) = two();
    make(&mut sim, &mut one, b"w");
    // Opened for writing only.
    let wish = nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG;
    one.uid = STRANGER;
    let held = delegated(&mut sim, &mut one, 2 | wish, b"w", WRITE);
    one.uid = OWNER;
    let attrs = Fattr::mode(0o602);
    let args = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: attrs.raw(),
    };
    one.call(&mut sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).setattr(args)
    })
    .all_ok();
    one.uid = STRANGER;
    write(&mut sim, &mut one, &held, held.delegation).all_ok();
    let reply = read(&mut sim, &mut one, &held, held.delegation);
    assert_last(&reply, Op::Read, Status::ACCESS);
}

#[test]
fn what_is_open_by_a_delegation_is_opened_at_the_server_before_it_goes_back() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    close(&mut sim, &mut one, &held.fh, held.open);
    let quiet = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 1, b"f");
    let reply = open(&mut sim, &mut two, quiet);
    assert_last(&reply, Op::Open, Status::DELAY);
    let callback = called(&mut sim);
    assert_eq!(recall(&callback).stateid, held.delegation);
    sim.send(callback.conn, callback.ok());
    sim.settle();

    let claim = OpenClaim::DelegCurFh(held.delegation);
    let by_handle = args::Open {
        owner: nfs4_proto::nfs4::basic::Owner {
            clientid: one.id,
            owner: b"first",
        },
        ..claiming(2, claim)
    };
    let first = open_fh(&mut sim, &mut one, &held.fh, by_handle).all_ok();
    assert_eq!(ok!(first, Open).delegation, OpenDelegation::None);
    let claim = OpenClaim::DelegateCur {
        delegate_stateid: held.delegation,
        file: b"f",
    };
    let by_name = args::Open {
        share_deny: 1,
        ..claiming(3, claim)
    };
    let root = one.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
    let second = open_fh(&mut sim, &mut one, &handle(&root), by_name).all_ok();
    assert_eq!(handle(&second), held.fh);
    write(&mut sim, &mut one, &held, ok!(first, Open).stateid).all_ok();
    give_back(&mut sim, &mut one, &held).all_ok();

    // Now they count: the other is told so.
    let reply = open(&mut sim, &mut two, quiet);
    assert_last(&reply, Op::Open, Status::SHARE_DENIED);
    assert!(sim.take_callbacks().is_empty());
    sim.assert_nothing_is_left();
}

#[test]
fn a_user_once_let_in_opens_again_after_a_change_of_mode() {
    let (mut sim, mut one, _) = two();
    let mode = Fattr::mode(0o444);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(mode.raw())),
        ..opening(3, b"readonly")
    };
    let reply = open(&mut sim, &mut one, args).all_ok();
    let fh = handle(&reply);
    let delegation = granted(&ok!(reply, Open).delegation, WRITE);
    let reply = open_fh(&mut sim, &mut one, &fh, claiming(3, OpenClaim::Fh));
    assert_last(&reply, Op::Open, Status::ACCESS);
    let claim = OpenClaim::DelegCurFh(delegation);
    open_fh(&mut sim, &mut one, &fh, claiming(3, claim)).all_ok();
}

#[test]
fn a_claim_must_be_of_a_delegation_of_its_own_and_of_this_file() {
    let (mut sim, mut one, mut two) = two();
    make(&mut sim, &mut one, b"g");
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    let other = delegated(&mut sim, &mut one, 1, b"g", READ);
    let claim = OpenClaim::DelegCurFh(held.delegation);
    let files = sim.fs().held();
    let reply = open_fh(&mut sim, &mut two, &held.fh, claiming(1, claim));
    assert_last(&reply, Op::Open, Status::BAD_STATEID);
    for (fh, stateid) in [
        (&other.fh, held.delegation),
        (&held.fh, held.open),
        (&held.fh, Stateid::ANONYMOUS),
    ] {
        let claim = claiming(1, OpenClaim::DelegCurFh(stateid));
        let reply = open_fh(&mut sim, &mut one, fh, claim);
        assert_last(&reply, Op::Open, Status::BAD_STATEID);
    }
    let claim = OpenClaim::DelegateCur {
        delegate_stateid: held.delegation,
        file: b"g",
    };
    let reply = open(&mut sim, &mut one, claiming(1, claim));
    assert_last(&reply, Op::Open, Status::BAD_STATEID);
    assert_eq!(sim.fs().held(), files);
}

#[test]
fn nothing_outlives_a_restart_of_server_or_client() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    for (claim, status) in [
        (OpenClaim::Previous(DelegationType::Read), Status::NO_GRACE),
        (OpenClaim::DelegPrevFh, Status::NOTSUPP),
        (OpenClaim::DelegatePrev(b"f"), Status::NOTSUPP),
    ] {
        let reply = open_fh(&mut sim, &mut one, &held.fh, claiming(1, claim));
        assert_last(&reply, Op::Open, status);
    }
    let args = args::DelegPurge {
        clientid: Default::default(),
    };
    let reply = one.call(&mut sim, |c| c.delegpurge(args));
    assert_last(&reply, Op::DelegPurge, Status::NOTSUPP);
}

#[test]
fn what_claims_a_delegation_makes_no_file() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    make(&mut sim, &mut one, b"another");
    let attrs = nfs4_proto::nfs4::FattrRaw::EMPTY;
    let verf = nfs4_proto::nfs4::Verifier(*b"verifier");
    let empty = Fattr::size(0);
    for (name, how, expected) in [
        (&b"new"[..], CreateHow::Unchecked(attrs), Status::NOENT),
        (b"new", CreateHow::Guarded(attrs), Status::NOENT),
        (b"new", CreateHow::Exclusive(verf), Status::NOENT),
        (
            b"new",
            CreateHow::Exclusive41 { verf, attrs },
            Status::NOENT,
        ),
        (b"another", CreateHow::Unchecked(attrs), Status::BAD_STATEID),
        (
            b"another",
            CreateHow::Unchecked(empty.raw()),
            Status::BAD_STATEID,
        ),
        (b"f", CreateHow::Guarded(attrs), Status::EXIST),
        (b"f", CreateHow::Exclusive(verf), Status::EXIST),
        (b"f", CreateHow::Unchecked(attrs), Status::OK),
        (b"f", CreateHow::Unchecked(empty.raw()), Status::OK),
    ] {
        let claim = OpenClaim::DelegateCur {
            delegate_stateid: held.delegation,
            file: name,
        };
        let args = args::Open {
            openhow: OpenFlag::Create(how),
            ..claiming(3, claim)
        };
        let reply = open(&mut sim, &mut one, args);
        if expected == Status::OK {
            reply.all_ok();
        } else {
            assert_last(&reply, Op::Open, expected);
        }
        let look = args::Lookup { objname: b"new" };
        let reply = one.call(&mut sim, |c| c.putrootfh().lookup(look));
        assert_last(&reply, Op::Lookup, Status::NOENT);
        let size = args::GetAttr {
            attr_request: nfs4_proto::nfs4::Bitmap::of(&[nfs4_proto::nfs4::attr::num::SIZE]),
        };
        let look = args::Lookup {
            objname: b"another",
        };
        let reply = one
            .call(&mut sim, |c| c.putrootfh().lookup(look).getattr(size))
            .all_ok();
        let values = ok!(reply, GetAttr).obj_attributes.values;
        assert_eq!(values, 7_u64.to_be_bytes(), "it is not cut");
    }
    assert_eq!((sim.tables().opens, sim.fs().held()), (1, 1));
}
