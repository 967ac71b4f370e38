//! Encoding of CB_COMPOUND. [RFC 8881 §19.2, §20]

use alloc::boxed::Box;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::{ClientId, SessionId, Stateid};
use nfs4_proto::nfs4::callback::args;
use nfs4_proto::nfs4::compound::CbCompoundHeader;
use nfs4_proto::nfs4::consts::NFS4_OPAQUE_LIMIT;
use nfs4_proto::nfs4::opnum::CbOp;
use nfs4_proto::rpc::{MessageType, NFS_CB, OpaqueAuth, RPC_VERSION, write_mark};
use nfs4_proto::xdr::{Encode, List, Writer};

use super::{CallbackOp, Promise, Referred};
use crate::fh::Fh;
use crate::slab::Key;

/// The parts of a CB_COMPOUND besides its operation.
pub(crate) struct Frame {
    pub(crate) session: SessionId,
    pub(crate) slot: u32,
    pub(crate) seqid: u32,
    pub(crate) highest: u32,
    pub(crate) minor: u32,
    pub(crate) client: u64,
    /// A request whose reply the client may not have seen: its session, slot and seqid.
    pub(crate) referring: Option<(SessionId, u32, u32)>,
}

/// CB_COMPOUND4args: CB_SEQUENCE and the operation.
pub(crate) fn body(frame: &Frame, op: &CallbackOp) -> Box<[u8]> {
    let mut w = Writer::with_capacity(256);
    CbCompoundHeader {
        tag: b"",
        minorversion: frame.minor,
        callback_ident: 0,
        ops: 2,
    }
    .encode(&mut w);
    let call = frame.referring.map(|(sessionid, slotid, sequenceid)| {
        let call = args::ReferringCall { sequenceid, slotid };
        (sessionid, [call])
    });
    let list = call.as_ref().map(|(sessionid, calls)| {
        [args::ReferringCalls {
            sessionid: *sessionid,
            referring_calls: List::new(calls),
        }]
    });
    CbOp::Sequence.number().encode(&mut w);
    args::CbSequence {
        sessionid: frame.session,
        sequenceid: frame.seqid,
        slotid: frame.slot,
        highest_slotid: frame.highest,
        cachethis: false,
        referring_call_lists: list.as_ref().map_or(List::empty(), |list| List::new(list)),
    }
    .encode(&mut w);
    op.op().number().encode(&mut w);
    operation(op, frame.client, &mut w);
    w.into_vec().into_boxed_slice()
}

/// Maximum length of the CB_COMPOUND4args of this operation, in bytes.
pub(crate) fn longest(op: &CallbackOp) -> usize {
    let session = SessionId::default();
    let refers = match op {
        CallbackOp::Recall { granted, .. } => granted.is_some(),
        CallbackOp::GetAttr { .. }
        | CallbackOp::RecallAny { .. }
        | CallbackOp::RecallSlot { .. }
        | CallbackOp::NotifyLock { .. } => false,
    };
    let frame = Frame {
        session,
        slot: 0,
        seqid: 0,
        highest: 0,
        minor: 0,
        client: 0,
        referring: refers.then_some((session, 0, 0)),
    };
    body(&frame, op).len()
}

impl Promise {
    /// Length of the CB_COMPOUND4args of the longest callback of this kind, in bytes.
    pub(super) fn longest(self) -> usize {
        let fh = Fh::LONGEST;
        longest(&match self {
            Promise::Recall => CallbackOp::Recall {
                stateid: Stateid::ANONYMOUS,
                truncate: false,
                fh,
                granted: Some(Referred {
                    session: Key::new(0, 0),
                    slot: 0,
                    seqid: 0,
                }),
            },
            Promise::NotifyLock => CallbackOp::NotifyLock {
                fh,
                owner: Box::new([0; NFS4_OPAQUE_LIMIT]),
            },
        })
    }
}

pub(crate) fn operation(op: &CallbackOp, client: u64, w: &mut Writer) {
    match op {
        CallbackOp::Recall {
            stateid,
            truncate,
            fh,
            granted: _,
        } => {
            stateid.encode(w);
            truncate.encode(w);
            fh.encode(w);
        }
        CallbackOp::GetAttr { fh, mask } => {
            fh.encode(w);
            mask.encode(w);
        }
        CallbackOp::RecallAny { keep, types } => {
            w.u32(*keep);
            types.encode(w);
        }
        CallbackOp::RecallSlot { target } => w.u32(*target),
        CallbackOp::NotifyLock { fh, owner } => {
            fh.encode(w);
            ClientId(client).encode(w);
            w.opaque(owner);
        }
    }
}

