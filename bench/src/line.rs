//! A connection under load.

use std::io::{self, Read as _};
use std::net::TcpStream;

use crate::cutter::Cutter;
use crate::outbox::Outbox;
use crate::poller::Poller;

/// A socket that never blocks, with what it has to send and what it has received.
#[derive(Debug)]
pub(crate) struct Line {
    number: usize,
    pub(crate) socket: TcpStream,
    pub(crate) outbox: Outbox,
    cutter: Cutter,
    /// The socket has taken no more, and is waited for until it does.
    stuck: bool,
}

impl Line {
    /// # Errors
    /// The socket cannot be waited for.
    pub(crate) fn new(number: usize, socket: TcpStream, poller: &Poller) -> io::Result<Line> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        poller.add(number, &socket)?;
        Ok(Line {
            number,
            socket,
            outbox: Outbox::default(),
            cutter: Cutter::default(),
            stuck: false,
        })
    }

    /// Reads once, and calls `each` with the beginning and the length of every record that ends in
    /// what was read; `each` may append to the outbox. False at the end of the stream.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        mut each: impl FnMut(&[u8], usize, &mut Outbox),
    ) -> io::Result<bool> {
        let Line { cutter, outbox, .. } = self;
        let Some(bytes) = read(&self.socket, buffer)? else {
            return Ok(false);
        };
        cutter.feed(bytes, |head, len| each(head, len, outbox));
        Ok(true)
    }

    /// Reads once, and gives what was read to `take`, which may append to the outbox. False at the end
    /// of the stream.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn receive_raw(
        &mut self,
        buffer: &mut [u8],
        take: impl FnOnce(&[u8], &mut Outbox),
    ) -> io::Result<bool> {
        let Some(bytes) = read(&self.socket, buffer)? else {
            return Ok(false);
        };
        take(bytes, &mut self.outbox);
        Ok(true)
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn send(&mut self, poller: &Poller) -> io::Result<()> {
        self.outbox.flush(&self.socket)?;
        let stuck = !self.outbox.is_empty();
        if stuck != self.stuck {
            self.stuck = stuck;
            poller.change(self.number, &self.socket, stuck)?;
        }
        Ok(())
    }
}

/// What one read returns: nothing at the end of the stream.
fn read<'a>(mut socket: &TcpStream, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    match socket.read(buffer) {
        Ok(0) => Ok(None),
        Ok(read) => Ok(Some(&buffer[..read])),
        Err(why) if is_passing(&why) => Ok(Some(&[])),
        Err(why) => Err(why),
    }
}

fn is_passing(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Bytes that are read at once.
pub(crate) const AT_ONCE: usize = 256 << 10;
