//! The client of the hot path: what it asks for, and how it makes itself known.

use nfs4_proto::client::{self, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, StableHow, Stateid, Verifier};
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
};
use nfs4_proto::rpc::{AuthSys, Mark};
use nfs4_proto::xdr::List;

/// COMPOUNDs that are measured, after a SEQUENCE each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// SEQUENCE alone: what a slot costs.
    Sequence,
    /// PUTFH and GETATTR of what Linux asks for: what dispatch and a visit to the file system cost.
    GetAttr,
    /// PUTROOTFH, LOOKUP, GETFH and the same GETATTR.
    Lookup,
    /// PUTFH and READ of 4 KiB under an open.
    Read,
    /// PUTFH and WRITE of 4 KiB under an open, FILE_SYNC.
    Write,
    /// PUTFH and READ of 1 MiB under an open.
    ReadLarge,
    /// PUTFH and WRITE of 1 MiB under an open, FILE_SYNC.
    WriteLarge,
    /// PUTROOTFH, OPEN of a file that is there, and CLOSE.
    OpenClose,
    /// PUTFH, LOCK by a lock-owner that is there, and LOCKU.
    LockUnlock,
    /// PUTROOTFH, LOOKUP of a directory of 1 000 files, and READDIR of all of them with what
    /// Linux asks for.
    ReadDir,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 10] = [
        Shape::Sequence,
        Shape::GetAttr,
        Shape::Lookup,
        Shape::Read,
        Shape::Write,
        Shape::ReadLarge,
        Shape::WriteLarge,
        Shape::OpenClose,
        Shape::LockUnlock,
        Shape::ReadDir,
    ];

    /// How many operations it has.
    pub const fn operations(self) -> u32 {
        match self {
            Shape::Sequence => 1,
            Shape::GetAttr | Shape::Read | Shape::Write | Shape::ReadLarge | Shape::WriteLarge => 3,
            Shape::OpenClose | Shape::LockUnlock | Shape::ReadDir => 4,
            Shape::Lookup => 5,
        }
    }

    /// Bytes of the file that it reads or writes.
    pub const fn bytes(self) -> usize {
        match self {
            Shape::Read | Shape::Write => BLOCK,
            Shape::ReadLarge | Shape::WriteLarge => FILE_SIZE,
            Shape::Sequence
            | Shape::GetAttr
            | Shape::Lookup
            | Shape::OpenClose
            | Shape::LockUnlock
            | Shape::ReadDir => 0,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Shape::Sequence => "sequence",
            Shape::GetAttr => "compound_getattr",
            Shape::Lookup => "compound_lookup",
            Shape::Read => "compound_read",
            Shape::Write => "compound_write",
            Shape::ReadLarge => "compound_read_1m",
            Shape::WriteLarge => "compound_write_1m",
            Shape::OpenClose => "compound_open_close",
            Shape::LockUnlock => "compound_lock_unlock",
            Shape::ReadDir => "compound_readdir",
        }
    }

    /// Appends its operations after SEQUENCE.
    fn operations_on(self, held: &Held, builder: &mut CompoundBuilder) {
        let attr_request = Bitmap::from_words(LINUX_GETATTR);
        let file = args::PutFh {
            object: &held.object,
        };
        match self {
            Shape::Sequence => {}
            Shape::GetAttr => {
                builder.putfh(file).getattr(args::GetAttr { attr_request });
            }
            Shape::Lookup => {
                builder
                    .putrootfh()
                    .lookup(args::Lookup { objname: FILE })
                    .getfh()
                    .getattr(args::GetAttr { attr_request });
            }
            Shape::Read | Shape::ReadLarge => {
                builder.putfh(file).read(args::Read {
                    stateid: held.open,
                    offset: 0,
                    count: self.bytes() as u32,
                });
            }
            Shape::Write | Shape::WriteLarge => {
                builder.putfh(file).write(args::Write {
                    stateid: held.open,
                    offset: 0,
                    stable: StableHow::FileSync,
                    data: &vec![7; self.bytes()],
                });
            }
            Shape::OpenClose => {
                builder
                    .putrootfh()
                    .open(open_args(held.client, b"again"))
                    .close(args::Close {
                        seqid: 0,
                        open_stateid: Stateid::CURRENT,
                    });
            }
            Shape::LockUnlock => {
                builder
                    .putfh(file)
                    .lock(args::Lock {
                        locktype: LockType::Write,
                        reclaim: false,
                        offset: 0,
                        length: u64::MAX,
                        locker: args::Locker::Existing(args::ExistLockOwner {
                            lock_stateid: held.lock,
                            lock_seqid: 0,
                        }),
                    })
                    .locku(args::LockU {
                        locktype: LockType::Write,
                        seqid: 0,
                        lock_stateid: held.lock,
                        offset: 0,
                        length: u64::MAX,
                    });
            }
            Shape::ReadDir => {
                builder
                    .putrootfh()
                    .lookup(args::Lookup { objname: DIRECTORY })
                    .readdir(args::ReadDir {
                        cookie: 0,
                        cookieverf: Verifier([0; 8]),
                        dircount: 1 << 20,
                        maxcount: 1 << 20,
                        attr_request: Bitmap::from_words(LINUX_READDIR),
                    });
            }
        }
    }
}

