//! The bodies of fuzz targets: each takes any bytes and panics if a promise is broken.

mod attributes;
mod callback;
mod compound;
mod header;
mod print;
mod record;
mod walk;

pub use self::attributes::attributes;
pub use self::callback::callback;
pub use self::compound::compound;
pub use self::header::rpc_header;
pub use self::record::record_marking;

use crate::nfs4::any::{ArgOp, CbArgOp, CbResOp, ResOp};
use crate::nfs4::compound::{CbCompoundHeader, CompoundHeader, CompoundReplyHeader};
use crate::rpc::{AuthSys, CallHeader, ReplyHeader};
use crate::xdr::{Decode, Reader};

/// Decodes `data` as a message of each kind, walks over all lists and prints all of it: what must not
/// allocate, whatever the bytes are. This crate cannot count that; a caller can.
pub fn decode(data: &[u8]) {
    if let Ok((header, _)) = CallHeader::decode(data) {
        let _ = AuthSys::from_body(header.cred.body);
    }
    let _ = ReplyHeader::decode(data);
    print::messages(data);
    let mut r = Reader::new(data);
    if let Ok(header) = CompoundHeader::decode(&mut r) {
        walk::print_all::<ArgOp<'_>>(header.ops, r);
    }
    let mut r = Reader::new(data);
    if let Ok(header) = CompoundReplyHeader::decode(&mut r) {
        walk::print_all::<ResOp<'_>>(header.ops, r);
        walk::print_all::<CbResOp<'_>>(header.ops, r);
    }
    let mut r = Reader::new(data);
    if let Ok(header) = CbCompoundHeader::decode(&mut r) {
        walk::print_all::<CbArgOp<'_>>(header.ops, r);
    }
    attributes::decode(data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nfs4::OpNum;
    use crate::xdr::sample::{Sample, Tape};
    use crate::xdr::{Encode, Writer};

    fn all(data: &[u8]) {
        record_marking(data);
        rpc_header(data);
        compound(data);
        callback(data);
        attributes(data);
        decode(data);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 512,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes(
            data in proptest::collection::vec(prop_oneof![8 => 0..6_u8, 1 => any::<u8>()], 0..400),
        ) {
            all(&data);
        }

        #[test]
        fn messages_with_a_changed_byte(
            tape in proptest::collection::vec(any::<u8>(), 0..400),
            at in 0..600_usize,
            byte in any::<u8>(),
        ) {
            let mut w = Writer::new();
            let mut tape = Tape::new(&tape);
            let ops = 4;
            CompoundHeader { tag: b"", minorversion: 1, ops }.encode(&mut w);
            for _ in 0..ops {
                ArgOp::sample(&mut tape, &mut w);
            }
            let mut data = w.into_vec();
            all(&data);
            if let Some(place) = data.get_mut(at) {
                *place = byte;
            }
            all(&data);
        }
    }

    #[test]
    fn a_body_reaches_every_operation() {
        for op in 0..100 {
            let mut w = Writer::new();
            CompoundHeader {
                tag: b"",
                minorversion: 2,
                ops: 1,
            }
            .encode(&mut w);
            OpNum(op).encode(&mut w);
            w.raw(&[0; 400]);
            all(w.as_slice());
        }
    }
}
