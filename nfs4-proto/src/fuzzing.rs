//! The bodies of fuzz targets: each takes any bytes and panics if a promise is broken.

use alloc::string::ToString;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::dump::Dump;
use crate::nfs4::FattrRaw;
use crate::nfs4::any::{ArgOp, CbArgOp, CbResOp, ResOp};
use crate::nfs4::attr::{Bitmap, SettableAttrs, num};
use crate::nfs4::compound::{CbCompoundHeader, CompoundHeader, CompoundReplyHeader};
use crate::rpc::{
    AuthSys, CallError, CallHeader, Cut, RecordCutter, RecordError, RecordLimits, ReplyHeader,
};
use crate::xdr::{Decode, Encode, Reader, Writer};

/// Checks that what decodes is encoded in no more bytes, and that those decode to the same.
macro_rules! inverse {
    ($t:ty) => {
        |bytes: &[u8]| {
            let Ok(value) = <$t>::decode(&mut Reader::new(bytes)) else {
                return;
            };
            let mut w = Writer::new();
            value.encode(&mut w);
            assert!(w.len() <= bytes.len(), "it grows");
            let mut r = Reader::new(w.as_slice());
            assert_eq!(<$t>::decode(&mut r), Ok(value));
            assert!(r.is_empty(), "something is left");
        }
    };
}

/// However a stream is cut into pieces, the same records come out of it and none over the limit.
pub fn record_marking(data: &[u8]) {
    let Some((first, stream)) = data.split_first() else {
        return;
    };
    let whole = cut_all(stream, stream.len().max(1));
    let pieces = cut_all(stream, usize::from(*first).max(1));
    assert_eq!(whole, pieces);
    for record in &whole.0 {
        assert!(record.len() <= LIMITS.max_record);
    }
}

/// Headers and credentials decode to something that encodes to itself, or not at all.
pub fn rpc_header(data: &[u8]) {
    match CallHeader::decode(data) {
        Ok((header, at)) => {
            assert!(at <= data.len());
            let mut w = Writer::new();
            header.encode(&mut w);
            assert_eq!(CallHeader::decode(w.as_slice()), Ok((header, w.len())));
            inverse!(AuthSys<'_>)(header.cred.body);
        }
        Err(CallError::Answer { xid, .. } | CallError::NotACall { xid }) => {
            assert_eq!(Reader::new(data).u32(), Ok(xid));
        }
        Err(CallError::NoHeader) => {}
    }
    if let Ok(header) = ReplyHeader::decode(data) {
        assert_eq!(Reader::new(data).u32(), Ok(header.xid));
        assert!(header.outcome.is_ok_and(|a| a.results <= data.len()) || header.outcome.is_err());
    }
    dump(data);
}

/// Operations and results of both programs decode to something that encodes to itself, or not at
/// all.
pub fn compound_walk(data: &[u8]) {
    let mut r = Reader::new(data);
    if let Ok(header) = CompoundHeader::decode(&mut r) {
        walk(header.ops, r, inverse!(ArgOp<'_>), |op: &ArgOp<'_>| {
            if let ArgOp::SetAttr(args) = op {
                fattr(&args.obj_attributes);
            } else if let ArgOp::Create(args) = op {
                fattr(&args.createattrs);
            }
        });
    }
    let mut r = Reader::new(data);
    if let Ok(header) = CompoundReplyHeader::decode(&mut r) {
        walk(header.ops, r, inverse!(ResOp<'_>), |_: &ResOp<'_>| {});
        walk(header.ops, r, inverse!(CbResOp<'_>), |_: &CbResOp<'_>| {});
    }
    let mut r = Reader::new(data);
    if let Ok(header) = CbCompoundHeader::decode(&mut r) {
        walk(header.ops, r, inverse!(CbArgOp<'_>), |_: &CbArgOp<'_>| {});
    }
    dump(data);
}

fn cut_all(stream: &[u8], step: usize) -> (Vec<Bytes>, Option<RecordError>) {
    let mut cutter = RecordCutter::new(LIMITS);
    let mut buf = BytesMut::new();
    let mut records = Vec::new();
    for piece in stream.chunks(step) {
        buf.extend_from_slice(piece);
        loop {
            match cutter.cut(&mut buf) {
                Ok(Cut::Record(record)) => records.push(record),
                Ok(Cut::Need(need)) => {
                    assert!(need.missing() > 0);
                    break;
                }
                Err(e) => return (records, Some(e)),
            }
        }
    }
    (records, None)
}

fn walk<'a, T>(count: u32, mut r: Reader<'a>, inverse: fn(&[u8]), also: impl Fn(&T))
where
    T: Decode<'a> + Encode + PartialEq + core::fmt::Debug,
{
    for _ in 0..count {
        let start = r.position();
        let Ok(item) = T::decode(&mut r) else { return };
        assert!(r.position() > start, "no progress");
        let line = alloc::format!("{item:?}");
        assert!(!line.contains('\n'));
        inverse(r.since(start));
        also(&item);
    }
}

fn fattr(raw: &FattrRaw<'_>) {
    let all = num::READABLE | num::WRITABLE;
    if let Ok(attrs) = SettableAttrs::decode(raw, &all) {
        assert_eq!(attrs.mask(), raw.mask);
        let mut w = Writer::new();
        attrs.encode_values(&mut w);
        let again = FattrRaw {
            mask: raw.mask,
            values: w.as_slice(),
        };
        assert_eq!(SettableAttrs::decode(&again, &all), Ok(attrs));
    }
    assert!(raw.values().count() <= 32 * Bitmap::WORDS + 1);
}

fn dump(data: &[u8]) {
    for line in [
        Dump::new(data).to_string(),
        Dump::callback(data).to_string(),
    ] {
        assert!(!line.contains('\n'));
    }
}

const LIMITS: RecordLimits = RecordLimits {
    max_record: 256,
    max_fragments: 8,
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xdr::sample::{Sample, Tape};

    fn all(data: &[u8]) {
        record_marking(data);
        rpc_header(data);
        compound_walk(data);
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
}
