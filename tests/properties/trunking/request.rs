//! Requests that can be sent again.

use nfs4_engine::ConnId;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, CreateHow, CreateType, OpenFlag};
use nfs4_proto::nfs4::{FattrRaw, Op, SessionId};
use nfs4_tests::sim::{Client, Request, open_args, sequence_args};

use super::model::SLOTS;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// SEQUENCE alone.
    Nothing,
    /// An operation that does not wait.
    PutRoot,
    /// A directory under a name of its own.
    MakeDirectory,
    /// A file under a name of its own, which stays open.
    Open,
    /// RECLAIM_COMPLETE.
    Reclaim,
    /// DESTROY_SESSION, of the session itself.
    Leave,
    /// An operation that does not exist.
    Nonsense,
    /// More bytes than the session allows.
    TooLong,
    /// More operations than the session allows.
    TooMany,
    /// A slot that the session does not have.
    NoSlot,
}

/// A request, and what is known of it.
pub(super) struct Sent {
    pub(super) session: usize,
    pub(super) slot: usize,
    pub(super) seqid: u32,
    pub(super) work: Work,
    pub(super) keep: bool,
    /// What it creates.
    pub(super) name: Option<Vec<u8>>,
    /// It was new to its slot, and its operations ran.
    pub(super) executed: bool,
    /// The connection and transaction id of the time that it was new.
    pub(super) by: ConnId,
    pub(super) xid: u32,
    request: Request,
    /// What it asks for, whatever SEQUENCE says.
    asked: Vec<u8>,
}

impl Work {
    pub(super) const ALL: [Work; 10] = [
        Work::Nothing,
        Work::PutRoot,
        Work::MakeDirectory,
        Work::Open,
        Work::Reclaim,
        Work::Leave,
        Work::Nonsense,
        Work::TooLong,
        Work::TooMany,
        Work::NoSlot,
    ];
}

impl Sent {
    pub(super) fn new(
        client: &Client,
        number: usize,
        (session, id): (usize, SessionId),
        (slot, seqid): (usize, u32),
        work: Work,
        keep: bool,
    ) -> Sent {
        let name = name_of(number);
        let on_wire = if work == Work::NoSlot { SLOTS } else { slot };
        let sequence = args::Sequence {
            cachethis: keep,
            ..sequence_args(id, on_wire as u32, seqid)
        };
        let asked = client.record(0, b"", |c| ask(c, id, work, &name));
        let record = client.record(0, b"", |c| ask(c.sequence(sequence), id, work, &name));
        Sent {
            session,
            slot,
            seqid,
            work,
            keep,
            name: matches!(work, Work::MakeDirectory | Work::Open).then_some(name),
            executed: false,
            by: ConnId::FIRST,
            xid: 0,
            request: Request { record },
            asked,
        }
    }

    /// The record under a transaction id; every time with another highest slot and another stamp.
    pub(super) fn under(&self, xid: u32) -> Vec<u8> {
        let highest = self.slot.max(xid as usize % SLOTS);
        let mut record = self.request.encoded_anew(highest as u32, xid).record;
        record[4..8].copy_from_slice(&xid.to_be_bytes());
        record
    }

    /// Whether the two are one request to the server.
    pub(super) fn is_same(&self, other: &Sent) -> bool {
        self.asked == other.asked
    }
}

/// What a request makes.
fn name_of(number: usize) -> Vec<u8> {
    format!("work {number}").into_bytes()
}

/// The request that makes something under this name.
pub(super) fn number_of(name: &[u8]) -> usize {
    let digits = name.strip_prefix(b"work ").expect("a name of ours");
    let digits = std::str::from_utf8(digits).expect("digits");
    digits.parse().expect("digits")
}

fn ask<'a>(
    c: &'a mut CompoundBuilder,
    id: SessionId,
    work: Work,
    name: &[u8],
) -> &'a mut CompoundBuilder {
    match work {
        Work::Nothing => c,
        Work::PutRoot | Work::NoSlot => c.putrootfh(),
        Work::MakeDirectory => c.putrootfh().create(args::Create {
            objtype: CreateType::Directory,
            objname: name,
            createattrs: FattrRaw::EMPTY,
        }),
        Work::Open => c.putrootfh().open(args::Open {
            openhow: OpenFlag::Create(CreateHow::Guarded(FattrRaw::EMPTY)),
            ..open_args(b"owner", name)
        }),
        Work::Reclaim => c.reclaim_complete(args::ReclaimComplete { one_fs: false }),
        Work::Leave => c.destroy_session(args::DestroySession { sessionid: id }),
        Work::Nonsense => c.raw(Op::Renew.number(), &[0; 8]),
        Work::TooLong => {
            let long = [b'x'; 200];
            for _ in 0..MOST_REQUEST as usize / long.len() {
                c.lookup(args::Lookup { objname: &long });
            }
            c
        }
        Work::TooMany => {
            for _ in 0..MOST_OPERATIONS {
                c.putrootfh();
            }
            c
        }
    }
}

/// Of the fore channel, so small that a request can be too long.
pub(super) const MOST_REQUEST: u32 = 1024;
pub(super) const MOST_OPERATIONS: u32 = 8;
