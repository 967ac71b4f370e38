//! Record marking.

use alloc::vec::Vec;

use bytes::{Buf, Bytes, BytesMut};

use crate::rpc::{Cut, Mark, RecordCutter, RecordError, RecordLimits};

/// However a stream is cut into pieces, the same records come out of it: those that a plain reading of
/// the RFC finds. And a record is the same in whatever fragments it is sent.
///
/// The first byte is the number of sizes that follow, in turn those of pieces and of fragments; the
/// rest is the stream.
pub fn record_marking(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let Some((sizes, stream)) = rest.split_at_checked(usize::from(*count)) else {
        return;
    };
    let plain = plain(stream);
    for how in [Take::Cut, Take::Body] {
        assert_eq!(cut(stream, &[], how), plain);
        assert_eq!(cut(stream, sizes, how), plain);
        assert_eq!(cut(stream, &[1], how), plain);
    }
    let (records, _) = plain;
    for record in records {
        let stream = fragments(&record, sizes);
        let again = cut(&stream, sizes, Take::Cut);
        assert_eq!(again, (alloc::vec![record], None));
    }
}

type Records = (Vec<Bytes>, Option<RecordError>);

/// How a caller takes a record of one fragment.
#[derive(Clone, Copy)]
enum Take {
    Cut,
    /// By [`RecordCutter::take_body`], where that is offered.
    Body,
}

/// Cuts a stream that arrives in pieces of these sizes, in turn; of none, all at once.
fn cut(stream: &[u8], sizes: &[u8], how: Take) -> Records {
    let mut cutter = RecordCutter::new(LIMITS);
    let mut buf = BytesMut::new();
    let mut records = Vec::new();
    let mut body = None;
    for piece in pieces(stream, sizes) {
        buf.extend_from_slice(piece);
        loop {
            if let Some(len) = body {
                if buf.len() < len {
                    break;
                }
                records.push(buf.split_to(len).freeze());
                body = None;
            }
            match cutter.cut(&mut buf) {
                Ok(Cut::Record(record)) => records.push(record),
                Ok(Cut::Need(need)) => {
                    assert!(need.missing() > 0);
                    body = match how {
                        Take::Cut => None,
                        Take::Body => cutter.take_body(),
                    };
                    if body.is_none() {
                        break;
                    }
                }
                Err(e) => return (records, Some(e)),
            }
        }
    }
    (records, None)
}

fn pieces<'a>(mut stream: &'a [u8], sizes: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    core::iter::from_fn(move || {
        if stream.is_empty() {
            return None;
        }
        let size = sizes
            .next()
            .map_or(stream.len(), |size| usize::from(*size).max(1));
        let (piece, rest) = stream.split_at(size.min(stream.len()));
        stream = rest;
        Some(piece)
    })
}

/// The records of a whole stream, read as RFC 5531 §11 has it.
fn plain(mut stream: &[u8]) -> Records {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut count = 0;
    while let Some(mark) = Mark::peek(stream) {
        let announced = record.len() + mark.len as usize;
        let max = LIMITS.max_record;
        if announced > max {
            return (records, Some(RecordError::TooLarge { announced, max }));
        }
        count += 1;
        let max = LIMITS.max_fragments;
        if count > max {
            return (records, Some(RecordError::TooManyFragments { max }));
        }
        stream.advance(Mark::LEN);
        let Some((fragment, rest)) = stream.split_at_checked(mark.len as usize) else {
            break;
        };
        record.extend_from_slice(fragment);
        stream = rest;
        if mark.last {
            records.push(core::mem::take(&mut record).into());
            count = 0;
        }
    }
    (records, None)
}

/// The record in fragments of these sizes, as many as there may be; the last has what is left.
fn fragments(record: &[u8], sizes: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut left = record;
    for size in sizes.iter().take(LIMITS.max_fragments as usize - 1) {
        let (fragment, rest) = left.split_at(usize::from(*size).min(left.len()));
        left = rest;
        let mark = Mark {
            last: false,
            len: fragment.len() as u32,
        };
        stream.extend_from_slice(&mark.to_bytes());
        stream.extend_from_slice(fragment);
    }
    let mark = Mark {
        last: true,
        len: left.len() as u32,
    };
    stream.extend_from_slice(&mark.to_bytes());
    stream.extend_from_slice(left);
    stream
}

const LIMITS: RecordLimits = RecordLimits {
    max_record: 256,
    max_fragments: 8,
};
