//! The bytes of a READ.

use alloc::vec::Vec;
use core::{iter, option, slice};

use bytes::Bytes;

/// Bytes of a file in pieces, which are sent one after the other without being copied.
///
/// It needs no memory for one piece. Each [`FsOp::Read`](super::FsOp::Read) brings an empty one with
/// the memory of an earlier one, so that a file system that answers with it needs none for several
/// pieces either.
///
/// A piece is a snapshot: it stays as it is, however long it takes to send it. It keeps alive the whole
/// buffer that it is a slice of. A file system that answers with small slices of large buffers, and
/// replaces these, therefore needs more memory than the bytes that wait to be sent.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// Present whenever there are others.
    first: Option<Bytes>,
    others: Vec<Bytes>,
    len: usize,
}

impl Payload {
    /// Maximum number of pieces of an answer; one with more breaks the contract of
    /// [`FsOp::Read`](super::FsOp::Read): the client gets NFS4ERR_SERVERFAULT.
    pub const MAX_PIECES: usize = 1024;

    /// An empty one.
    pub const fn new() -> Payload {
        Payload {
            first: None,
            others: Vec::new(),
            len: 0,
        }
    }

    /// Appends a piece; an empty one is not kept.
    #[inline]
    pub fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        self.len = self.len.saturating_add(piece.len());
        if self.first.is_none() {
            self.first = Some(piece);
        } else {
            self.others.push(piece);
        }
    }

    /// Number of bytes.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces in order, none of them empty.
    #[inline]
    pub fn pieces(&self) -> Pieces<'_> {
        Pieces(self.first.iter().chain(&self.others))
    }

    /// Number of pieces.
    #[inline]
    pub fn piece_count(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// A copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len);
        for piece in self.pieces() {
            all.extend_from_slice(piece);
        }
        all
    }

    /// Drops all pieces and keeps the memory of the list.
    pub fn clear(&mut self) {
        self.len = 0;
        self.first = None;
        self.others.clear();
    }

    /// An empty one with the memory of this list.
    #[inline]
    pub(crate) const fn with_list(list: Vec<Bytes>) -> Payload {
        Payload {
            first: None,
            others: list,
            len: 0,
        }
    }

    /// Its piece, if it has exactly one.
    #[inline]
    pub(crate) fn only(&self) -> Option<&Bytes> {
        self.first.as_ref().filter(|_| self.others.is_empty())
    }

    /// Gives all pieces to `take`; its list is left, for another payload.
    #[inline]
    pub(crate) fn take_apart(self, mut take: impl FnMut(Bytes)) -> Vec<Bytes> {
        let Payload {
            first, mut others, ..
        } = self;
        if let Some(first) = first {
            take(first);
        }
        // Mostly there are none, and a check costs less than the set-up.
        if !others.is_empty() {
            others.drain(..).for_each(take);
        }
        others
    }
}

/// The pieces of a [`Payload`]: see [`Payload::pieces`].
#[derive(Clone, Debug)]
pub struct Pieces<'a>(iter::Chain<option::Iter<'a, Bytes>, slice::Iter<'a, Bytes>>);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a Bytes;

    #[inline]
    fn next(&mut self) -> Option<&'a Bytes> {
        self.0.next()
    }
}

impl From<Bytes> for Payload {
    fn from(piece: Bytes) -> Payload {
        Payload {
            len: piece.len(),
            first: (!piece.is_empty()).then_some(piece),
            others: Vec::new(),
        }
    }
}

impl FromIterator<Bytes> for Payload {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Payload {
        let mut payload = Payload::new();
        pieces.into_iter().for_each(|piece| payload.push(piece));
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stay_in_order_and_none_is_empty() {
        let pieces = [b"".as_slice(), b"ab", b"", b"c", b"def"].map(Bytes::from_static);
        let payload = Payload::from_iter(pieces);
        assert_eq!((payload.len(), payload.piece_count()), (6, 3));
        assert!(payload.pieces().eq([b"ab".as_slice(), b"c", b"def"]));
        assert_eq!(payload.to_vec(), b"abcdef");
        let room = payload.others.capacity();
        let mut taken = Vec::new();
        let list = payload.take_apart(|piece| taken.push(piece));
        assert_eq!(taken, [b"ab".as_slice(), b"c", b"def"]);
        assert!(list.is_empty() && list.capacity() == room);
        let mut payload = Payload::with_list(list);
        assert_eq!((payload.len(), payload.piece_count()), (0, 0));
        payload.push(Bytes::from_static(b"again"));
        assert_eq!(payload.to_vec(), b"again");
        payload.clear();
        assert!(payload.is_empty() && payload.pieces().next().is_none());
    }

    #[test]
    fn one_piece_needs_no_list() {
        let payload = Payload::from(Bytes::from_static(b"one"));
        assert_eq!((payload.others.capacity(), payload.piece_count()), (0, 1));
        assert!(Payload::from(Bytes::new()).pieces().next().is_none());
    }
}