/// What the client holds when the measured calls begin.
struct Held {
    client: ClientId,
    object: Vec<u8>,
    open: Stateid,
    lock: Stateid,
}

impl Held {
    /// The COMPOUNDs that [`Held::take`] sends.
    const CALLS: u32 = 2;

    /// Opens the file and locks it; `ask` sends what is appended to the SEQUENCE with that number.
    fn take(
        client: ClientId,
        mut ask: impl FnMut(u32, &mut dyn FnMut(&mut CompoundBuilder)) -> Vec<u8>,
    ) -> Held {
        ask(1, &mut |builder| {
            builder.reclaim_complete(args::ReclaimComplete { one_fs: false });
        });
        let reply = ask(Held::CALLS, &mut |builder| {
            builder
                .putrootfh()
                .open(open_args(client, b"open"))
                .getfh()
                .lock(args::Lock {
                    locktype: LockType::Write,
                    reclaim: false,
                    offset: 0,
                    length: 1,
                    locker: args::Locker::New(args::OpenToLockOwner {
                        open_seqid: 0,
                        open_stateid: Stateid::CURRENT,
                        lock_seqid: 0,
                        lock_owner: Owner {
                            clientid: client,
                            owner: b"lock",
                        },
                    }),
                });
        });
        let mut results = read(&reply);
        results.sequence().expect("a slot");
        results.putrootfh().expect("a root");
        let open = results.open().expect("the file").stateid;
        let object = results.getfh().expect("its filehandle").object.to_vec();
        let lock = results.lock().expect("a range of it").lock_stateid;
        // Of whatever sequence number: each LOCK and LOCKU moves it on.
        let lock = Stateid { seqid: 0, ..lock };
        Held {
            client,
            object,
            open,
            lock,
        }
    }
}

/// OPEN of the file, to read and write, without a delegation.
fn open_args(clientid: ClientId, owner: &[u8]) -> args::Open<'_> {
    args::Open {
        seqid: 0,
        share_access: OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny: 0,
        owner: Owner { clientid, owner },
        openhow: args::OpenFlag::NoCreate,
        claim: args::OpenClaim::Null(FILE),
    }
}

/// The client: one record that is sent again and again, on one slot after the other.
#[derive(Default)]
pub(super) struct Caller {
    record: Vec<u8>,
    xid: u32,
    /// The last sequence id of each slot in use.
    seqids: Vec<u32>,
    /// Where in the record the sequence id is; the slot's number comes after it.
    seqid_at: usize,
}

impl Caller {
    /// Makes itself known: EXCHANGE_ID, CREATE_SESSION, and a look at the file.
    pub(super) fn introduce(
        shape: Shape,
        cachethis: bool,
        slots: usize,
        mut exchange: impl FnMut(Vec<u8>) -> Vec<u8>,
    ) -> Caller {
        let mut ask = |builder: &mut CompoundBuilder| {
            let mut reply = exchange(builder.finish());
            reply.drain(..Mark::LEN);
            reply
        };
        let reply = ask(call().exchange_id(introduction(b"bench")));
        let client = read(&reply).exchange_id().expect("a client");
        let reply = ask(call().create_session(session_args(client.clientid, client.sequenceid)));
        let session = read(&reply).create_session().expect("a session");
        let sequence = args::Sequence {
            sessionid: session.sessionid,
            sequenceid: 1,
            slotid: 0,
            highest_slotid: slots as u32 - 1,
            cachethis,
        };
        let mut builder = call();
        builder.sequence(sequence);
        let held = Held::take(client.clientid, |seqid, with| {
            let mut builder = call();
            builder.sequence(args::Sequence {
                sequenceid: seqid,
                ..sequence
            });
            with(&mut builder);
            ask(&mut builder)
        });
        shape.operations_on(&held, &mut builder);
        Caller {
            record: builder.finish(),
            xid: 0,
            seqids: (0..slots)
                .map(|slot| if slot == 0 { Held::CALLS } else { 0 })
                .collect(),
            // After the operation's number and the session's id.
            seqid_at: call().finish().len() + 4 + session.sessionid.0.len(),
        }
    }

