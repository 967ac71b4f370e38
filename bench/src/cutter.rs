//! The records in what a connection receives.

use nfs4_proto::rpc::Mark;

/// Cuts a stream into records. Of a record that does not arrive in one piece only the beginning is
/// kept, so that bulk data costs the reader no second copy.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    mark: [u8; Mark::LEN],
    /// The number of bytes of the mark that have arrived.
    marked: usize,
    /// The number of bytes of the fragment that are still to come.
    left: usize,
    /// Bytes of the record so far, and the beginning of it.
    len: usize,
    head: Vec<u8>,
}

/// Maximum number of bytes that are kept of a record that arrives in pieces.
pub(crate) const HEAD: usize = 1_024;

impl Cutter {
    /// Calls `each` with the beginning and the length of every record that ends in `bytes`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8], usize)) {
        while !bytes.is_empty() {
            if self.marked == 0
                && self.len == 0
                && let Some(mark) = Mark::peek(bytes)
                && mark.last
                && let Some(record) = bytes.get(Mark::LEN..Mark::LEN + mark.len as usize)
            {
                each(record, record.len());
                bytes = &bytes[Mark::LEN + record.len()..];
                continue;
            }
            bytes = self.piece(bytes);
            if self.marked == Mark::LEN && self.left == 0 {
                self.marked = 0;
                if Mark::from_bytes(self.mark).last {
                    each(&self.head, self.len);
                    self.head.clear();
                    self.len = 0;
                }
            }
        }
    }

    /// Takes bytes of a mark or of the fragment behind it, and returns what follows.
    fn piece<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.marked < Mark::LEN {
            let (now, later) = bytes.split_at(bytes.len().min(Mark::LEN - self.marked));
            self.mark[self.marked..self.marked + now.len()].copy_from_slice(now);
            self.marked += now.len();
            if self.marked == Mark::LEN {
                self.left = Mark::from_bytes(self.mark).len as usize;
            }
            return later;
        }
        let (now, later) = bytes.split_at(bytes.len().min(self.left));
        let kept = now.len().min(HEAD - self.head.len());
        self.head.extend_from_slice(&now[..kept]);
        self.left -= now.len();
        self.len += now.len();
        later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stream: &[u8], at_once: usize) -> Vec<(Vec<u8>, usize)> {
        let mut cutter = Cutter::default();
        let mut found = Vec::new();
        for piece in stream.chunks(at_once) {
            cutter.feed(piece, |head, len| {
                found.push((head[..len.min(HEAD)].to_vec(), len));
            });
        }
        found
    }

    #[test]
    fn records_are_the_same_however_the_stream_is_cut() {
        let long: Vec<u8> = (0..3_000_u32).map(|n| n as u8).collect();
        let fragment = |last, body: &[u8]| {
            let len = body.len() as u32;
            [&Mark { last, len }.to_bytes()[..], body].concat()
        };
        let stream = [
            fragment(true, b"abcd"),
            fragment(true, &long),
            fragment(false, b"ab"),
            fragment(false, b""),
            fragment(true, b"cdefgh"),
            fragment(false, b"xy"),
            fragment(true, b""),
            fragment(true, b"end!"),
        ]
        .concat();
        let expected = [
            (b"abcd".to_vec(), 4),
            (long[..HEAD].to_vec(), 3_000),
            (b"abcdefgh".to_vec(), 8),
            (b"xy".to_vec(), 2),
            (b"end!".to_vec(), 4),
        ];
        for at_once in [1, 2, 3, 5, 7, 64, 1_000, stream.len()] {
            assert_eq!(cut(&stream, at_once), expected, "{at_once} bytes at once");
        }
    }
}
