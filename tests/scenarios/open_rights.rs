//! By which rights a file is opened, cut, and kept from others. [RFC 8881 §6.3.1, §18.16]

use nfs4_proto::nfs4::args::{self, CreateHow, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{StableHow, Stateid, Verifier};
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fattr, Reply, Sim, open_args};

/// A user, as a client of minor version 1 of its own.
fn user(sim: &mut Sim, uid: u32) -> Client {
    let conn = sim.connect();
    let mut client = Client::on(conn, &format!("user {uid} on {conn}"));
    client.uid = uid;
    client.mount(sim);
    client
}

/// OPEN without a delegation.
fn opening(name: &[u8], access: u32, deny: u32) -> args::Open<'_> {
    args::Open {
        share_access: access | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny: deny,
        ..open_args(b"owner", name)
    }
}

fn open(sim: &mut Sim, client: &mut Client, args: args::Open<'_>) -> Reply {
    client.call(sim, |c| c.putrootfh().open(args).getfh())
}

/// Makes a file with this mode that has four bytes in it and is not open; its handle.
#[track_caller]
fn make(sim: &mut Sim, client: &mut Client, name: &[u8], mode: u32) -> Vec<u8> {
    let attrs = Fattr::mode(mode);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
        ..opening(name, 3, 0)
    };
    let write = args::Write {
        stateid: Stateid::CURRENT,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"data",
    };
    let close = args::Close {
        seqid: 0,
        open_stateid: Stateid {
            seqid: 1,
            ..Stateid::CURRENT
        },
    };
    let reply = client
        .call(sim, |c| c.putrootfh().open(args).getfh().write(write))
        .all_ok();
    let (fh, open_stateid) = (ok!(reply, GetFh).object.to_vec(), ok!(reply, Open).stateid);
    let close = args::Close {
        open_stateid,
        ..close
    };
    let put = args::PutFh { object: &fh };
    client.call(sim, |c| c.putfh(put).close(close)).all_ok();
    fh
}

/// Length and change attribute of a file.
#[track_caller]
fn look(sim: &mut Sim, client: &mut Client, fh: &[u8]) -> (u64, u64) {
    let attrs = args::GetAttr {
        attr_request: Bitmap::of(&[num::CHANGE, num::SIZE]),
    };
    let put = args::PutFh { object: fh };
    let reply = client.call(sim, |c| c.putfh(put).getattr(attrs)).all_ok();
    let values = ok!(reply, GetAttr).obj_attributes.values;
    let (change, size) = values.split_at(8);
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    (number(size), number(change))
}

fn mode(sim: &mut Sim, client: &mut Client, name: &[u8]) -> u32 {
    let attrs = args::GetAttr {
        attr_request: Bitmap::of(&[num::MODE]),
    };
    let look = args::Lookup { objname: name };
    let reply = client
        .call(sim, |c| c.putrootfh().lookup(look).getattr(attrs))
        .all_ok();
    let values = ok!(reply, GetAttr).obj_attributes.values;
    u32::from_be_bytes(values.try_into().expect("four bytes"))
}

#[test]
fn an_existing_file_is_cut_only_by_a_user_with_write_permission() {
    let empty = Fattr::size(0);
    for (file, uid, access, allowed) in [
        (0o444, 1000, 1, false),
        (0o644, 1000, 1, true),
        (0o644, 1000, 3, true),
        (0o600, 1000, 2, true),
        (0o400, 1000, 1, false),
        (0o644, 2000, 1, false),
        (0o646, 2000, 1, true),
        (0o466, 1000, 1, false),
        (0o000, 0, 1, true),
    ] {
        let mut sim = Sim::new();
        let mut maker = user(&mut sim, 1000);
        let fh = make(&mut sim, &mut maker, b"f", file);
        let before = look(&mut sim, &mut maker, &fh);
        let mut asker = user(&mut sim, uid);
        let args = args::Open {
            openhow: OpenFlag::Create(CreateHow::Unchecked(empty.raw())),
            ..opening(b"f", access, 0)
        };
        let reply = open(&mut sim, &mut asker, args);
        let after = look(&mut sim, &mut maker, &fh);
        if allowed {
            let reply = reply.all_ok();
            assert_eq!(ok!(reply, Open).attrset, Bitmap::of(&[num::SIZE]));
            assert_eq!(after.0, 0, "{file:o} {uid}");
        } else {
            assert_eq!(reply.last(), (Op::Open, Status::ACCESS), "{file:o} {uid}");
            assert_eq!(after, before, "{file:o} {uid}");
            assert_eq!((sim.tables().opens, sim.fs().held()), (0, 0));
        }
        sim.assert_nothing_is_left();
    }
}

