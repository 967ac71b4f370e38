//! The COMPOUND4res under construction.

use alloc::vec::Vec;

use bytes::Bytes;
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::record::write_mark;
use nfs4_proto::rpc::reply::{SUCCESS_HEADER_LEN, success_header};
use nfs4_proto::xdr::Writer;

use crate::action::Outbox;
use crate::fs::Payload;
use crate::ids::ConnId;

/// A reply: encoded bytes, and large payloads that are spliced in when it is sent.
pub(crate) struct Reply {
    w: Writer,
    // Each payload with the offset in `w` before which it is spliced.
    payloads: Vec<(usize, Bytes)>,
    payload_len: usize,
    /// The list that is lent to the file system for the pieces of a READ.
    list: Vec<Bytes>,
    count_at: usize,
    op: OpMark,
    results: u32,
    status: Status,
}

/// Where the result of the current operation begins.
#[derive(Clone, Copy, Default)]
struct OpMark {
    at: usize,
    /// The operation is SETATTR.
    sets: bool,
    payloads: usize,
    payload_len: usize,
}

impl Reply {
    pub(crate) fn new() -> Reply {
        Reply {
            w: Writer::new(),
            payloads: Vec::new(),
            payload_len: 0,
            list: Vec::new(),
            count_at: 0,
            op: OpMark::default(),
            results: 0,
            status: Status::OK,
        }
    }

    /// Starts a reply with this tag; it reuses the memory of the previous one.
    pub(crate) fn begin(&mut self, tag: &[u8]) {
        self.w.clear();
        self.payloads.clear();
        self.payload_len = 0;
        self.results = 0;
        self.status = Status::OK;
        self.w.u32(Status::OK.0);
        self.w.opaque(tag);
        self.count_at = self.w.reserve_u32();
    }

    /// Length so far, payloads included.
    pub(crate) fn len(&self) -> usize {
        self.w.len() + self.payload_len
    }

    /// Allocated bytes, without those of payloads. The list may come from a file system.
    pub(crate) fn capacity(&self) -> usize {
        self.w.capacity()
            + self.payloads.capacity() * size_of::<(usize, Bytes)>()
            + self.list.capacity() * size_of::<Bytes>()
    }

    /// Where results are encoded.
    pub(crate) fn body(&mut self) -> &mut Writer {
        &mut self.w
    }

    /// Starts the result of an operation.
    pub(crate) fn begin_op(&mut self, op: OpNum) {
        self.op = OpMark {
            at: self.w.len(),
            sets: op == Op::SetAttr.number(),
            payloads: self.payloads.len(),
            payload_len: self.payload_len,
        };
        self.results += 1;
        self.w.u32(op.0);
        self.w.u32(Status::OK.0);
    }

    /// Ends the result of an operation. The encoded body of a failed operation is dropped, unless
    /// `keep_body`. SETATTR always has a body, the attributes that were set. [RFC 8881 §18.30.2]
    pub(crate) fn end_op(&mut self, status: Status, keep_body: bool) {
        self.status = status;
        if status != Status::OK {
            if !keep_body {
                self.drop_body();
                if self.op.sets {
                    self.w.u32(0);
                }
            }
            self.w.patch_u32(self.op.at + 4, status.0);
        }
    }

    /// Drops what the current operation has encoded.
    pub(crate) fn drop_body(&mut self) {
        self.w.truncate(self.op.at + 8);
        self.payloads.truncate(self.op.payloads);
        self.payload_len = self.op.payload_len;
    }

    /// The body of the current result, without large payloads.
    pub(crate) fn op_body(&self) -> &[u8] {
        let from = self.op.at + 8;
        self.w.as_slice().get(from..).unwrap_or_default()
    }

    /// An empty payload for the file system to answer a READ with, which
    /// [`payload`](Reply::payload) gives back.
    #[inline]
    pub(crate) fn lend(&mut self) -> Payload {
        Payload::with_list(core::mem::take(&mut self.list))
    }

    /// Appends an opaque; the pieces of a large one are spliced.
    pub(crate) fn payload(&mut self, data: Payload) {
        match data.only() {
            // By far the most: it needs no loop.
            Some(only) if only.len() <= COPY_UP_TO => {
                self.w.opaque(only);
                let list = data.take_apart(drop);
                if list.capacity() > 0 {
                    self.list = list;
                }
            }
            Some(_) | None => self.pieces(data),
        }
    }

