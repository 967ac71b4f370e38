//! What an operation answers must fit before it has effects. [RFC 8881 §2.10.6.4]

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, CreateHow, CreateType, Locker, OpenFlag, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, StableHow, Stateid};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fattr, Sim, making_args, open_args};

type Build = fn(&mut CompoundBuilder, Stateid) -> &mut CompoundBuilder;

/// Changes of the file "f", which is the current filehandle and is open under this stateid, or of the
/// root, which is saved.
const CHANGES: [(Op, Build); 10] = [
    (Op::Open, |c, _| {
        c.restorefh().open(args::Open {
            openhow: OpenFlag::Create(CreateHow::Guarded(FattrRaw::EMPTY)),
            ..open_args(b"owner", b"g")
        })
    }),
    (Op::Create, |c, _| {
        c.restorefh().create(args::Create {
            objtype: CreateType::Directory,
            objname: b"g",
            createattrs: FattrRaw::EMPTY,
        })
    }),
    (Op::Remove, |c, _| {
        c.restorefh().remove(args::Remove { target: b"f" })
    }),
    (Op::Rename, |c, _| {
        c.restorefh().savefh().rename(args::Rename {
            oldname: b"f",
            newname: b"g",
        })
    }),
    (Op::Link, |c, _| {
        c.savefh().putrootfh().link(args::Link { newname: b"g" })
    }),
    (Op::SetAttr, |c, _| {
        c.setattr(args::SetAttr {
            stateid: Stateid::ANONYMOUS,
            obj_attributes: FattrRaw::EMPTY,
        })
    }),
    (Op::Write, |c, _| {
        c.write(args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            stable: StableHow::FileSync,
            data: b"data",
        })
    }),
    (Op::Lock, |c, stateid| {
        c.lock(args::Lock {
            locktype: LockType::Write,
            reclaim: false,
            offset: 0,
            length: 1,
            locker: Locker::New(OpenToLockOwner {
                open_seqid: 0,
                open_stateid: stateid,
                lock_seqid: 0,
                lock_owner: Owner {
                    clientid: ClientId(0),
                    owner: b"x",
                },
            }),
        })
    }),
    (Op::OpenDowngrade, |c, stateid| {
        c.open_downgrade(args::OpenDowngrade {
            open_stateid: stateid,
            seqid: 0,
            share_access: 3,
            share_deny: 0,
        })
    }),
    (Op::Close, |c, stateid| {
        c.close(args::Close {
            seqid: 0,
            open_stateid: stateid,
        })
    }),
];

#[test]
fn what_cannot_be_answered_is_not_done() {
    for (op, change) in CHANGES {
        let (mut done, mut refused) = (0, 0);
        for tag in (0..400).step_by(4) {
            let mut sim = Sim::new();
            let mut client = Client::mounted_with(&mut sim, "a", |args| {
                args.fore_chan_attrs.maxresponsesize = 400;
            });
            let length = Fattr::size(4);
            let making = args::Open {
                openhow: OpenFlag::Create(CreateHow::Unchecked(length.raw())),
                ..making_args(b"owner", b"f")
            };
            let reply = client
                .call(&mut sim, |c| c.putrootfh().open(making).getfh())
                .all_ok();
            let stateid = ok!(reply, Open).stateid;
            let object = ok!(reply, GetFh).object.to_vec();
            let put = args::PutFh { object: &object };
            let before = (sim.tables().opens, sim.tables().locks, sim.fs().tally());
            let tag = vec![b'x'; tag];
            let sequence = client.sequence(0, false);
            let record = client.record(sim.xid(), &tag, |c| {
                change(
                    c.sequence(sequence).putrootfh().savefh().putfh(put),
                    stateid,
                )
            });
            let reply = sim.exchange(client.conn, record);
            if reply.last().0 != op {
                // There was no room for what comes before it.
                continue;
            }
            assert!(reply.len() <= 400);
            let asked = |kind| {
                let before = before.2.requests.get(kind).copied();
                sim.fs().requests(kind) - before.unwrap_or(0)
            };
            let kinds = [
                "Open", "Create", "Remove", "Rename", "Link", "SetAttrs", "Write",
            ];
            let changes: u64 = kinds.into_iter().map(asked).sum();
            let state = (sim.tables().opens, sim.tables().locks) != (before.0, before.1);
            match reply.status() {
                Status::OK => done += 1,
                Status::REP_TOO_BIG => {
                    refused += 1;
                    assert_eq!((changes, state), (0, false), "{op}");
                }
                status => panic!("{op}: {status}"),
            }
        }
        assert!(done > 0 && refused > 0, "{op}: {done} {refused}");
    }
}
