//! How a client of minor version 0 is identified, and for how long.
//! [RFC 7530 §9.1.1, §9.5, §16.33, §16.34]

use std::time::Duration;

use nfs4_engine::fs::{FsOp, FsRequest};
use nfs4_engine::{Admin, ConnId};
use nfs4_proto::nfs4::args::{self, CreateType, GetAttr};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{ClientId, LockType, Stateid, Verifier};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, OpNum, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fattr, Pace, Sim};

#[test]
fn putfh_and_getattr_need_no_client() {
    let mut sim = Sim::new();
    let client = Client40::stranger(&mut sim, "a");
    let root = client.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
    let object = ok!(root, GetFh).object.to_vec();
    let attrs = GetAttr {
        attr_request: Bitmap::of(&[num::SUPPORTED_ATTRS, num::LEASE_TIME]),
    };
    let reply = client.on(&mut sim, &object, |c| c.getattr(attrs)).all_ok();
    assert_eq!(ok!(reply, GetAttr).obj_attributes.mask, attrs.attr_request);
    assert_eq!(sim.tables().clients, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn attributes_of_later_versions_are_not_there() {
    let mut sim = Sim::new();
    let client = Client40::stranger(&mut sim, "a");
    let later = Bitmap::of(&[num::SUPPATTR_EXCLCREAT, num::CHANGE_ATTR_TYPE]);
    let attrs = GetAttr {
        attr_request: later,
    };
    let reply = client
        .call(&mut sim, |c| c.putrootfh().getattr(attrs))
        .all_ok();
    let none = Bitmap::default();
    assert_eq!(ok!(reply, GetAttr).obj_attributes.mask, none);
}

#[test]
fn setclientid_and_its_confirmation_make_a_client() {
    let mut sim = Sim::new();
    let mut client = Client40::stranger(&mut sim, "a");
    client.introduce(&mut sim).all_ok();
    assert_ne!(client.confirm, Verifier::default());
    let reply = client.renew(&mut sim);
    assert!(
        reply.is_only(Op::Renew, Status::STALE_CLIENTID),
        "unconfirmed"
    );
    client.confirm(&mut sim).all_ok();
    // Also when the client did not hear of it.
    client.confirm(&mut sim).all_ok();
    client.renew(&mut sim).all_ok();
    let wrong = Client40 {
        confirm: Verifier(*b"nonsense"),
        ..client.clone()
    };
    let reply = wrong.confirm(&mut sim);
    assert!(reply.is_only(Op::SetClientIdConfirm, Status::STALE_CLIENTID));
    assert_eq!(sim.tables().clients, 1);
    sim.assert_nothing_is_left();
}

#[test]
fn the_same_incarnation_can_tell_where_it_listens_now() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    let (id, confirm) = (client.id, client.confirm);
    client.introduce(&mut sim).all_ok();
    assert_eq!(client.id, id);
    assert_ne!(client.confirm, confirm);
    client.confirm(&mut sim).all_ok();
    let close = client.close_args(b"o", &file);
    client.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_reboot_takes_everything_when_it_is_confirmed_and_not_before() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    let old = client.clone();
    client.reboot();
    client.introduce(&mut sim).all_ok();
    assert_ne!(client.id, old.id);
    let first = client.clone();
    // Once more: the unconfirmed record is replaced.
    client.introduce(&mut sim).all_ok();
    assert_ne!((client.id, client.confirm), (first.id, first.confirm));
    let reply = first.confirm(&mut sim);
    assert!(reply.is_only(Op::SetClientIdConfirm, Status::STALE_CLIENTID));
    old.renew(&mut sim).all_ok();
    assert_eq!(sim.tables().opens, 1);
    client.confirm(&mut sim).all_ok();
    assert_eq!(sim.tables().opens, 0);
    let reply = old.renew(&mut sim);
    assert!(reply.is_only(Op::Renew, Status::STALE_CLIENTID));
    let close = old.clone().close_args(b"o", &file);
    let reply = old.on(&mut sim, &file.fh, |c| c.close(close));
    assert_eq!(reply.last(), (Op::Close, Status::EXPIRED));
    sim.assert_nothing_is_left();
}

#[test]
fn a_name_in_use_is_not_given_to_another_user() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let mut thief = Client40::stranger(&mut sim, "a");
    thief.uid = 7;
    let file = client.open(&mut sim, b"o", b"f");
    let reply = thief.introduce(&mut sim);
    assert!(reply.is_only(Op::SetClientId, Status::CLID_INUSE));
    let close = client.close_args(b"o", &file);
    client.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
    // One that holds nothing gives way.
    thief.mount(&mut sim);
    let reply = client.renew(&mut sim);
    assert!(reply.is_only(Op::Renew, Status::STALE_CLIENTID));
    // Nor may another user confirm.
    let mut third = Client40::stranger(&mut sim, "b");
    third.introduce(&mut sim).all_ok();
    third.uid = 8;
    let reply = third.confirm(&mut sim);
    assert!(reply.is_only(Op::SetClientIdConfirm, Status::CLID_INUSE));
}