    #[inline(never)]
    fn pieces(&mut self, data: Payload) {
        let len = data.len();
        // Bounded by `max_io`, far below 2^32.
        self.w.u32(u32::try_from(len).unwrap_or(u32::MAX));
        self.list = if len <= COPY_UP_TO {
            data.take_apart(|piece| self.w.raw(&piece))
        } else {
            let at = self.w.len();
            self.payload_len += len;
            data.take_apart(|piece| self.payloads.push((at, piece)))
        };
        self.w.pad(len);
    }

    /// Appends encoded bytes; large ones are spliced.
    pub(crate) fn encoded(&mut self, bytes: Vec<u8>) {
        if bytes.len() <= COPY_UP_TO {
            self.w.raw(&bytes);
            return;
        }
        self.payload_len += bytes.len();
        self.payloads.push((self.w.len(), Bytes::from(bytes)));
    }

    /// Completes the header; the reply can then be sent.
    pub(crate) fn finish(&mut self) {
        self.w.patch_u32(0, self.status.0);
        self.w.patch_u32(self.count_at, self.results);
    }

    /// Sets the status of a reply that stops before any operation.
    pub(crate) fn refuse(&mut self, status: Status) {
        self.status = status;
    }

    /// Whether the last operation failed before it was executed.
    pub(crate) fn ends_unexecuted(&self) -> bool {
        matches!(
            self.status,
            Status::OP_ILLEGAL | Status::BADXDR | Status::NOTSUPP
        )
    }

    /// Sends the reply.
    pub(crate) fn send(&mut self, conn: ConnId, xid: u32, out: &mut Outbox) {
        let head = rpc_head(xid, self.len());
        out.reply(conn, &head, self.w.as_slice(), &mut self.payloads);
    }

    /// Drops the reply: its connection is closed.
    pub(crate) fn discard(&mut self) {
        self.payloads.clear();
    }

    /// Appends the reply, payloads included, to `copy`.
    pub(crate) fn copy_to(&self, copy: &mut Vec<u8>) {
        copy.reserve_exact(self.len());
        let bytes = self.w.as_slice();
        let mut from = 0;
        for (offset, payload) in &self.payloads {
            copy.extend_from_slice(bytes.get(from..*offset).unwrap_or_default());
            copy.extend_from_slice(payload);
            from = *offset;
        }
        copy.extend_from_slice(bytes.get(from..).unwrap_or_default());
    }
}

/// The record mark and RPC header of a reply with a COMPOUND4res of `len` bytes.
pub(crate) fn rpc_head(xid: u32, len: usize) -> [u8; 4 + SUCCESS_HEADER_LEN] {
    let mut head = [0; 4 + SUCCESS_HEADER_LEN];
    let (mark, header) = head.split_at_mut(4);
    mark.copy_from_slice(&write_mark(SUCCESS_HEADER_LEN + len));
    header.copy_from_slice(&success_header(xid));
    head
}

/// Maximum length of a payload that is copied, in bytes; a copy is cheaper than a splice up to here.
const COPY_UP_TO: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_encoded_result_is_spliced_not_copied() {
        for (len, copied) in [(COPY_UP_TO, true), (COPY_UP_TO + 4, false)] {
            let mut reply = Reply::new();
            reply.begin(b"");
            reply.begin_op(Op::ReadDir.number());
            let before = reply.w.len();
            reply.encoded(alloc::vec![7; len]);
            assert_eq!(reply.w.len() - before, if copied { len } else { 0 });
            assert_eq!(reply.len() - before, len);
            let mut whole = Vec::new();
            reply.copy_to(&mut whole);
            assert_eq!(whole.get(before..), Some(&*alloc::vec![7; len]));
            reply.end_op(Status::SERVERFAULT, false);
            assert_eq!(reply.len(), before, "a failed result drops its payload");
        }
    }

    #[test]
    fn the_list_of_a_file_system_counts_as_memory() {
        let mut reply = Reply::new();
        reply.begin(b"");
        reply.begin_op(Op::Read.number());
        let before = reply.capacity();
        reply.payload(Payload::with_list(Vec::with_capacity(4_096)));
        assert!(reply.capacity() >= before + 4_096 * size_of::<Bytes>());
    }
}
