//! The socket of a connection.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::task::Poll;
use std::time::Duration;

use nfs4_driver::Stream;

/// A blocking stream, such as a socket, that one thread reads while another writes.
///
/// When its timeout passes, a call ends with [`io::ErrorKind::WouldBlock`] or
/// [`io::ErrorKind::TimedOut`].
pub trait BlockingStream: Send + Sync + 'static {
    /// Waits for bytes and reads them into `space`; zero bytes mean the end.
    ///
    /// # Errors
    /// The stream failed, or the timeout is over.
    fn read(&self, space: &mut [u8]) -> io::Result<usize>;

    /// Waits until a read would not block, and reads nothing.
    ///
    /// # Errors
    /// The stream failed, or the timeout is over.
    fn wait(&self) -> io::Result<()>;

    /// Writes the first bytes of `slices` and returns how many. The stream keeps no buffer of its
    /// own.
    ///
    /// # Errors
    /// The stream failed, or the timeout is over and nothing was written.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sets the timeout of reads and waits.
    ///
    /// # Errors
    /// The stream failed.
    fn set_read_timeout(&self, span: Duration) -> io::Result<()>;

    /// Sets the timeout of writes.
    ///
    /// # Errors
    /// The stream failed.
    fn set_write_timeout(&self, span: Duration) -> io::Result<()>;

    /// Ends one direction, or both; a thread that blocks in it returns.
    ///
    /// # Errors
    /// The stream failed.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

impl BlockingStream for TcpStream {
    fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(space)
    }

    fn wait(&self) -> io::Result<()> {
        self.peek(&mut [0]).map(|_| ())
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // One plain write is cheaper than one of vectors.
            [one] => (&mut &*self).write(one),
            several => (&mut &*self).write_vectored(several),
        }
    }

    fn set_read_timeout(&self, span: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(span))
    }

    fn set_write_timeout(&self, span: Duration) -> io::Result<()> {
        self.set_write_timeout(Some(span))
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

/// The writing half of a stream for the driver; the reader does the reading.
pub(crate) struct Writer<'a, S>(pub(crate) &'a S);

impl<S: BlockingStream> Stream for Writer<'_, S> {
    fn read(&mut self, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match self.0.write(slices) {
                Err(why) if is_timeout(&why) => return Poll::Pending,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

/// Systems disagree about the error of a timeout.
pub(crate) fn is_timeout(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
