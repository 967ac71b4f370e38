//! No delegation is recalled for a user that the file system then refuses: every operation that
//! recalls, in every minor version, by every kind of user. [RFC 8881 §10.4, RFC 7530 §10.4]

use nfs4_engine::Squash;
use nfs4_engine::fs::FsError;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::attr::TimeHow;
use nfs4_proto::nfs4::basic::{LockType, Owner, StableHow, Time};
use nfs4_tests::sim::{Client40, Pace};

use super::*;

const OWNER: u32 = 1000;
const OTHER: u32 = 2000;
const MINORS: [u32; 3] = [0, 1, 2];

/// A client of any minor version.
pub(super) enum Asker {
    Old(Client40),
    New(Client),
}

impl Asker {
    pub(super) fn new(sim: &mut Sim, minor: u32, uid: u32) -> Asker {
        if minor == 0 {
            let mut client = Client40::mounted(sim, "asker");
            sim.settle();
            client.uid = uid;
            return Asker::Old(client);
        }
        let mut client = Client::stranger(sim, "asker");
        client.minor = minor;
        enter(sim, &mut client);
        client.uid = uid;
        Asker::New(client)
    }

    pub(super) fn call(
        &mut self,
        sim: &mut Sim,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        match self {
            Asker::Old(client) => client.call(sim, build),
            Asker::New(client) => client.call(sim, build),
        }
    }

