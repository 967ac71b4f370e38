//! The stream of a connection.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::{fd::OwnedFd, unix::net::UnixStream};
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

    /// Waits until a read would not block, and reads nothing. A stream that cannot do that keeps the
    /// default: then its connection keeps its read buffer, up to
    /// [`Limits::max_record`](nfs4_driver::Limits::max_record) bytes, while the peer is silent.
    ///
    /// # Errors
    /// The stream failed, the timeout is over, or [`io::ErrorKind::Unsupported`].
    fn wait(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

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

/// A socket of this system.
macro_rules! socket {
    ($stream:ty, $wait:expr) => {
        impl BlockingStream for $stream {
            fn read(&self, space: &mut [u8]) -> io::Result<usize> {
                (&mut &*self).read(space)
            }

            fn wait(&self) -> io::Result<()> {
                $wait(self)
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
    };
}

socket!(TcpStream, wait_for_bytes);
#[cfg(unix)]
socket!(UnixStream, wait_by_descriptor);

fn wait_for_bytes(stream: &TcpStream) -> io::Result<()> {
    stream.peek(&mut [0]).map(|_| ())
}

/// The standard library can look at the bytes of TCP streams only, but recv(2) knows no difference.
#[cfg(unix)]
fn wait_by_descriptor(stream: &UnixStream) -> io::Result<()> {
    // Without a free descriptor the connection keeps its buffer.
    let unsupported = |_| io::Error::from(io::ErrorKind::Unsupported);
    let descriptor = stream.try_clone().map_err(unsupported)?;
    wait_for_bytes(&TcpStream::from(OwnedFd::from(descriptor)))
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