#[test]
fn every_state_operation_renews_and_silence_ends_it() {
    let mut sim = Sim::without_courtesy();
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    let lease = sim.settings().lease;
    let read = args::Read {
        stateid: file.stateid,
        offset: 0,
        count: 1,
    };
    for round in 0..4 {
        sim.sleep(lease - Duration::from_secs(1));
        match round % 2 {
            0 => client.renew(&mut sim).all_ok(),
            _ => client.on(&mut sim, &file.fh, |c| c.read(read)).all_ok(),
        };
    }
    // A special stateid belongs to no client.
    sim.sleep(lease - Duration::from_secs(1));
    let anybody = args::Read {
        stateid: Stateid::ANONYMOUS,
        ..read
    };
    client.on(&mut sim, &file.fh, |c| c.read(anybody)).all_ok();
    sim.sleep(Duration::from_secs(2));
    let reply = client.on(&mut sim, &file.fh, |c| c.read(read));
    assert_eq!(reply.last(), (Op::Read, Status::EXPIRED));
    let reply = client.renew(&mut sim);
    assert!(reply.is_only(Op::Renew, Status::EXPIRED));
    assert_eq!(sim.tables().opens, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn the_clock_ends_a_lease_before_a_timer_does() {
    let mut sim = Sim::without_courtesy();
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    let lease = sim.settings().lease;
    sim.jump(lease + Duration::from_secs(1));
    let close = client.close_args(b"o", &file);
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close));
    assert_eq!(reply.last(), (Op::Close, Status::EXPIRED));
    let reply = client.renew(&mut sim);
    assert!(reply.is_only(Op::Renew, Status::EXPIRED));
}

#[test]
fn a_client_id_of_another_boot_is_stale() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    client.id = ClientId(client.id.0 ^ 1 << 40);
    let reply = client.renew(&mut sim);
    assert!(reply.is_only(Op::Renew, Status::STALE_CLIENTID));
    let open = client.open_args(b"o", b"f");
    let reply = client.call(&mut sim, |c| c.putrootfh().open(open));
    assert_eq!(reply.last(), (Op::Open, Status::STALE_CLIENTID));
}

#[test]
fn a_client_that_goes_over_to_4_1_is_another() {
    let mut sim = Sim::new();
    let mut before = Client40::mounted(&mut sim, "a");
    let file = before.open(&mut sim, b"o", b"f");
    let mut after = Client::mounted(&mut sim, "a");
    assert_ne!(before.id, after.id);
    assert_eq!(sim.tables().clients, 2);
    // Neither speaks for the other.
    let stranger = Client40 {
        id: after.id,
        ..before.clone()
    };
    let reply = stranger.renew(&mut sim);
    assert!(reply.is_only(Op::Renew, Status::STALE_CLIENTID));
    let close = args::Close {
        seqid: 0,
        open_stateid: file.stateid,
    };
    let put = args::PutFh { object: &file.fh };
    let reply = after.call(&mut sim, |c| c.putfh(put).close(close));
    assert_eq!(reply.last(), (Op::Close, Status::BAD_STATEID));
    let destroy = args::DestroyClientId {
        clientid: before.id,
    };
    let reply = after.bare(&mut sim, |c| c.destroy_clientid(destroy));
    assert!(reply.is_only(Op::DestroyClientId, Status::STALE_CLIENTID));
    let create = args::CreateSession {
        clientid: before.id,
        sequence: 1,
        ..after.session_args()
    };
    let reply = after.bare(&mut sim, |c| c.create_session(create));
    assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    before.renew(&mut sim).all_ok();
    let pages = sim
        .engine()
        .clients(sim.clock(), Default::default(), 10)
        .items;
    let minors: Vec<u32> = pages.iter().map(|client| client.minor).collect();
    assert_eq!(minors, [0, 1]);
    sim.assert_nothing_is_left();
}

