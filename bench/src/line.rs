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
        let read = match self.socket.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(read) => read,
            Err(why) if is_passing(&why) => return Ok(true),
            Err(why) => return Err(why),
        };
        let Line { cutter, outbox, .. } = self;
        cutter.feed(&buffer[..read], |head, len| each(head, len, outbox));
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

fn is_passing(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Bytes that are read at once.
pub(crate) const AT_ONCE: usize = 256 << 10;
