//! The loop of a connection over its stream.

use std::io::{self, IoSlice};
use std::task::{Poll, Waker};

use crate::connection::Connection;
use crate::error::Closing;

/// A stream of bytes for [`Connection::drive`]. An operation that would block returns
/// [`Poll::Pending`], and the stream wakes its own task later.
pub trait Stream {
    /// Reads into `space`; zero bytes mean the end. A stream that is read elsewhere, into the space
    /// of [`Connection::lend`], is always pending.
    ///
    /// # Errors
    /// The stream failed.
    fn read(&mut self, space: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes the first bytes of `slices`; returns how many.
    ///
    /// # Errors
    /// The stream failed.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Called when a connection has used its time slice: returns `true` if the connection has to
    /// return because others share the thread. The stream then makes sure that its task is called
    /// again soon.
    fn give_way(&mut self) -> bool {
        false
    }

    /// Flushes what was written, for a stream with a buffer of its own.
    ///
    /// # Errors
    /// The stream failed.
    fn flush(&mut self) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Connection {
    /// Handles all that can be done without waiting, or until the stream gives way. `waker` is
    /// called when another thread leaves something for the connection.
    ///
    /// # Errors
    /// The connection is to be closed now.
    pub fn drive(&mut self, waker: &Waker, stream: &mut impl Stream) -> Result<(), Closing> {
        let mut round = 0_u32;
        loop {
            round = round.wrapping_add(1);
            let mut progress = self.step(waker)?;
            if self.awaits_more_calls() && !round.is_multiple_of(ROUNDS) {
                // A write wakes the peer up, and costs more than the few requests of one read.
                progress = true;
            } else {
                progress |= self.write(stream)?;
            }
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

    /// Whether short replies wait for those to calls that have arrived and were not read: the last read
    /// filled its space. Then another read is tried before they are written, unless the time slice is over.
    fn awaits_more_calls(&self) -> bool {
        let more = self.filled_space && self.output_len() <= HELD_BACK;
        more && !self.is_slice_over()
    }

    /// Writes once; returns whether bytes were written.
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

    /// Reads once, if bytes are wanted; returns whether some, or the end, arrived.
    fn read(&mut self, stream: &mut impl Stream) -> Result<bool, Closing> {
        self.filled_space = false;
        let Some(space) = self.space() else {
            return Ok(false);
        };
        let size = space.len();
        match stream.read(space) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => {
                self.end_of_stream();
                Ok(true)
            }
            Poll::Ready(Ok(count)) => {
                self.filled_space = count == size;
                self.received(count);
                Ok(true)
            }
            Poll::Ready(Err(why)) => Err(why.into()),
        }
    }
}

/// Maximum bytes of replies that wait until all calls are read.
const HELD_BACK: u64 = 16 << 10;
/// Number of writes and reads after which a stream is asked to give way.
const ROUNDS: u32 = 16;
/// Maximum number of slices of one write.
const SLICES: usize = 64;