#[test]
fn every_range_of_minor_versions_serves_what_is_in_it() {
    for min in 0..=2 {
        for max in min..=2 {
            let config = Sim::config().with(|config| {
                config.min_minor_version = min;
                config.max_minor_version = max;
            });
            let mut sim = Sim::with(config);
            let v40 = Client40::stranger(&mut sim, "a");
            let mut later = Client::stranger(&mut sim, "a");
            for minor in 0..=3 {
                let reply = if minor == 0 {
                    v40.call(&mut sim, |c| c.putrootfh())
                } else {
                    later.minor = minor;
                    later.exchange_id(&mut sim)
                };
                let served = (min..=max).contains(&minor);
                let wanted = if served {
                    Status::OK
                } else {
                    Status::MINOR_VERS_MISMATCH
                };
                assert_eq!(reply.status(), wanted, "{minor} in {min} to {max}");
                assert_eq!(reply.statuses().is_empty(), !served);
            }
        }
    }
}

#[test]
fn operations_of_later_versions_are_illegal_and_unknown_ones_too() {
    let mut sim = Sim::new();
    let client = Client40::stranger(&mut sim, "a");
    let nothing: &[u8] = &[];
    for op in Op::ALL.iter().filter(|op| op.first_minor() > 0) {
        let reply = client.call(&mut sim, |c| c.putrootfh().raw(op.number(), nothing));
        assert_eq!(reply.last(), (Op::Illegal, Status::OP_ILLEGAL), "{op}");
    }
    for number in [0, 2, 999, u32::MAX] {
        let reply = client.call(&mut sim, |c| c.raw(OpNum(number), nothing));
        assert!(reply.is_only(Op::Illegal, Status::OP_ILLEGAL));
    }
    let open_attr = args::OpenAttr { createdir: false };
    let reply = client.call(&mut sim, |c| c.putrootfh().openattr(open_attr));
    assert_eq!(reply.last(), (Op::OpenAttr, Status::NOTSUPP));
}

#[test]
fn blocked_operations_are_not_supported() {
    let config =
        Sim::config().with(|config| config.blocked_operations = vec![Op::SetClientId, Op::GetFh]);
    let mut sim = Sim::with(config);
    let mut client = Client40::stranger(&mut sim, "a");
    let reply = client.introduce(&mut sim);
    assert!(reply.is_only(Op::SetClientId, Status::NOTSUPP));
    let reply = client.call(&mut sim, |c| c.putrootfh().getfh());
    assert_eq!(
        reply.statuses(),
        [(Op::PutRootFh, Status::OK), (Op::GetFh, Status::NOTSUPP)]
    );
}

#[test]
fn a_draining_connection_delays_the_first_operation() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let open = client.open_args(b"o", b"f");
    let record = client.record(sim.xid(), |c| c.putrootfh().open(open));
    sim.send(client.conn, record);
    sim.settle();
    sim.admin(Admin::Drain { conn: client.conn });
    let reply = client.call(&mut sim, |c| c.putrootfh().getfh());
    assert!(reply.is_only(Op::PutRootFh, Status::DELAY));
    // RENEW may not answer that, and does no work to speak of. [RFC 7530 §13.2]
    client.renew(&mut sim).all_ok();
    // What had begun is finished.
    sim.complete_all();
    let replies = sim.take_replies();
    let last = replies.last().expect("it was answered");
    assert_eq!(last.status(), Status::OK);
    client.conn = sim.connect();
    client.renew(&mut sim).all_ok();
    let _: ConnId = client.conn;
    sim.assert_nothing_is_left();
}

