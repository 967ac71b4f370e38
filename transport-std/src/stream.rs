//! What a connection needs of its socket.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::task::Poll;
use std::time::Duration;

use nfs4_driver::Stream;

/// A blocking stream that one thread reads while another writes, such as a socket.
///
/// When a timeout is over, a call ends with [`io::ErrorKind::WouldBlock`] or
/// [`io::ErrorKind::TimedOut`].
pub trait BlockingStream: Send + Sync + 'static {
    /// Waits for bytes and reads to `space`; zero bytes mean the end.
    ///
    /// # Errors
    /// The stream failed, or the timeout is over.
    fn read(&self, space: &mut [u8]) -> io::Result<usize>;

    /// Waits until a read would not, and reads nothing.
    ///
    /// # Errors
    /// The stream failed, or the timeout is over.
    fn wait(&self) -> io::Result<()>;

    /// Writes a beginning of `slices` and says how much. Nothing stays behind in a buffer.
    ///
    /// # Errors
    /// The stream failed, or the timeout is over and nothing was written.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// How long a read or a wait may take from now on.
    ///
    /// # Errors
    /// The stream failed.
    fn set_read_timeout(&self, span: Duration) -> io::Result<()>;

    /// How long a write may take from now on.
    ///
    /// # Errors
    /// The stream failed.
    fn set_write_timeout(&self, span: Duration) -> io::Result<()>;

    /// Ends one direction, or both; a thread that is blocked in it comes back.
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

/// The writing half of a stream, as the driver sees it: reading is the reader's.
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
