//! The loop of a connection over its stream.

use std::io::{self, IoSlice};
use std::task::{Poll, Waker};

use crate::connection::{Closing, Connection};

/// A stream of bytes as [`Connection::drive`] sees it: what cannot be done at once is
/// [`Poll::Pending`], and whoever drives is told when to come back by means of the stream's own.
pub trait Stream {
    /// Reads to `space`; zero bytes mean the end. A stream that is read elsewhere, to what
    /// [`Connection::lend`] gives, is always pending.
    ///
    /// # Errors
    /// The stream failed.
    fn read(&mut self, space: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes a beginning of `slices` and says how much.
    ///
    /// # Errors
    /// The stream failed.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Sees to it that what was written leaves; for a stream with a buffer of its own.
    ///
    /// # Errors
    /// The stream failed.
    fn flush(&mut self) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Connection {
    /// Does everything that can be done without waiting. `waker` is woken when another thread
    /// leaves something.
    ///
    /// # Errors
    /// The connection is to be closed now.
    pub fn drive(&mut self, waker: &Waker, stream: &mut impl Stream) -> Result<(), Closing> {
        loop {
            let mut progress = self.step(waker)?;
            progress |= self.write(stream)?;
            progress |= self.read(stream)?;
            if !progress {
                self.rest();
                return Ok(());
            }
        }
    }

    /// One write of all that is there; says whether something was written.
    fn write(&mut self, stream: &mut impl Stream) -> io::Result<bool> {
        let mut wrote = false;
        if !self.is_output_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = self.output(&mut slices);
            match stream.write(&slices[..used]) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.sent(count),
                Poll::Ready(Err(why)) => return Err(why),
            }
            self.flushed = false;
            wrote = true;
        }
        if !self.flushed && self.is_output_empty() {
            match stream.flush() {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(why)) => return Err(why),
            }
        }
        Ok(wrote)
    }

    /// One read, if something is to be read; says whether there was something.
    fn read(&mut self, stream: &mut impl Stream) -> Result<bool, Closing> {
        let Some(space) = self.space() else {
            return Ok(false);
        };
        match stream.read(space) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(Closing::EndOfStream),
            Poll::Ready(Ok(count)) => {
                self.received(count);
                Ok(true)
            }
            Poll::Ready(Err(why)) => Err(why.into()),
        }
    }
}

/// The most pieces of one write.
const SLICES: usize = 64;