/// Record mark and RPC header of a callback with arguments of `len` bytes; the credential is
/// encoded already. [RFC 5531 §9]
pub(crate) fn head(
    xid: u32,
    program: u32,
    procedure: u32,
    credential: &[u8],
    len: usize,
) -> Vec<u8> {
    let mut w = Writer::with_capacity(512);
    w.reserve_u32();
    w.u32(xid);
    w.u32(MessageType::Call.number());
    w.u32(RPC_VERSION);
    w.u32(program);
    w.u32(NFS_CB);
    w.u32(procedure);
    w.raw(credential);
    OpaqueAuth::NONE.encode(&mut w);
    let mark = write_mark(w.len() - 4 + len);
    w.patch_u32(0, u32::from_be_bytes(mark));
    w.into_vec()
}

#[cfg(test)]
mod tests {
    use nfs4_proto::client::CbCallReader;
    use nfs4_proto::nfs4::any::CbArgOp;
    use nfs4_proto::nfs4::attr::Bitmap;
    use nfs4_proto::nfs4::basic::{Owner, Stateid};
    use nfs4_proto::rpc::CB_COMPOUND;

    use super::*;
    use crate::callback::channel::no_credential;
    use crate::fh::Fh;
    use crate::fs::FsHandle;

    #[test]
    fn a_client_decodes_every_callback_operation() {
        let fh = Fh {
            export: 0,
            handle: FsHandle::new(b"file").unwrap(),
        };
        let wire = [&[1, 0, 0][..], b"file"].concat();
        let session = SessionId([3; 16]);
        let frame = Frame {
            session,
            slot: 2,
            seqid: 9,
            highest: 4,
            minor: 1,
            client: 77,
            referring: Some((session, 5, 6)),
        };
        let stateid = Stateid {
            seqid: 1,
            other: [8; 12],
        };
        let mask = Bitmap::of(&[3, 4]);
        let recall = CallbackOp::Recall {
            stateid,
            truncate: true,
            fh,
            granted: None,
        };
        let owner = Owner {
            clientid: ClientId(77),
            owner: b"locker",
        };
        let cases = [
            (
                recall,
                CbArgOp::Recall(args::CbRecall {
                    stateid,
                    truncate: true,
                    fh: &wire,
                }),
            ),
            (
                CallbackOp::GetAttr { fh, mask },
                CbArgOp::GetAttr(args::CbGetAttr {
                    fh: &wire,
                    attr_request: mask,
                }),
            ),
            (
                CallbackOp::RecallAny {
                    keep: 3,
                    types: mask,
                },
                CbArgOp::RecallAny(args::CbRecallAny {
                    objects_to_keep: 3,
                    type_mask: mask,
                }),
            ),
            (
                CallbackOp::RecallSlot { target: 7 },
                CbArgOp::RecallSlot(args::CbRecallSlot {
                    target_highest_slotid: 7,
                }),
            ),
            (
                CallbackOp::NotifyLock {
                    fh,
                    owner: (*b"locker").into(),
                },
                CbArgOp::NotifyLock(args::CbNotifyLock {
                    fh: &wire,
                    lock_owner: owner,
                }),
            ),
        ];
        for (op, expected) in cases {
            let body = body(&frame, &op);
            let mut record = head(5, 0x4000_0000, CB_COMPOUND, &no_credential(), body.len());
            record.extend_from_slice(&body);
            let mut call = CbCallReader::parse(&record[4..]).unwrap();
            assert_eq!(record[..4], write_mark(record.len() - 4));
            assert_eq!((call.rpc().prog, call.rpc().vers), (0x4000_0000, 1));
            assert_eq!((call.rpc().proc, call.rpc().xid), (1, 5));
            let referring = [args::ReferringCall {
                sequenceid: 6,
                slotid: 5,
            }];
            let lists = [args::ReferringCalls {
                sessionid: session,
                referring_calls: List::new(&referring),
            }];
            let sequence = args::CbSequence {
                sessionid: session,
                sequenceid: 9,
                slotid: 2,
                highest_slotid: 4,
                cachethis: false,
                referring_call_lists: List::new(&lists),
            };
            assert_eq!(call.next_op(), Ok(Some(CbArgOp::Sequence(sequence))));
            assert_eq!(call.next_op(), Ok(Some(expected)));
            assert_eq!(call.finish(), Ok(()));
        }
    }
}
