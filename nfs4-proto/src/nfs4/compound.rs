//! The frame around operations and their results, in both directions.

use crate::xdr::{Decode, Reader, XdrError, xdr};

use super::Status;
use super::consts::NFS4_OPAQUE_LIMIT;

xdr! {
    /// What a COMPOUND starts with; the operations follow [RFC 8881 §16.2].
    struct CompoundHeader<'a> {
        tag: &'a [u8] [max NFS4_OPAQUE_LIMIT],
        minorversion: u32,
        ops: u32,
    }

    /// What the reply to a COMPOUND or CB_COMPOUND starts with; the results follow
    /// [RFC 8881 §16.2, §19.2].
    struct CompoundReplyHeader<'a> {
        status: Status,
        tag: &'a [u8] [max NFS4_OPAQUE_LIMIT],
        ops: u32,
    }

    /// What a CB_COMPOUND starts with; the operations follow [RFC 8881 §19.2].
    struct CbCompoundHeader<'a> {
        tag: &'a [u8] [max NFS4_OPAQUE_LIMIT],
        minorversion: u32,
        callback_ident: u32,
        ops: u32,
    }
}

impl<'a> CompoundHeader<'a> {
    /// Reads the header of the arguments at `pos` of a record and leaves the reader at the first
    /// operation.
    pub fn at(record: &'a [u8], pos: usize) -> Result<(Self, Reader<'a>), XdrError> {
        let mut r = Reader::at(record, pos);
        let header = Self::decode(&mut r)?;
        Ok((header, r))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xdr::{Encode, Writer};

    #[test]
    fn leaves_the_reader_at_the_first_operation() {
        let mut w = Writer::new();
        w.u64(0);
        CompoundHeader {
            tag: b"mount",
            minorversion: 1,
            ops: 2,
        }
        .encode(&mut w);
        w.u32(53);
        let (header, mut r) = CompoundHeader::at(w.as_slice(), 8).unwrap();
        assert_eq!((header.tag, header.ops), (&b"mount"[..], 2));
        assert_eq!(r.u32(), Ok(53));
    }
}