#[test]
fn in_minor_version_0_too() {
    let mut sim = Sim::new();
    let mut maker = user(&mut sim, 1000);
    let fh = make(&mut sim, &mut maker, b"f", 0o444);
    let before = look(&mut sim, &mut maker, &fh);
    let mut client = Client40::mounted(&mut sim, "old");
    let empty = Fattr::size(0);
    let args = args::Open {
        share_access: 1,
        openhow: OpenFlag::Create(CreateHow::Unchecked(empty.raw())),
        ..client.open_args(b"o", b"f")
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().open(args));
    assert_eq!(reply.last(), (Op::Open, Status::ACCESS));
    assert_eq!(look(&mut sim, &mut maker, &fh), before);
    // What the OPEN makes, it opens whatever the mode.
    let read_only = Fattr::new(&nfs4_proto::nfs4::attr::SettableAttrs {
        size: Some(0),
        mode: Some(0o444),
        ..nfs4_proto::nfs4::attr::SettableAttrs::default()
    });
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(read_only.raw())),
        ..client.open_args(b"o", b"new")
    };
    client.call(&mut sim, |c| c.putrootfh().open(args)).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn cutting_an_empty_file_is_a_change_of_it() {
    let mut sim = Sim::new();
    let mut client = user(&mut sim, 1000);
    let fh = make(&mut sim, &mut client, b"f", 0o644);
    let empty = Fattr::size(0);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(empty.raw())),
        ..opening(b"f", 3, 0)
    };
    let times = args::GetAttr {
        attr_request: Bitmap::of(&[num::CHANGE, num::TIME_METADATA, num::TIME_MODIFY]),
    };
    let mut last = None;
    for _ in 0..3 {
        sim.sleep(std::time::Duration::from_secs(1));
        let reply = client
            .call(&mut sim, |c| c.putrootfh().open(args).getattr(times))
            .all_ok();
        assert_eq!(ok!(reply, Open).attrset, Bitmap::of(&[num::SIZE]));
        let values = ok!(reply, GetAttr).obj_attributes.values.to_vec();
        // The change attribute, and two times of twelve bytes: each moves.
        let parts = [0..8, 8..20, 20..32].map(|part| values[part].to_vec());
        if let Some(last) = last.replace(parts.clone()) {
            for (before, now) in std::iter::zip(&last, &parts) {
                assert!(before < now, "{before:?} {now:?}");
            }
        }
        assert_eq!(look(&mut sim, &mut client, &fh).0, 0);
    }
}