    /// Sends a request and does not wait for the reply.
    pub(super) fn send(
        &mut self,
        sim: &mut Sim,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> u32 {
        let xid = match self {
            Asker::Old(client) => {
                let xid = sim.xid();
                let record = client.record(xid, build);
                sim.send(client.conn, record);
                xid
            }
            Asker::New(client) => {
                let request = client.request(sim, 0, true, build);
                request.send(sim, client.conn);
                client.advance(0);
                request.xid()
            }
        };
        sim.settle();
        xid
    }

    /// An open owner of its, with the seqid of its next request.
    fn owner(&mut self) -> (Owner<'static>, u32) {
        let owner = &b"opens"[..];
        match self {
            Asker::Old(client) => (client.owner(owner), client.seqid(owner)),
            Asker::New(client) => {
                let clientid = client.id;
                (Owner { clientid, owner }, 0)
            }
        }
    }

    fn uid(&self) -> u32 {
        match self {
            Asker::Old(client) => client.uid,
            Asker::New(client) => client.uid,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Read,
    /// By the stateid that passes locks.
    Bypass,
    Write,
    Cut,
    Lengthen,
    Mode,
    Group,
    ClientTime,
    ServerTime,
    SetNothing,
    TestLock,
    OpenToRead,
    OpenToWrite,
    OpenByHandle,
    OpenCut,
    DenyRead,
}

impl Deed {
    const ALL: [Deed; 16] = [
        Deed::Read,
        Deed::Bypass,
        Deed::Write,
        Deed::Cut,
        Deed::Lengthen,
        Deed::Mode,
        Deed::Group,
        Deed::ClientTime,
        Deed::ServerTime,
        Deed::SetNothing,
        Deed::TestLock,
        Deed::OpenToRead,
        Deed::OpenToWrite,
        Deed::OpenByHandle,
        Deed::OpenCut,
        Deed::DenyRead,
    ];

    /// Whether a delegation of this kind is in its way.
    fn conflicts(self, kind: DelegationKind) -> bool {
        match self {
            Deed::SetNothing => false,
            Deed::Read | Deed::Bypass | Deed::TestLock | Deed::OpenToRead => kind == WRITE,
            _ => true,
        }
    }

    /// The error that the file system returns to a user with only these bits of the mode; `None` if
    /// it allows the operation.
    fn refusal(self, bits: u32, kind: DelegationKind) -> Option<Status> {
        let (reads, writes) = (bits & 4 != 0, bits & 2 != 0);
        let (allowed, status) = match self {
            Deed::Read | Deed::Bypass | Deed::OpenToRead => (reads, Status::ACCESS),
            Deed::Mode | Deed::Group | Deed::ClientTime => (false, Status::PERM),
            Deed::SetNothing => (true, Status::OK),
            // LOCKT needs no permission as long as it recalls nothing.
            Deed::TestLock => (reads || writes || kind == READ, Status::ACCESS),
            Deed::DenyRead => (reads && writes, Status::ACCESS),
            _ => (writes, Status::ACCESS),
        };
        (!allowed).then_some(status)
    }

    fn attrs(self) -> Fattr {
        let mut set = SettableAttrs::default();
        match self {
            Deed::Cut | Deed::OpenCut => set.size = Some(0),
            Deed::Lengthen => set.size = Some(9),
            Deed::Mode => set.mode = Some(0o666),
            Deed::Group => set.owner_group = Some(b"1000"),
            Deed::ClientTime => {
                let time = Time {
                    seconds: 1,
                    nanos: 0,
                };
                set.time_modify_set = Some(TimeHow::ClientTime(time));
            }
            Deed::ServerTime => set.time_access_set = Some(TimeHow::ServerTime),
            _ => {}
        }
        Fattr::new(&set)
    }

    fn ask<'a>(
        self,
        c: &'a mut CompoundBuilder,
        fh: &[u8],
        (owner, seqid): (Owner<'_>, u32),
    ) -> &'a mut CompoundBuilder {
        let put = args::PutFh { object: fh };
        let attrs = self.attrs();
        let stateid = if self == Deed::Bypass {
            Stateid::READ_BYPASS
        } else {
            Stateid::ANONYMOUS
        };
        let (share_access, share_deny) = match self {
            Deed::OpenToRead => (1, 0),
            Deed::DenyRead => (1, 1),
            _ => (2, 0),
        };
        let openhow = match self {
            Deed::OpenCut => OpenFlag::Create(CreateHow::Unchecked(attrs.raw())),
            _ => OpenFlag::NoCreate,
        };
        let open = args::Open {
            seqid,
            share_access,
            share_deny,
            owner,
            openhow,
            claim: args::OpenClaim::Null(b"f"),
        };
        match self {
            Deed::Read | Deed::Bypass => c.putfh(put).read(args::Read {
                stateid,
                offset: 0,
                count: 7,
            }),
            Deed::Write => c.putfh(put).write(args::Write {
                stateid,
                offset: 0,
                stable: StableHow::FileSync,
                data: b"more",
            }),
            Deed::TestLock => c.putfh(put).lockt(args::LockT {
                locktype: LockType::Write,
                offset: 0,
                length: 1,
                owner,
            }),
            Deed::OpenByHandle => c.putfh(put).open(args::Open {
                claim: args::OpenClaim::Fh,
                ..open
            }),
            Deed::OpenToRead | Deed::OpenToWrite | Deed::OpenCut | Deed::DenyRead => {
                c.putrootfh().open(open)
            }
            _ => c.putfh(put).setattr(args::SetAttr {
                stateid,
                obj_attributes: attrs.raw(),
            }),
        }
    }

    /// Whether minor version 0 has it.
    fn is_in(self, minor: u32) -> bool {
        minor > 0 || self != Deed::OpenByHandle
    }
}

/// The file "f" of this mode is delegated to its owner, which does not have it open.
fn delegated_of_mode(mode: u32, kind: DelegationKind) -> (Sim, Client, Held) {
    let (mut sim, mut one, _) = two();
    let access = if kind == READ { 1 } else { 3 };
    let set = Fattr::mode(mode);
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: set.raw(),
    };
    let lookup = args::Lookup { objname: b"f" };
    one.call(&mut sim, |c| c.putrootfh().lookup(lookup).setattr(set))
        .all_ok();
    let held = delegated(&mut sim, &mut one, access, b"f", kind);
    close(&mut sim, &mut one, &held.fh, held.open);
    (sim, one, held)
}

fn attempt(sim: &mut Sim, asker: &mut Asker, deed: Deed, fh: &[u8]) -> Status {
    let owner = asker.owner();
    asker.call(sim, |c| deed.ask(c, fh, owner)).status()
}

#[test]
fn a_user_refused_by_the_file_system_recalls_no_delegation() {
    for (deed, minor) in Deed::ALL
        .into_iter()
        .flat_map(|deed| MINORS.map(|m| (deed, m)))
    {
        if !deed.is_in(minor) {
            continue;
        }
        for (kind, bits) in [READ, WRITE]
            .map(|kind| [0, 4, 2, 6].map(|bits| (kind, bits)))
            .concat()
        {
            let case = format!("{deed:?} {minor} {kind:?} {bits}");
            let (mut sim, mut one, held) = delegated_of_mode(0o600 | bits, kind);
            let mut asker = Asker::new(&mut sim, minor, OTHER);
            let counted = counts(&sim);
            if let Some(status) = deed.refusal(bits, kind) {
                // Again and again.
                for _ in 0..3 {
                    let refused = attempt(&mut sim, &mut asker, deed, &held.fh);
                    assert_eq!(refused, status, "{case}");
                }
                sim.settle();
                assert!(sim.take_callbacks().is_empty(), "{case}");
                assert_eq!(counts(&sim), counted, "{case}");
                continue;
            }
            if deed.conflicts(kind) {
                let delayed = attempt(&mut sim, &mut asker, deed, &held.fh);
                assert_eq!(delayed, Status::DELAY, "{case}");
                comes_back(&mut sim, &mut one, &held);
            }
            let done = attempt(&mut sim, &mut asker, deed, &held.fh);
            assert_eq!(done, Status::OK, "{case}");
            assert!(sim.take_callbacks().is_empty(), "{case}");
        }
    }
}

#[test]
fn the_owner_of_a_file_has_it_recalled_whatever_its_mode() {
    for (deed, minor) in Deed::ALL
        .into_iter()
        .flat_map(|deed| MINORS.map(|m| (deed, m)))
    {
        // OPEN goes by the mode for the owner, too.
        let opens = [
            Deed::OpenToRead,
            Deed::OpenToWrite,
            Deed::OpenByHandle,
            Deed::OpenCut,
            Deed::DenyRead,
        ];
        if opens.contains(&deed) || !deed.conflicts(READ) {
            continue;
        }
        let (mut sim, mut one, held) = delegated_of_mode(0o444, READ);
        let mut asker = Asker::new(&mut sim, minor, OWNER);
        let delayed = attempt(&mut sim, &mut asker, deed, &held.fh);
        assert_eq!(delayed, Status::DELAY, "{deed:?} {minor}");
        comes_back(&mut sim, &mut one, &held);
        let done = attempt(&mut sim, &mut asker, deed, &held.fh);
        assert_eq!(done, Status::OK, "{deed:?} {minor}");
    }
}

#[test]
fn the_superuser_has_it_recalled_unless_it_is_squashed() {
    for (squash, minor) in [Squash::None, Squash::Root, Squash::All]
        .into_iter()
        .flat_map(|squash| MINORS.map(|minor| (squash, minor)))
    {
        let mut sim = Sim::serving(&["/"], |export| export.squash = squash);
        let mut one = reachable(&mut sim, "one");
        let mode = Fattr::mode(0o600);
        let args = args::Open {
            openhow: OpenFlag::Create(CreateHow::Guarded(mode.raw())),
            ..opening(3, b"f")
        };
        let reply = open(&mut sim, &mut one, args).all_ok();
        let (fh, opened) = (handle(&reply), ok!(reply, Open));
        granted(&opened.delegation, WRITE);
        close(&mut sim, &mut one, &fh, opened.stateid);
        let mut asker = Asker::new(&mut sim, minor, 0);
        for deed in [Deed::Read, Deed::Write, Deed::Mode] {
            // With all users squashed it is the same as the owner.
            let expected = match (squash, deed) {
                (Squash::None | Squash::All, _) => Status::DELAY,
                (Squash::Root, Deed::Mode) => Status::PERM,
                (Squash::Root, _) => Status::ACCESS,
            };
            let status = attempt(&mut sim, &mut asker, deed, &fh);
            assert_eq!(status, expected, "{deed:?} {squash:?} {minor}");
        }
        sim.settle();
        let recalls = usize::from(squash != Squash::Root);
        assert_eq!(sim.take_callbacks().len(), recalls, "{squash:?} {minor}");
        assert_eq!(asker.uid(), 0);
    }
}

#[test]
fn nothing_is_recalled_where_nothing_can_be_changed() {
    for (deed, minor) in Deed::ALL
        .into_iter()
        .flat_map(|deed| MINORS.map(|m| (deed, m)))
    {
        if !deed.conflicts(READ) || !deed.is_in(minor) {
            continue;
        }
        let mut sim = Sim::serving(&["/"], |export| export.read_only = true);
        sim.fs().make(b"f", 0o666);
        let mut one = reachable(&mut sim, "one");
        let held = delegated(&mut sim, &mut one, 1, b"f", READ);
        close(&mut sim, &mut one, &held.fh, held.open);
        let mut asker = Asker::new(&mut sim, minor, OWNER);
        let refused = attempt(&mut sim, &mut asker, deed, &held.fh);
        assert_eq!(refused, Status::ROFS, "{deed:?} {minor}");
        sim.settle();
        assert!(sim.take_callbacks().is_empty(), "{deed:?} {minor}");
    }
}

#[test]
fn the_holder_is_not_asked_for_attributes_that_the_file_system_does_not_tell() {
    for (minor, op) in MINORS
        .into_iter()
        .flat_map(|minor| [Op::GetAttr, Op::Verify, Op::NVerify].map(|op| (minor, op)))
    {
        let (mut sim, mut one, _) = two();
        let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
        let mut asker = Asker::new(&mut sim, minor, OTHER);
        sim.set_pace(Pace::Held);
        let size = Fattr::size(7);
        let put = args::PutFh { object: &held.fh };
        let obj_attributes = size.raw();
        let xid = asker.send(&mut sim, |c| {
            let c = c.putfh(put);
            match op {
                Op::Verify => c.verify(args::Verify { obj_attributes }),
                Op::NVerify => c.nverify(args::NVerify { obj_attributes }),
                _ => c.getattr(args::GetAttr {
                    attr_request: obj_attributes.mask,
                }),
            }
        });
        assert!(sim.take_callbacks().is_empty(), "{op} {minor}");
        sim.refuse(0, FsError::AccessDenied);
        let reply = sim.take_reply(xid).expect("it is answered");
        assert_last(&reply, op, Status::ACCESS);
        assert!(sim.take_callbacks().is_empty(), "{op} {minor}");
        assert_eq!(counts(&sim), (0, 1, 0), "{op} {minor}");
    }
}
