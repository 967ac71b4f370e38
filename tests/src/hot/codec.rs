//! The codec of a measured COMPOUND, without an engine.

use std::hint::black_box;

use nfs4_proto::nfs4::any::{ArgOp, ResOp};
use nfs4_proto::nfs4::compound::CompoundHeader;
use nfs4_proto::rpc::{CallHeader, Mark};
use nfs4_proto::xdr::{Decode, Encode, Reader, Writer};

use super::{HotEngine, Shape, read};

/// A call and its reply, as records without their marks.
pub struct Codec {
    call: Vec<u8>,
    reply: Vec<u8>,
}

impl Codec {
    /// Those of a shape.
    pub fn new(shape: Shape) -> Codec {
        let mut hot = HotEngine::new(shape, false);
        let call = hot.read(1);
        hot.answer(call.clone());
        Codec {
            call: call[Mark::LEN..].to_vec(),
            reply: hot.reply()[Mark::LEN..].to_vec(),
        }
    }

    /// Decodes the RPC header, the COMPOUND's and each operation of the call, so many times.
    #[inline(never)]
    pub fn decode(&self, times: usize) {
        for _ in 0..times {
            let (_, body) = CallHeader::decode(black_box(&self.call)).expect("a call");
            let mut args = Reader::new(&self.call[body..]);
            let head = CompoundHeader::decode(&mut args).expect("a COMPOUND");
            for _ in 0..head.ops {
                black_box(ArgOp::decode(&mut args).expect("an operation"));
            }
        }
    }

    /// Encodes each result of the reply, so many times.
    #[inline(never)]
    pub fn encode(&self, times: usize) {
        let mut results: Vec<ResOp<'_>> = Vec::new();
        let mut reply = read(&self.reply);
        while let Some(result) = reply.next_result().expect("a result") {
            results.push(result);
        }
        let mut w = Writer::with_capacity(self.reply.len());
        for _ in 0..times {
            w.clear();
            for result in black_box(&results) {
                result.encode(&mut w);
            }
            black_box(w.as_slice());
        }
    }
}