#[test]
fn an_exclusive_creation_without_a_mode_lets_in_the_owner_alone() {
    let mut sim = Sim::new();
    let mut client = user(&mut sim, 1000);
    let mut other = user(&mut sim, 2000);
    let verifier = Verifier(*b"verifier");
    let none = FattrRaw::EMPTY;
    let given = Fattr::mode(0o644);
    let hows: [(&[u8], CreateHow<'_>, u32, Bitmap); 3] = [
        (
            b"4",
            CreateHow::Exclusive(verifier),
            0o600,
            Bitmap::default(),
        ),
        (
            b"4_1",
            CreateHow::Exclusive41 {
                verf: verifier,
                attrs: none,
            },
            0o600,
            Bitmap::default(),
        ),
        (
            b"4_1 with a mode",
            CreateHow::Exclusive41 {
                verf: verifier,
                attrs: given.raw(),
            },
            0o644,
            Bitmap::of(&[num::MODE]),
        ),
    ];
    for (name, how, expected, set) in hows {
        let args = args::Open {
            openhow: OpenFlag::Create(how),
            ..opening(name, 3, 0)
        };
        // Twice: sent again it is the same.
        for _ in 0..2 {
            let reply = open(&mut sim, &mut client, args).all_ok();
            assert_eq!(ok!(reply, Open).attrset, set);
            assert_eq!(mode(&mut sim, &mut client, name), expected);
        }
        let reply = open(&mut sim, &mut other, opening(name, 1, 0));
        let status = if expected == 0o600 {
            (Op::Open, Status::ACCESS)
        } else {
            (Op::GetFh, Status::OK)
        };
        assert_eq!(reply.last(), status);
    }
    let mut old = Client40::mounted(&mut sim, "old");
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Exclusive(verifier)),
        ..old.open_args(b"o", b"of minor version 0")
    };
    old.call(&mut sim, |c| c.putrootfh().open(args)).all_ok();
    assert_eq!(mode(&mut sim, &mut client, b"of minor version 0"), 0o600);
}

#[test]
fn execute_permission_lets_a_user_read_a_file() {
    let mut sim = Sim::new();
    let mut maker = user(&mut sim, 1000);
    let mut runner = user(&mut sim, 2000);
    let fh = make(&mut sim, &mut maker, b"f", 0o711);
    let put = args::PutFh { object: &fh };
    let read = |stateid| args::Read {
        stateid,
        offset: 0,
        count: 10,
    };
    let by_handle = args::Open {
        claim: OpenClaim::Fh,
        ..opening(b"", 1, 0)
    };
    let by_name = runner.call(&mut sim, |c| {
        let open = opening(b"f", 1, 0);
        c.putrootfh().open(open).read(read(Stateid::CURRENT))
    });
    assert_eq!(ok!(by_name.all_ok(), Read).data, b"data");
    for stateid in [Stateid::CURRENT, Stateid::ANONYMOUS, Stateid::READ_BYPASS] {
        let reply = runner.call(&mut sim, |c| {
            c.putfh(put).open(by_handle).read(read(stateid))
        });
        assert_eq!(ok!(reply.all_ok(), Read).data, b"data");
    }
    let mut old = Client40::mounted(&mut sim, "old");
    old.uid = 2000;
    let args = args::Open {
        share_access: 1,
        openhow: OpenFlag::NoCreate,
        ..old.open_args(b"o", b"f")
    };
    old.call(&mut sim, |c| c.putrootfh().open(args)).all_ok();
    // It is no right to anything else.
    for access in [2, 3] {
        let reply = open(&mut sim, &mut runner, opening(b"f", access, 0));
        assert_eq!(reply.last(), (Op::Open, Status::ACCESS));
    }
    let fh = make(&mut sim, &mut maker, b"g", 0o700);
    for args in [opening(b"g", 1, 0), by_handle] {
        let reply = runner.call(&mut sim, |c| match args.claim {
            OpenClaim::Null(_) => c.putrootfh().open(args),
            _ => c.putfh(args::PutFh { object: &fh }).open(args),
        });
        assert_eq!(reply.last(), (Op::Open, Status::ACCESS));
    }
}

#[test]
fn a_share_deny_of_reading_needs_write_permission() {
    for (file, uid, deny, allowed) in [
        (0o644, 2000, 1, false),
        (0o644, 2000, 3, false),
        (0o644, 2000, 2, true),
        (0o644, 2000, 0, true),
        (0o644, 1000, 3, true),
        (0o444, 1000, 1, false),
        (0o646, 2000, 1, true),
    ] {
        for by_handle in [false, true] {
            let mut sim = Sim::new();
            let mut maker = user(&mut sim, 1000);
            let fh = make(&mut sim, &mut maker, b"f", file);
            let mut asker = user(&mut sim, uid);
            let args = opening(b"f", 1, deny);
            let reply = if by_handle {
                let claim = OpenClaim::Fh;
                asker.call(&mut sim, |c| {
                    c.putfh(args::PutFh { object: &fh })
                        .open(args::Open { claim, ..args })
                })
            } else {
                open(&mut sim, &mut asker, args)
            };
            if allowed {
                reply.all_ok();
            } else {
                assert_eq!(reply.last(), (Op::Open, Status::ACCESS), "{file:o} {deny}");
            }
            sim.assert_nothing_is_left();
        }
    }
}

