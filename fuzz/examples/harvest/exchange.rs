//! Calls with their replies.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use nfs4_engine::bytes::Bytes;
use nfs4_proto::client::{CallReader, ReplyReader};
use nfs4_proto::nfs4::any::{ArgOp, CbArgOp, CbResOp, ResOp};
use nfs4_proto::nfs4::compound::{CbCompoundHeader, CompoundHeader, CompoundReplyHeader};
use nfs4_proto::rpc::{
    CallHeader, MessageType, NFS4_PROGRAM, ReplyHeader, parse_uaddr, peek_message_type,
};
use nfs4_proto::xdr::{Decode, Reader};

use super::capture::{End, Record};

/// A call, and its reply if there was one.
pub struct Exchange {
    /// The number of the connection.
    pub connection: usize,
    /// Where the connection was opened from, and to.
    pub ends: (End, End),
    /// Whether the server called.
    pub is_callback: bool,
    /// The record of the call.
    pub call: Bytes,
    /// The record of the reply.
    pub reply: Option<Bytes>,
}

/// The calls of NFS in the order in which they were sent.
pub fn exchanges(records: Vec<Record>) -> Vec<Exchange> {
    let mut found: Vec<Exchange> = Vec::new();
    let mut open = HashMap::new();
    for record in records {
        let key = |by_opener, xid| (record.connection, by_opener, xid);
        match peek_message_type(&record.bytes) {
            Ok((xid, MessageType::Call)) => {
                let Ok((header, _)) = CallHeader::decode(&record.bytes) else {
                    continue;
                };
                let is_callback = header.vers == 1 && header.prog >= 0x4000_0000;
                if is_callback || header.prog == NFS4_PROGRAM {
                    open.insert(key(record.by_opener, xid), found.len());
                    found.push(Exchange {
                        connection: record.connection,
                        ends: record.ends,
                        is_callback,
                        call: record.bytes,
                        reply: None,
                    });
                }
            }
            Ok((xid, MessageType::Reply)) => {
                if let Some(at) = open.remove(&key(!record.by_opener, xid)) {
                    found[at].reply = Some(record.bytes);
                }
            }
            Err(_) => {}
        }
    }
    found
}

/// Those between kernels' clients and their servers: on connections by which a kernel's client has made
/// itself known, others to the same servers that were opened by no other client, and callbacks.
pub fn of_linux(exchanges: Vec<Exchange>) -> Vec<Exchange> {
    let (mut servers, mut listeners) = (HashSet::new(), HashSet::new());
    let mut others = HashSet::new();
    for exchange in &exchanges {
        for op in exchange.operations() {
            let name = match op {
                ArgOp::ExchangeId(args) => args.clientowner.ownerid,
                ArgOp::SetClientId(args) => args.client.id,
                _ => continue,
            };
            if !name.starts_with(b"Linux NFS") {
                others.insert(exchange.connection);
                continue;
            }
            servers.insert(exchange.ends.1);
            if let ArgOp::SetClientId(args) = op
                && let Some(SocketAddr::V4(at)) = parse_uaddr(
                    args.callback.cb_location.netid,
                    args.callback.cb_location.addr,
                )
            {
                listeners.insert((at.ip().octets(), at.port()));
            }
        }
    }
    let is_linux = |exchange: &Exchange| {
        let end = exchange.ends.1;
        !others.contains(&exchange.connection)
            && (servers.contains(&end) || listeners.contains(&end))
    };
    exchanges.into_iter().filter(is_linux).collect()
}

impl Exchange {
    /// COMPOUND4args or CB_COMPOUND4args.
    pub fn args(&self) -> Option<&[u8]> {
        let (header, at) = CallHeader::decode(&self.call).ok()?;
        (header.proc == 1).then(|| &self.call[at..])
    }

    /// COMPOUND4res or CB_COMPOUND4res.
    pub fn results(&self) -> Option<&[u8]> {
        self.args()?;
        let reply = self.reply.as_ref()?;
        let header = ReplyHeader::decode(reply).ok()?;
        Some(&reply[header.outcome.ok()?.results..])
    }

    /// The minor version and the names of the operations.
    pub fn shape(&self) -> Option<(u32, Vec<&'static str>)> {
        let mut r = Reader::new(self.args()?);
        if self.is_callback {
            let header = CbCompoundHeader::decode(&mut r).ok()?;
            let ops = (0..header.ops).map_while(|_| CbArgOp::decode(&mut r).ok());
            return Some((header.minorversion, ops.map(|op| op.op().name()).collect()));
        }
        let header = CompoundHeader::decode(&mut r).ok()?;
        let ops = (0..header.ops).map_while(|_| ArgOp::decode(&mut r).ok());
        Some((header.minorversion, ops.map(|op| op.op().name()).collect()))
    }

    /// The status of the COMPOUND and the number of its results.
    pub fn outcome(&self) -> Option<(String, u32)> {
        let mut r = Reader::new(self.results()?);
        let header = CompoundReplyHeader::decode(&mut r).ok()?;
        for _ in 0..header.ops {
            if self.is_callback {
                CbResOp::decode(&mut r).ok()?;
            } else {
                ResOp::decode(&mut r).ok()?;
            }
        }
        Some((header.status.to_string(), header.ops))
    }

    /// The operations of a call of the client.
    pub fn operations(&self) -> Vec<ArgOp<'_>> {
        let mut found = Vec::new();
        if let Ok(mut call) = CallReader::parse(&self.call)
            && !self.is_callback
        {
            while let Ok(Some(op)) = call.next_op() {
                found.push(op);
            }
        }
        found
    }

    /// The results that the client got.
    pub fn operation_results(&self) -> Vec<ResOp<'_>> {
        let mut found = Vec::new();
        if let Some(Ok(mut reply)) = self.reply.as_deref().map(ReplyReader::parse)
            && !self.is_callback
        {
            while let Ok(Some(result)) = reply.next_result() {
                found.push(result);
            }
        }
        found
    }
}
