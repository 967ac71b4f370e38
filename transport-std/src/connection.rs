//! The threads of one connection: its reader, and its helper when there is need of one.

use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Wake, Waker};
use std::thread::Builder;
use std::time::Duration;

use nfs4_driver::engine::ConnId;
use nfs4_driver::{Closing, Connection, Space};

use crate::log;
use crate::signal::Signal;
use crate::stop::{Phase, Stop, Target};
use crate::stream::{BlockingStream, Writer, is_timeout};

/// Drives a connection that a [`Node`](nfs4_driver::Node) opened until it ends, and says why it
/// did; this thread is its reader. Once `stop` is stopped, calls that come get DELAY, to come by
/// another connection, and this one ends when the calls in flight are answered.
///
/// File systems work on this thread. For TCP, TCP_NODELAY should be set: replies leave in batches
/// as it is.
pub fn serve_stream<S: BlockingStream>(stream: S, connection: Connection, stop: &Stop) -> Closing {
    let link = Arc::new(Link {
        id: connection.id(),
        stream,
        signal: Signal::default(),
        seat: Mutex::new(Seat::Open(connection)),
    });
    let _told = stop.tell(Arc::clone(&link) as _);
    let leave = Leave(&link);
    let reader = Reader {
        waker: Waker::from(Arc::clone(&link)),
        link: &link,
        pause: Duration::ZERO,
        quiet: false,
        phase: Phase::Serving,
    };
    if let Err(why) = reader.run() {
        link.close(&mut link.lock(), why);
    }
    drop(leave);
    let why = match std::mem::replace(&mut *link.lock(), Seat::Closed(Closing::Abandoned)) {
        Seat::Closed(why) => why,
        Seat::Open(_) => Closing::Abandoned,
    };
    if !matches!(why, Closing::Io(_)) {
        // What was sent is followed by an orderly end; the peer may be gone.
        let _ = link.stream.shutdown(Shutdown::Write);
    }
    why
}

/// What the threads of a connection share.
struct Link<S> {
    id: ConnId,
    stream: S,
    signal: Signal,
    seat: Mutex<Seat>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each connection, and it is never moved"
)]
enum Seat {
    Open(Connection),
    Closed(Closing),
}

impl<S: BlockingStream> Link<S> {
    /// Handles what is there and writes what that causes, however long the peer takes.
    fn turn(&self, connection: &mut Connection, waker: &Waker) -> Result<(), Closing> {
        loop {
            connection.drive(waker, &mut Writer(&self.stream))?;
            if connection.is_output_empty() {
                return Ok(());
            }
            // The peer took nothing for the whole time of a write.
            connection.tick()?;
        }
    }

    /// What the helper does.
    fn help(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let _back = CallBack(&self.stream);
        while let Some(phase) = self.signal.wait_to_help() {
            let mut seat = self.lock();
            let Seat::Open(connection) = &mut *seat else {
                return;
            };
            if phase > Phase::Serving {
                connection.stop();
            }
            if let Err(why) = self.turn(connection, &waker) {
                return self.close(&mut seat, why);
            }
            drop(seat);
            self.signal.helped();
        }
    }

    fn close(&self, seat: &mut Seat, why: Closing) {
        if let Seat::Open(connection) = std::mem::replace(seat, Seat::Closed(Closing::Abandoned)) {
            connection.close(&why);
            *seat = Seat::Closed(why);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seat> {
        // After a panic in the midst of it, all that is done with a connection is to drop it.
        self.seat.lock().unwrap_or_else(|poisoned| {
            let mut seat = poisoned.into_inner();
            *seat = Seat::Closed(Closing::Abandoned);
            seat
        })
    }
}

impl<S: BlockingStream> Wake for Link<S> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let start = || {
            let link = Arc::clone(self);
            Builder::new()
                .name(format!("nfs4-{}-help", self.id))
                .stack_size(STACK)
                .spawn(move || link.help())
        };
        if !self.signal.wake(start) {
            let _ = self.stream.shutdown(Shutdown::Read);
        }
    }
}

impl<S: BlockingStream> Target for Link<S> {
    fn enter(self: Arc<Self>, phase: Phase) {
        self.signal.enter(phase);
        match phase {
            // A reader that waits for bytes must still get them, so the helper takes over.
            Phase::Serving | Phase::Stopping => self.wake(),
            Phase::Cut => {
                // It may be gone.
                let _ = self.stream.shutdown(Shutdown::Both);
            }
        }
    }
}

/// When the helper ends, for whatever reason, the reader comes back from its read and ends too.
struct CallBack<'a, S: BlockingStream>(&'a S);

impl<S: BlockingStream> Drop for CallBack<'_, S> {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.0.shutdown(Shutdown::Read);
    }
}

/// Also when the reader panics its helper ends.
struct Leave<'a, S: BlockingStream>(&'a Link<S>);

