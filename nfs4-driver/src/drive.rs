//! The loop of a connection over its stream.

use std::io::{self, IoSlice};
use std::task::{Poll, Waker};

use crate::connection::Connection;
use crate::error::Closing;

/// A stream of bytes as [`Connection::drive`] sees it: what cannot be done at once is
/// [`Poll::Pending`], and the stream wakes its task by its own means.
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

    /// Asked when a connection has worked for a while and is not done: `true` if it is to return, for
    /// others work on the same thread, and the stream has seen to it that it comes back soon.
    fn give_way(&mut self) -> bool {
        false
    }

    /// Sees to it that what was written leaves; for a stream with a buffer of its own.
    ///
    /// # Errors
    /// The stream failed.
    fn flush(&mut self) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Connection {
    /// Does everything that can be done without waiting, or as much as a stream that gives way lets it.
    /// `waker` is woken when another thread leaves something.
    ///
    /// # Errors
    /// The connection is to be closed now.
    pub fn drive(&mut self, waker: &Waker, stream: &mut impl Stream) -> Result<(), Closing> {
        let mut round = 0_u32;
        loop {
            round = round.wrapping_add(1);
            let mut progress = self.step(waker)?;
            progress |= self.write(stream)?;
            progress |= self.read(stream)?;
            if !progress {
                self.rest();
                break;
            }
            if (self.is_slice_over() || round.is_multiple_of(ROUNDS)) && stream.give_way() {
                break;
            }
        }
        Ok(())
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

/// How often a stream is written to and read from before it is asked to give way.
const ROUNDS: u32 = 16;
/// The most pieces of one write.
const SLICES: usize = 64;
