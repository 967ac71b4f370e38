//! A connection of the server with the bytes on both of its ways.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Poll, Waker};

use nfs4_driver::{Closing, Connection, Stream};
use nfs4_engine::ConnId;
use nfs4_proto::rpc::Mark;

/// A connection without a socket.
pub(super) struct Line {
    connection: Connection,
    pipe: Pipe,
}

#[derive(Default)]
struct Pipe {
    incoming: VecDeque<u8>,
    /// Bytes that arrive at once; 0 for all.
    piece: usize,
    outgoing: Vec<u8>,
    /// The peer reads nothing.
    full: bool,
}

impl Line {
    pub(super) fn new(connection: Connection) -> Line {
        Line {
            connection,
            pipe: Pipe::default(),
        }
    }

    pub(super) fn id(&self) -> ConnId {
        self.connection.id()
    }

    /// The peer sends bytes, which arrive in pieces of this size.
    pub(super) fn send(&mut self, bytes: &[u8], piece: usize) {
        self.pipe.piece = piece;
        self.pipe.incoming.extend(bytes);
    }

    /// The peer stops to read, or begins again.
    pub(super) fn turn(&mut self) {
        self.pipe.full = !self.pipe.full;
    }

    /// The server stops gracefully.
    pub(super) fn stop(&mut self) {
        self.connection.stop();
    }

    /// Handles what has arrived; the records that the server has written, without their marks.
    pub(super) fn drive(&mut self) -> (Vec<Vec<u8>>, Result<(), Closing>) {
        let mut end = self.connection.drive(Waker::noop(), &mut self.pipe);
        if end.is_ok() {
            end = self.connection.tick().map(|_| ());
        }
        (self.pipe.records(), end)
    }

    pub(super) fn close(self, why: &Closing) {
        self.connection.close(why);
    }
}

impl Pipe {
    fn records(&mut self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut rest = &self.outgoing[..];
        while let Some(mark) = Mark::peek(rest) {
            assert!(mark.last, "the server sends records of one fragment");
            let Some(record) = rest.get(Mark::LEN..Mark::LEN + mark.len as usize) else {
                break;
            };
            records.push(record.to_vec());
            rest = &rest[Mark::LEN + record.len()..];
        }
        self.outgoing = rest.to_vec();
        records
    }
}

impl Stream for Pipe {
    fn read(&mut self, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let there = match self.piece {
            0 => self.incoming.len(),
            piece => self.incoming.len().min(piece),
        };
        let count = there.min(space.len());
        if count == 0 {
            return Poll::Pending;
        }
        for (place, byte) in space.iter_mut().zip(self.incoming.drain(..count)) {
            *place = byte;
        }
        Poll::Ready(Ok(count))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.full {
            return Poll::Pending;
        }
        let before = self.outgoing.len();
        for slice in slices {
            self.outgoing.extend_from_slice(slice);
        }
        Poll::Ready(Ok(self.outgoing.len() - before))
    }
}
