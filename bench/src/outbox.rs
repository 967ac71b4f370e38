//! What a connection has to send.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

/// Bytes to send, in order. Small ones are gathered in one piece; bulk data is shared and not copied.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// The number of bytes of the first piece that have been sent.
    sent: usize,
    /// Emptied buffers.
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Arc<[u8]>, usize),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Own(bytes) => bytes,
            Piece::Shared(bytes, len) => &bytes[..*len],
        }
    }
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The piece to which small things are appended.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        let open = matches!(self.pieces.back(), Some(Piece::Own(bytes)) if bytes.len() < GATHERED);
        if !open {
            let bytes = self.spare.pop().unwrap_or_default();
            self.pieces.push_back(Piece::Own(bytes));
        }
        match self.pieces.back_mut() {
            Some(Piece::Own(bytes)) => bytes,
            _ => unreachable!("a piece of its own is the last one"),
        }
    }

    /// Appends the first `len` bytes of shared ones.
    pub(crate) fn share(&mut self, bytes: &Arc<[u8]>, len: usize) {
        self.pieces.push_back(Piece::Shared(Arc::clone(bytes), len));
    }

    /// Writes until all is sent or the socket takes no more: one write if the socket takes it all.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn flush(&mut self, mut socket: impl Write) -> io::Result<()> {
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                let from = if count == 0 { self.sent } else { 0 };
                *slice = IoSlice::new(&piece.bytes()[from..]);
                count += 1;
            }
            match socket.write_vectored(&slices[..count]) {
                Ok(written) => self.advance(written),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    fn advance(&mut self, written: usize) {
        self.sent += written;
        while let Some(first) = self.pieces.front() {
            let len = first.bytes().len();
            if self.sent < len {
                return;
            }
            self.sent -= len;
            if let Some(Piece::Own(mut bytes)) = self.pieces.pop_front() {
                bytes.clear();
                self.spare.push(bytes);
            }
        }
    }
}

/// Bytes from which on a piece takes no more.
const GATHERED: usize = 256 << 10;
/// Maximum number of pieces in one write.
const SLICES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes at a time, and refuses every other write.
    struct Slow {
        taken: Vec<u8>,
        refuses: bool,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.refuses = !self.refuses;
            if self.refuses {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(3);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_leave_in_order_through_a_socket_that_takes_few() {
        let mut outbox = Outbox::default();
        let bulk: Arc<[u8]> = Arc::from(&b"0123456789"[..]);
        outbox.bytes().extend_from_slice(b"head");
        outbox.share(&bulk, 8);
        outbox.bytes().extend_from_slice(b"next");
        outbox.bytes().extend_from_slice(b"more");
        let mut socket = Slow {
            taken: Vec::new(),
            refuses: false,
        };
        while !outbox.is_empty() {
            outbox.flush(&mut socket).unwrap();
        }
        assert_eq!(socket.taken, b"head01234567nextmore");
    }
}
