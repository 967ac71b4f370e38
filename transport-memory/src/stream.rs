//! The client's end of a connection.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::pipe::Pipe;

/// The client's end of a connection to a [`Server`](crate::Server).
///
/// It reads and writes as a socket does: blocking with a timeout ([`Read`] and [`Write`], also for a
/// shared reference), at once ([`MemoryStream::try_read`], [`MemoryStream::try_write`]), or with a
/// waker ([`MemoryStream::poll_read`], [`MemoryStream::poll_write`]). One task or thread at a time
/// reads, and one writes. A blocking call makes no progress on the thread that polls the server.
///
/// When it is dropped, the connection is lost: calls that were sent may be executed, and their replies
/// are dropped.
pub struct MemoryStream {
    to_server: Arc<Pipe>,
    from_server: Arc<Pipe>,
    timeouts: Mutex<Timeouts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Timeouts {
    read: Option<Duration>,
    write: Option<Duration>,
}

impl fmt::Debug for MemoryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStream").finish_non_exhaustive()
    }
}

impl MemoryStream {
    pub(crate) fn new(to_server: Arc<Pipe>, from_server: Arc<Pipe>) -> MemoryStream {
        MemoryStream {
            to_server,
            from_server,
            timeouts: Mutex::default(),
        }
    }

    /// Reads what is there into `space`; zero bytes mean the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing is there.
    pub fn try_read(&self, space: &mut [u8]) -> io::Result<usize> {
        let read = self.from_server.try_read(space);
        read.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// Writes as many bytes as there is room for; returns how many.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is no room, [`io::ErrorKind::BrokenPipe`] if the
    /// connection has ended.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to_server.try_write(&[IoSlice::new(bytes)]);
        written.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// Reads what is there into `space`; zero bytes mean the end. If nothing is there, `waker` is called
    /// when that changes; the last call's waker counts.
    ///
    /// # Errors
    /// None; a connection that the server has closed ends.
    pub fn poll_read(&self, space: &mut [u8], waker: &Waker) -> Poll<io::Result<usize>> {
        self.from_server.read(space, waker)
    }

    /// Writes as many bytes as there is room for; returns how many. If there is no room, `waker` is
    /// called when that changes; the last call's waker counts.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] if the connection has ended.
    pub fn poll_write(&self, bytes: &[u8], waker: &Waker) -> Poll<io::Result<usize>> {
        self.to_server.write(&[IoSlice::new(bytes)], waker)
    }

    /// Sets the time limit of a blocking read; none for no limit. A read that exceeds it ends with
    /// [`io::ErrorKind::TimedOut`].
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if it is zero.
    pub fn set_read_timeout(&self, span: Option<Duration>) -> io::Result<()> {
        self.timeouts().read = checked(span)?;
        Ok(())
    }

    /// Sets the time limit of a blocking write; none for no limit. A write that exceeds it ends with
    /// [`io::ErrorKind::TimedOut`].
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if it is zero.
    pub fn set_write_timeout(&self, span: Option<Duration>) -> io::Result<()> {
        self.timeouts().write = checked(span)?;
        Ok(())
    }

    /// Ends one direction, or both. After [`Shutdown::Write`], the server answers the calls that were
    /// sent, and closes the connection; after [`Shutdown::Read`], the connection ends
    /// with the first reply.
    pub fn shutdown(&self, how: Shutdown) {
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            self.to_server.finish();
        }
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            self.from_server.stop_reading();
            self.from_server.finish();
        }
    }

    fn timeouts(&self) -> MutexGuard<'_, Timeouts> {
        // No panic leaves the value inconsistent.
        self.timeouts
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.from_server.stop_reading();
        self.to_server.lose();
    }
}

impl Read for &MemoryStream {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let span = self.timeouts().read;
        self.from_server.read_blocking(space, span)
    }
}

impl Write for &MemoryStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let span = self.timeouts().write;
        self.to_server.write_blocking(slices, span)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for MemoryStream {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        (&*self).read(space)
    }

    fn read_vectored(&mut self, spaces: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(spaces)
    }
}

impl Write for MemoryStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn checked(span: Option<Duration>) -> io::Result<Option<Duration>> {
    match span {
        Some(Duration::ZERO) => Err(io::ErrorKind::InvalidInput.into()),
        span => Ok(span),
    }
}
