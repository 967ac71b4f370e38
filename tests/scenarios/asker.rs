//! All ways in which an operation asks a file system.

use nfs4_engine::Event;
use nfs4_engine::fs::FsError;
use nfs4_engine::fs::driver::{FsCall, FsFault};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, CreateHow, CreateType, OpenFlag, SecInfoStyle};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, StableHow, Time, Verifier};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Stateid, Status, errors};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fattr, Pace, Reply, Sim, making_args, open_args};

/// An operation, and the request to a file system that it makes, in minor versions from one on.
pub(crate) const WAYS: [(Op, FsCall, u32); 25] = [
    (Op::GetAttr, FsCall::GetAttrs, 0),
    (Op::PutFh, FsCall::GetAttrs, 0),
    (Op::ReadDir, FsCall::GetAttrs, 0),
    (Op::Verify, FsCall::GetAttrs, 0),
    (Op::NVerify, FsCall::GetAttrs, 0),
    (Op::LockT, FsCall::GetAttrs, 0),
    (Op::SecInfoNoName, FsCall::GetAttrs, 1),
    (Op::GetDirDelegation, FsCall::GetAttrs, 1),
    (Op::SetAttr, FsCall::SetAttrs, 0),
    (Op::Open, FsCall::SetAttrs, 0),
    (Op::Access, FsCall::Access, 0),
    (Op::Lookup, FsCall::Lookup, 0),
    (Op::SecInfo, FsCall::Lookup, 0),
    (Op::LookupP, FsCall::LookupParent, 0),
    (Op::SecInfoNoName, FsCall::LookupParent, 1),
    (Op::ReadDir, FsCall::ReadDir, 0),
    (Op::ReadLink, FsCall::ReadLink, 0),
    (Op::Read, FsCall::Read, 0),
    (Op::Write, FsCall::Write, 0),
    (Op::Commit, FsCall::Commit, 0),
    (Op::Create, FsCall::Create, 0),
    (Op::Open, FsCall::Open, 0),
    (Op::Link, FsCall::Link, 0),
    (Op::Remove, FsCall::Remove, 0),
    (Op::Rename, FsCall::Rename, 0),
];

/// A client of some minor version, in a root with a file "f", a directory "d" and a link "s".
pub(crate) struct Asker {
    v40: Option<Client40>,
    v41: Option<Client>,
    file: Vec<u8>,
    directory: Vec<u8>,
    link: Vec<u8>,
    asked: u32,
}

impl Asker {
    pub(crate) fn new(sim: &mut Sim, minor: u32) -> Asker {
        let mut maker = Client::mounted(sim, "maker");
        let one = Fattr::size(1);
        let file = args::Open {
            openhow: OpenFlag::Create(CreateHow::Unchecked(one.raw())),
            ..open_args(b"maker", b"f")
        };
        let create = |objtype, objname| args::Create {
            objtype,
            objname,
            createattrs: FattrRaw::EMPTY,
        };
        let close = args::Close {
            seqid: 0,
            open_stateid: Stateid::CURRENT,
        };
        let opened = maker.call(sim, |c| c.putrootfh().open(file).getfh().close(close));
        let directory = create(CreateType::Directory, b"d");
        let made = maker.call(sim, |c| c.putrootfh().create(directory).getfh());
        let link = create(CreateType::Symlink(b"f"), b"s");
        let linked = maker.call(sim, |c| c.putrootfh().create(link).getfh());
        let handle = |reply: Reply| ok!(reply.all_ok(), GetFh).object.to_vec();
        let (v40, v41) = if minor == 0 {
            (Some(Client40::mounted(sim, "asker")), None)
        } else {
            let mut client = Client::stranger(sim, "asker");
            client.minor = minor;
            client.mount(sim);
            (None, Some(client))
        };
        Asker {
            v40,
            v41,
            file: handle(opened),
            directory: handle(made),
            link: handle(linked),
            asked: 0,
        }
    }

    /// The reply to an operation whose request to a file system is refused.
    pub(crate) fn refused(&mut self, sim: &mut Sim, op: Op, call: FsCall, error: FsError) -> Reply {
        self.ask(sim, op, call, |sim| sim.refuse(0, error))
    }

    /// The reply to an operation whose request to a file system `answer` sees to.
    pub(crate) fn ask(
        &mut self,
        sim: &mut Sim,
        op: Op,
        call: FsCall,
        answer: impl FnOnce(&mut Sim),
    ) -> Reply {
        // An owner of minor version 0 is new each time, or it would have to count.
        self.asked += 1;
        let owner = self.asked.to_string();
        let owner = owner.as_bytes();
        let xid = sim.xid();
        let (conn, record) = match (&self.v40, &self.v41) {
            (Some(client), _) => (
                client.conn,
                client.record(xid, |c| self.build(c, op, call, owner)),
            ),
            (None, Some(client)) => {
                let sequence = client.sequence(0, true);
                let build = client.record(xid, b"", |c| {
                    self.build(c.sequence(sequence), op, call, owner)
                });
                (client.conn, build)
            }
            (None, None) => unreachable!("there is a client"),
        };
        sim.set_pace(Pace::Held);
        sim.send(conn, record);
        sim.run();
        while sim.held()[0].op.call() != call {
            sim.complete(0);
        }
        answer(sim);
        sim.set_pace(Pace::Delayed);
        sim.complete_all();
        if let Some(client) = &mut self.v41 {
            client.advance(0);
        }
        let mut replies = sim.take_replies();
        replies.pop().expect("the server answers")
    }

