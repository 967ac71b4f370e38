//! Other ids in a record.

use nfs4_proto::client::CbCallReader;
use nfs4_proto::nfs4::any::{ArgOp, CbArgOp, CbResOp};
use nfs4_proto::nfs4::args::{self, Locker, OpenClaim};
use nfs4_proto::nfs4::callback::args as cb;
use nfs4_proto::nfs4::compound::{CompoundHeader, CompoundReplyHeader};
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{ClientId, Owner, SessionId, Stateid, Verifier};
use nfs4_proto::rpc::{CallHeader, ReplyHeader};
use nfs4_proto::xdr::{Decode, Encode, List, Reader, Writer};

/// What each id becomes.
pub trait Ids {
    /// A client id.
    fn client(&self, id: u64) -> u64;
    /// The verifier of SETCLIENTID_CONFIRM.
    fn confirm(&self, id: [u8; 8]) -> [u8; 8];
    /// A session.
    fn session(&self, id: SessionId) -> SessionId;
    /// A stateid.
    fn stateid(&self, id: Stateid) -> Stateid;
    /// A filehandle.
    fn handle<'a>(&'a self, id: &'a [u8]) -> &'a [u8];
    /// A SEQUENCE: the session and the seqid of its slot.
    fn sequence(&self, args: &mut args::Sequence);
}

/// The call with other ids, up to what cannot be decoded, which stays as it is.
pub fn call(record: &[u8], ids: &impl Ids) -> Vec<u8> {
    let Ok((_, at)) = CallHeader::decode(record) else {
        return record.to_vec();
    };
    let mut r = Reader::at(record, at);
    let Ok(header) = CompoundHeader::decode(&mut r) else {
        return record.to_vec();
    };
    let mut w = Writer::new();
    w.raw(&record[..r.position()]);
    for _ in 0..header.ops {
        let before = r;
        let Ok(op) = ArgOp::decode(&mut r) else {
            r = before;
            break;
        };
        operation(op, ids, &mut w);
    }
    w.raw(&record[r.position()..]);
    w.into_vec()
}

fn operation<'a>(mut op: ArgOp<'a>, ids: &'a impl Ids, w: &mut Writer) {
    match &mut op {
        ArgOp::Sequence(args) => ids.sequence(args),
        ArgOp::PutFh(args) => args.object = ids.handle(args.object),
        ArgOp::TestStateid(args) => {
            let stateids: Vec<_> = args.stateids.iter().map(|id| ids.stateid(id)).collect();
            let stateids = List::new(&stateids);
            return ArgOp::TestStateid(args::TestStateid { stateids }).encode(w);
        }
        ArgOp::DestroySession(args) => args.sessionid = ids.session(args.sessionid),
        ArgOp::BindConnToSession(args) => args.sessid = ids.session(args.sessid),
        ArgOp::CreateSession(args) => client(&mut args.clientid, ids),
        ArgOp::DestroyClientId(args) => client(&mut args.clientid, ids),
        ArgOp::Renew(args) => client(&mut args.clientid, ids),
        ArgOp::DelegPurge(args) => client(&mut args.clientid, ids),
        ArgOp::SetClientIdConfirm(args) => {
            client(&mut args.clientid, ids);
            args.setclientid_confirm = Verifier(ids.confirm(args.setclientid_confirm.0));
        }
        ArgOp::ReleaseLockOwner(args) => owner(&mut args.lock_owner, ids),
        _ => state(&mut op, ids),
    }
    op.encode(w);
}

/// In an operation on opens, locks, delegations or bytes.
fn state(op: &mut ArgOp<'_>, ids: &impl Ids) {
    match op {
        ArgOp::Open(args) => {
            owner(&mut args.owner, ids);
            match &mut args.claim {
                OpenClaim::DelegateCur {
                    delegate_stateid, ..
                }
                | OpenClaim::DelegCurFh(delegate_stateid) => stateid(delegate_stateid, ids),
                _ => {}
            }
        }
        ArgOp::Lock(args) => match &mut args.locker {
            Locker::New(new) => {
                stateid(&mut new.open_stateid, ids);
                owner(&mut new.lock_owner, ids);
            }
            Locker::Existing(old) => stateid(&mut old.lock_stateid, ids),
        },
        ArgOp::LockT(args) => owner(&mut args.owner, ids),
        ArgOp::LockU(args) => stateid(&mut args.lock_stateid, ids),
        ArgOp::Close(args) => stateid(&mut args.open_stateid, ids),
        ArgOp::OpenConfirm(args) => stateid(&mut args.open_stateid, ids),
        ArgOp::OpenDowngrade(args) => stateid(&mut args.open_stateid, ids),
        ArgOp::SetAttr(args) => stateid(&mut args.stateid, ids),
        ArgOp::Read(args) => stateid(&mut args.stateid, ids),
        ArgOp::Write(args) => stateid(&mut args.stateid, ids),
        ArgOp::DelegReturn(args) => stateid(&mut args.deleg_stateid, ids),
        ArgOp::FreeStateid(args) => stateid(&mut args.stateid, ids),
        ArgOp::Allocate(args) => stateid(&mut args.stateid, ids),
        ArgOp::Deallocate(args) => stateid(&mut args.stateid, ids),
        ArgOp::ReadPlus(args) => stateid(&mut args.stateid, ids),
        ArgOp::Seek(args) => stateid(&mut args.stateid, ids),
        ArgOp::Copy(args) => {
            stateid(&mut args.src_stateid, ids);
            stateid(&mut args.dst_stateid, ids);
        }
        ArgOp::Clone(args) => {
            stateid(&mut args.src_stateid, ids);
            stateid(&mut args.dst_stateid, ids);
        }
        _ => {}
    }
}

fn stateid(id: &mut Stateid, ids: &impl Ids) {
    *id = ids.stateid(*id);
}

fn client(id: &mut ClientId, ids: &impl Ids) {
    id.0 = ids.client(id.0);
}

fn owner(owner: &mut Owner<'_>, ids: &impl Ids) {
    client(&mut owner.clientid, ids);
}

/// The reply as one to this callback: its xid, and what CB_SEQUENCE repeats.
pub(super) fn reply(record: &[u8], callback: &[u8]) -> Vec<u8> {
    let mut record = record.to_vec();
    let mut calls = CbCallReader::parse(callback);
    let xid = callback.first_chunk::<4>();
    if let (Some(place), Some(xid)) = (record.first_chunk_mut(), xid) {
        *place = *xid;
    }
    let first = calls.as_mut().map(|call| call.next_op());
    let Ok(Ok(Some(CbArgOp::Sequence(sequence)))) = first else {
        return record;
    };
    repeat(&record, &sequence).unwrap_or(record)
}

fn repeat(record: &[u8], sequence: &cb::CbSequence<'_>) -> Option<Vec<u8>> {
    let header = ReplyHeader::decode(record).ok()?;
    let mut r = Reader::at(record, header.outcome.ok()?.results);
    CompoundReplyHeader::decode(&mut r).ok()?;
    let mut w = Writer::new();
    w.raw(&record[..r.position()]);
    let mut first = CbResOp::decode(&mut r).ok()?;
    if let CbResOp::Sequence(Outcome::Ok(ok)) = &mut first {
        ok.sessionid = sequence.sessionid;
        ok.sequenceid = sequence.sequenceid;
        ok.slotid = sequence.slotid;
    }
    first.encode(&mut w);
    w.raw(&record[r.position()..]);
    Some(w.into_vec())
}