#[test]
fn the_saved_filehandle_and_the_flavours_keep_to_the_old_rules() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    client.open(&mut sim, b"o", b"f");
    let reply = client.call(&mut sim, |c| c.restorefh());
    assert!(reply.is_only(Op::RestoreFh, Status::RESTOREFH));
    let named = args::SecInfo { name: b"f" };
    // The filehandle stays.
    let reply = client.call(&mut sim, |c| c.putrootfh().secinfo(named).getfh());
    reply.all_ok();
}

#[test]
fn too_many_operations_are_too_much_work() {
    let mut sim = Sim::new();
    let client = Client40::stranger(&mut sim, "a");
    let most = sim.settings().max_operations as usize;
    let many = |count: usize| {
        move |c: &mut nfs4_proto::client::CompoundBuilder| {
            for _ in 0..count {
                c.putrootfh();
            }
        }
    };
    let record = |sim: &mut Sim, count| {
        client.record(sim.xid(), |c| {
            many(count)(c);
            c
        })
    };
    let fits = record(&mut sim, most);
    sim.exchange(client.conn, fits).all_ok();
    let more = record(&mut sim, most + 1);
    let reply = sim.exchange(client.conn, more);
    assert_eq!(reply.last(), (Op::PutRootFh, Status::RESOURCE));
    assert_eq!(reply.statuses().len(), most + 1);
}

/// Looking for a GETATTR among more operations than are executed would take as long as the record is.
#[test]
fn a_lookup_gets_no_attributes_for_a_getattr_beyond_the_maximum_of_operations() {
    let mut sim = Sim::new();
    let client = Client40::stranger(&mut sim, "a");
    let most = sim.settings().max_operations as usize;
    sim.set_pace(Pace::Held);
    for (handles, is_executed) in [(most - 3, true), (most - 2, false), (100_000, false)] {
        let record = client.record(sim.xid(), |c| {
            c.putrootfh().lookup(args::Lookup { objname: b"f" });
            for _ in 0..handles {
                c.getfh();
            }
            let attr_request = Bitmap::of(&[num::SIZE]);
            c.getattr(GetAttr { attr_request })
        });
        sim.send(client.conn, record);
        sim.run();
        let held = sim.held();
        let [
            FsRequest {
                op: FsOp::Lookup { want, .. },
                ..
            },
        ] = held.as_slice()
        else {
            panic!("{} requests", held.len());
        };
        assert_eq!(want.attrs, is_executed, "{handles}");
        sim.complete(0);
        sim.run();
    }
}

#[test]
fn what_is_no_file_is_refused_in_the_words_of_the_old_lists() {
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    for (objname, objtype, put) in [
        (&b"link"[..], CreateType::Symlink(b"target"), Status::INVAL),
        (b"fifo", CreateType::Fifo, Status::INVAL),
        (b"dir", CreateType::Directory, Status::ISDIR),
    ] {
        let create = args::Create {
            objtype,
            objname,
            createattrs: FattrRaw::EMPTY,
        };
        let reply = client
            .call(&mut sim, |c| c.putrootfh().create(create).getfh())
            .all_ok();
        let fh = ok!(reply, GetFh).object.to_vec();
        let size = Fattr::size(0);
        let set = args::SetAttr {
            stateid: Stateid::ANONYMOUS,
            obj_attributes: size.raw(),
        };
        let reply = client.on(&mut sim, &fh, |c| c.setattr(set));
        assert_eq!(reply.last(), (Op::SetAttr, put));
        // Only what makes sense is said to be supported.
        let access = args::Access { access: 0x3f };
        let reply = client.on(&mut sim, &fh, |c| c.access(access)).all_ok();
        let meant = if objname == b"dir" { 0x1f } else { 0x2d };
        assert_eq!(ok!(reply, Access).supported, meant);
        let test = args::LockT {
            locktype: LockType::Read,
            offset: 0,
            length: 1,
            owner: client.owner(b"l"),
        };
        let reply = client.on(&mut sim, &fh, |c| c.lockt(test));
        assert_eq!(reply.last(), (Op::LockT, put));
        let read = args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count: 1,
        };
        let reply = client.on(&mut sim, &fh, |c| c.read(read));
        let links = if objname == b"link" {
            Status::SYMLINK
        } else {
            put
        };
        assert_eq!(reply.last(), (Op::Read, links));
    }
}