    /// Appends what sets the filehandles that the operation needs.
    fn set_filehandles<'c>(&self, c: &'c mut CompoundBuilder, op: Op) -> &'c mut CompoundBuilder {
        let put = |object| args::PutFh { object };
        match op {
            Op::PutFh | Op::GetDirDelegation | Op::ReadDir => c.putfh(put(&self.directory)),
            Op::ReadLink => c.putfh(put(&self.link)),
            Op::Link => c.putfh(put(&self.file)).savefh().putrootfh(),
            Op::Rename => c.putrootfh().savefh(),
            Op::Create | Op::Open | Op::Lookup | Op::SecInfo | Op::Remove => c.putrootfh(),
            Op::LookupP | Op::SecInfoNoName => c.putfh(put(&self.directory)),
            _ => c.putfh(put(&self.file)),
        }
    }

    fn build<'c>(
        &self,
        c: &'c mut CompoundBuilder,
        op: Op,
        call: FsCall,
        owner: &[u8],
    ) -> &'c mut CompoundBuilder {
        self.set_filehandles(c, op);
        let attrs = Fattr::size(1);
        let owner = Owner {
            clientid: self.v40.as_ref().map_or(ClientId(0), |client| client.id),
            owner,
        };
        match op {
            Op::PutFh => c,
            Op::GetAttr => c.getattr(args::GetAttr {
                attr_request: Bitmap::of(&[num::SIZE]),
            }),
            Op::ReadDir => c.readdir(args::ReadDir {
                cookie: 0,
                cookieverf: Verifier::default(),
                dircount: 4096,
                maxcount: 4096,
                attr_request: Bitmap::of(&[if call == FsCall::GetAttrs {
                    num::SPACE_FREE
                } else {
                    num::SIZE
                }]),
            }),
            Op::Verify => c.verify(args::Verify {
                obj_attributes: attrs.raw(),
            }),
            Op::NVerify => c.nverify(args::NVerify {
                obj_attributes: attrs.raw(),
            }),
            Op::LockT => c.lockt(args::LockT {
                locktype: LockType::Read,
                offset: 0,
                length: 1,
                owner,
            }),
            Op::SecInfoNoName => c.secinfo_no_name(args::SecInfoNoName {
                style: if call == FsCall::GetAttrs {
                    SecInfoStyle::CurrentFh
                } else {
                    SecInfoStyle::Parent
                },
            }),
            Op::GetDirDelegation => c.get_dir_delegation(args::GetDirDelegation {
                signal_deleg_avail: false,
                notification_types: Bitmap::EMPTY,
                child_attr_delay: AT_ONCE,
                dir_attr_delay: AT_ONCE,
                child_attributes: Bitmap::EMPTY,
                dir_attributes: Bitmap::EMPTY,
            }),
            Op::SetAttr => {
                let mode = Fattr::mode(0o600);
                c.setattr(args::SetAttr {
                    stateid: Stateid::ANONYMOUS,
                    obj_attributes: mode.raw(),
                })
            }
            Op::Open => {
                let empty = Fattr::size(0);
                let is_cut = call == FsCall::SetAttrs;
                c.open(args::Open {
                    seqid: 1,
                    owner,
                    openhow: OpenFlag::Create(CreateHow::Unchecked(if is_cut {
                        empty.raw()
                    } else {
                        FattrRaw::EMPTY
                    })),
                    ..making_args(b"", b"f")
                })
            }
            _ => build_plain(c, op),
        }
    }
}

/// Appends an operation whose arguments depend on nothing.
fn build_plain(c: &mut CompoundBuilder, op: Op) -> &mut CompoundBuilder {
    let name = b"new";
    match op {
        Op::Access => c.access(args::Access { access: 0x3f }),
        Op::Lookup => c.lookup(args::Lookup { objname: b"d" }),
        Op::SecInfo => c.secinfo(args::SecInfo { name: b"d" }),
        Op::LookupP => c.lookupp(),
        Op::ReadLink => c.readlink(),
        Op::Read => c.read(args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count: 1,
        }),
        Op::Write => c.write(args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            stable: StableHow::FileSync,
            data: b"x",
        }),
        Op::Commit => c.commit(args::Commit {
            offset: 0,
            count: 0,
        }),
        Op::Create => c.create(args::Create {
            objtype: CreateType::Directory,
            objname: name,
            createattrs: FattrRaw::EMPTY,
        }),
        Op::Link => c.link(args::Link { newname: name }),
        Op::Remove => c.remove(args::Remove { target: b"d" }),
        Op::Rename => c.rename(args::Rename {
            oldname: b"d",
            newname: name,
        }),
        other => unreachable!("{other} is not among the operations that ask a file system"),
    }
}

/// What a client may be told: the RFC's list, and that the file system misbehaves.
pub(crate) fn is_allowed(op: Op, minor: u32, status: Status) -> bool {
    errors::allowed(op, minor, status) || status == Status::SERVERFAULT
}

/// The faults that were told.
pub(crate) fn faults(sim: &mut Sim) -> Vec<(FsCall, FsFault, u64)> {
    let events = sim.take_events().into_iter();
    let fault = |event| match event {
        Event::FileSystemFault {
            export,
            call,
            fault,
            untold,
            request,
        } => {
            assert_eq!(export, Some(0));
            let costs = fault != FsFault::Again;
            assert_eq!(request.is_some(), costs, "the request that it has cost");
            Some((call, fault, untold))
        }
        _ => None,
    };
    events.filter_map(fault).collect()
}

const AT_ONCE: Time = Time {
    seconds: 0,
    nanos: 0,
};