impl<S: BlockingStream> Drop for Leave<'_, S> {
    fn drop(&mut self) {
        let link = self.0;
        if std::thread::panicking() {
            // The helper may be in a write.
            let _ = link.stream.shutdown(Shutdown::Both);
            let mut seat = link.lock();
            *seat = Seat::Closed(Closing::Abandoned);
        }
        if let Some(helper) = link.signal.leave() {
            // If it panicked, the lock is poisoned, and the connection is dropped.
            let _ = helper.join();
        }
    }
}

/// The thread that reads.
struct Reader<'a, S> {
    link: &'a Arc<Link<S>>,
    waker: Waker,
    /// From one look at the timeouts to the next.
    pause: Duration,
    /// Nothing came for a while, and there is no read buffer.
    quiet: bool,
    phase: Phase,
}

/// What the reader does next.
enum Next {
    Read(Space),
    /// Waits for bytes without a buffer.
    Listen,
    /// Waits for other threads, since nothing is to be read.
    Wait,
}

/// What came of it.
enum Came {
    Nothing,
    Read(Space, usize),
    End,
    TimedOut(Option<Space>),
}

impl<S: BlockingStream> Reader<'_, S> {
    fn run(mut self) -> Result<(), Closing> {
        if let Seat::Open(connection) = &mut *self.link.lock() {
            self.pause = connection.tick()?;
        }
        let stream = &self.link.stream;
        // A thread that is blocked in a write checks from time to time whether the connection ends.
        stream.set_write_timeout(self.pause.min(LINGER) + SLACK)?;
        stream.set_read_timeout(self.pause.min(LINGER) + SLACK)?;
        let mut came = Came::Nothing;
        while let Some(next) = self.turn(came)? {
            came = match next {
                Next::Read(space) => self.read(space)?,
                Next::Listen => self.listen()?,
                Next::Wait => {
                    let came = self.link.signal.wait(self.phase, self.pause);
                    self.phase = self.link.signal.phase();
                    if came {
                        Came::Nothing
                    } else {
                        Came::TimedOut(None)
                    }
                }
            };
        }
        Ok(())
    }

    /// Handles what came; none if the helper has ended the connection.
    fn turn(&mut self, came: Came) -> Result<Option<Next>, Closing> {
        let mut seat = self.link.lock();
        let Seat::Open(connection) = &mut *seat else {
            return Ok(None);
        };
        match self.phase {
            Phase::Serving => {}
            Phase::Stopping => connection.stop(),
            Phase::Cut => return Err(Closing::Stopped),
        }
        match came {
            Came::Nothing => {}
            Came::Read(space, count) => connection.take_back(space, count),
            Came::End => return Err(Closing::EndOfStream),
            Came::TimedOut(space) => {
                if let Some(space) = space {
                    connection.take_back(space, 0);
                }
                connection.tick()?;
            }
        }
        self.link.turn(connection, &self.waker)?;
        Ok(Some(match connection.lend() {
            None => Next::Wait,
            Some(space) if self.quiet => {
                connection.take_back(space, 0);
                connection.rest();
                Next::Listen
            }
            Some(space) => Next::Read(space),
        }))
    }

    fn read(&mut self, mut space: Space) -> Result<Came, Closing> {
        let read = self.blocked(|stream| stream.read(&mut space))?;
        Ok(match read {
            None => Came::Read(space, 0),
            Some(Ok(0)) => Came::End,
            Some(Ok(count)) => Came::Read(space, count),
            Some(Err(_timeout)) => {
                self.quiet = true;
                let stream = &self.link.stream;
                stream.set_read_timeout(self.pause + SLACK)?;
                Came::TimedOut(Some(space))
            }
        })
    }

    fn listen(&mut self) -> Result<Came, Closing> {
        let heard = self.blocked(BlockingStream::wait)?;
        Ok(match heard {
            None => Came::Nothing,
            Some(Ok(())) => {
                self.quiet = false;
                let stream = &self.link.stream;
                stream.set_read_timeout(self.pause.min(LINGER) + SLACK)?;
                Came::Nothing
            }
            Some(Err(_timeout)) => Came::TimedOut(None),
        })
    }

    /// Blocks on the socket, where only that or the end of a timeout brings the reader back. None
    /// if there is something to do before, or it was interrupted.
    fn blocked<T>(
        &mut self,
        block: impl FnOnce(&S) -> io::Result<T>,
    ) -> Result<Option<io::Result<T>>, Closing> {
        let signal = &self.link.signal;
        if !signal.start_read(self.phase) {
            self.phase = signal.phase();
            return Ok(None);
        }
        let result = block(&self.link.stream);
        let (phase, broken) = signal.end_read();
        self.phase = phase;
        if let Some(why) = broken {
            log::no_thread(&format!("nfs4-{}-help", self.link.id), &why);
            return Err(Closing::Io(why));
        }
        match result {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(why) if !is_timeout(&why) => Err(Closing::Io(why)),
            result => Ok(Some(result)),
        }
    }
}

/// A connection that is quiet for as long gives its read buffer back.
const LINGER: Duration = Duration::from_secs(1);
/// Sockets may be early by a tick of the kernel.
const SLACK: Duration = Duration::from_millis(10);
/// The stack of each thread, in bytes; it takes memory as far as it is used.
pub(crate) const STACK: usize = 256 << 10;