    /// Appends the last call `count` times, with its record mark.
    pub(super) fn last_call(&self, count: usize, stream: &mut Vec<u8>) {
        for _ in 0..count {
            stream.extend_from_slice(&self.record);
        }
    }

    /// Appends the next `count` calls with their record marks.
    pub(super) fn calls(&mut self, count: usize, stream: &mut Vec<u8>) {
        stream.reserve(count * self.record.len());
        for _ in 0..count {
            self.xid = self.xid.wrapping_add(1);
            let slot = self.xid as usize % self.seqids.len();
            self.seqids[slot] += 1;
            let mut patch = |at: usize, value: u32| {
                self.record[at..][..4].copy_from_slice(&value.to_be_bytes());
            };
            patch(Mark::LEN, self.xid);
            patch(self.seqid_at, self.seqids[slot]);
            patch(self.seqid_at + 4, slot as u32);
            stream.extend_from_slice(&self.record);
        }
    }
}

/// EXCHANGE_ID of a client of this name.
pub(crate) fn introduction(ownerid: &[u8]) -> args::ExchangeId<'_> {
    args::ExchangeId {
        clientowner: args::ClientOwner {
            verifier: Verifier([7; 8]),
            ownerid,
        },
        flags: 0,
        state_protect: args::StateProtect::None,
        client_impl_id: None,
    }
}

/// CREATE_SESSION with 64 slots and a backchannel, as Linux asks for.
pub(crate) fn session_args(clientid: ClientId, sequence: u32) -> args::CreateSession<'static> {
    let channel = args::ChannelAttrs {
        headerpadsize: 0,
        maxrequestsize: (1 << 20) + 4_096,
        maxresponsesize: (1 << 20) + 4_096,
        maxresponsesize_cached: 4_096,
        maxoperations: 16,
        maxrequests: 64,
        rdma_ird: None,
    };
    args::CreateSession {
        clientid,
        sequence,
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        fore_chan_attrs: channel,
        back_chan_attrs: channel,
        cb_program: 0x4000_0000,
        sec_parms: List::new(&[args::CallbackSecParms::None]),
    }
}

/// A COMPOUND as Linux sends it, still without operations.
pub(crate) fn call() -> CompoundBuilder {
    let user = client::CallCredential::Sys(AuthSys {
        stamp: 0,
        machinename: b"client.example.org",
        uid: UID,
        gid: GID,
        gids: List::new(&GROUPS),
    });
    CompoundBuilder::call(0, &user, b"", 2)
}

pub(crate) fn read(reply: &[u8]) -> ReplyReader<'_> {
    ReplyReader::parse(reply).expect("a reply to a COMPOUND")
}

pub(super) const FILE: &[u8] = b"file";
/// A directory of [`ENTRIES`] files.
pub(super) const DIRECTORY: &[u8] = b"directory";
/// Number of files in [`DIRECTORY`].
pub(super) const ENTRIES: usize = 1_000;
pub(super) const UID: u32 = 1000;
pub(super) const GID: u32 = 1000;
pub(super) const GROUPS: [u32; 3] = [27, 100, 1000];
/// What Linux asks for of a file: type, change, size, fsid, fileid, mode, links, owner, group,
/// rawdev, space used, the times and mounted_on_fileid.
const LINUX_GETATTR: [u32; 3] = [0x0010_011a, 0x00b0_a23a, 0];
/// The same of an entry of a directory, with rdattr_error and the filehandle.
const LINUX_READDIR: [u32; 3] = [0x0018_091a, 0x00b0_a23a, 0];
/// What READ and WRITE carry, in bytes.
const BLOCK: usize = 4096;
/// Length of the file, in bytes.
pub(super) const FILE_SIZE: usize = 1 << 20;