#[test]
fn what_an_open_makes_it_keeps_for_itself_whatever_the_mode() {
    let mut sim = Sim::new();
    let mut client = user(&mut sim, 1000);
    let attrs = Fattr::mode(0o444);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
        ..opening(b"f", 3, 3)
    };
    open(&mut sim, &mut client, args).all_ok();
}

#[test]
fn of_what_cannot_be_changed_only_what_is_there_is_opened() {
    let mut sim = Sim::serving(&["/"], |export| export.read_only = true);
    sim.fs().make(b"f", 0o666);
    sim.fs().make(b"private", 0o600);
    let mut client = user(&mut sim, 1000);
    let empty = Fattr::size(0);
    let verf = Verifier(*b"verifier");
    let exclusive = CreateHow::Exclusive41 {
        verf,
        attrs: FattrRaw::EMPTY,
    };
    let unchecked = CreateHow::Unchecked(FattrRaw::EMPTY);
    let guarded = CreateHow::Guarded(FattrRaw::EMPTY);
    let cutting = CreateHow::Unchecked(empty.raw());
    for (name, how, access, deny, expected) in [
        (&b"f"[..], Some(unchecked), 1, 0, Status::OK),
        (b"f", Some(unchecked), 1, 2, Status::OK),
        (b"f", Some(unchecked), 2, 0, Status::ROFS),
        (b"f", Some(unchecked), 1, 1, Status::ROFS),
        (b"f", Some(cutting), 1, 0, Status::ROFS),
        (b"f", Some(guarded), 1, 0, Status::EXIST),
        (b"f", Some(guarded), 3, 3, Status::EXIST),
        (b"f", Some(exclusive), 1, 0, Status::EXIST),
        (b"private", Some(unchecked), 1, 0, Status::ACCESS),
        (b"private", Some(guarded), 1, 0, Status::EXIST),
        (b"private", Some(exclusive), 1, 0, Status::EXIST),
        (b"f", None, 1, 0, Status::OK),
        (b"f", None, 3, 0, Status::ROFS),
        (b"g", Some(unchecked), 1, 0, Status::ROFS),
        (b"g", Some(guarded), 1, 0, Status::ROFS),
        (b"g", Some(exclusive), 1, 0, Status::ROFS),
        (b"g", None, 1, 0, Status::NOENT),
    ] {
        let args = args::Open {
            openhow: how.map_or(OpenFlag::NoCreate, OpenFlag::Create),
            ..opening(name, access, deny)
        };
        let reply = open(&mut sim, &mut client, args);
        if expected == Status::OK {
            let reply = reply.all_ok();
            let (fh, open_stateid) = (ok!(reply, GetFh).object.to_vec(), ok!(reply, Open).stateid);
            let close = args::Close {
                seqid: 0,
                open_stateid,
            };
            let put = args::PutFh { object: &fh };
            client
                .call(&mut sim, |c| c.putfh(put).close(close))
                .all_ok();
        } else {
            assert_eq!(reply.last(), (Op::Open, expected), "{args:?}");
        }
        assert_eq!(sim.fs().held(), 0);
    }
    let mut old = Client40::mounted(&mut sim, "old");
    for (name, expected) in [(&b"f"[..], Status::OK), (b"g", Status::ROFS)] {
        let args = args::Open {
            share_access: 1,
            ..old.open_args(name, name)
        };
        let reply = old.call(&mut sim, |c| c.putrootfh().open(args));
        assert_eq!(reply.last(), (Op::Open, expected));
    }
    sim.assert_nothing_is_left();
}
