//! The threads of one connection: its reader, and its helper when there is need of one.

use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Wake, Waker};
use std::thread::Builder;
use std::time::Duration;

use nfs4_driver::engine::ConnId;
use nfs4_driver::{Closing, Connection, ReadSpace};

use crate::log;
use crate::signal::Signal;
use crate::stop::{Phase, Stop, Target};
use crate::stream::{BlockingStream, Writer, is_timeout};

/// Drives a connection until it ends, and returns why it did; this thread is its reader. Once `stop`
/// is stopped, calls that come get DELAY, to come by another connection, and this one ends when the
/// calls in flight are answered.
pub(crate) fn drive<S: BlockingStream>(stream: S, connection: Connection, stop: &Stop) -> Closing {
    let link = Arc::new(Link {
        id: connection.id(),
        stream,
        signal: Signal::default(),
        seat: Mutex::new(Seat::Open(connection)),
    });
    let _watch = stop.watch(Arc::clone(&link) as _);
    let leave = EndOnDrop(&link);
    let reader = Reader {
        waker: Waker::from(Arc::clone(&link)),
        link: &link,
        pause: Duration::ZERO,
        listens: true,
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
    fn work(&self, connection: &mut Connection, waker: &Waker) -> Result<(), Closing> {
        loop {
            connection.drive(waker, &mut Writer(&self.stream))?;
            if connection.is_output_empty() {
                return Ok(());
            }
            // The peer took no bytes for the whole timeout of a write.
            connection.tick()?;
        }
    }

    /// What the helper does.
    fn help(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let _back = EndReadOnDrop(&self.stream);
        while let Some(phase) = self.signal.wait_to_help() {
            let mut seat = self.lock();
            let Seat::Open(connection) = &mut *seat else {
                return;
            };
            if phase > Phase::Serving {
                connection.stop();
            }
            if let Err(why) = self.work(connection, &waker) {
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
        // After a panic the connection is only dropped.
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

/// When the helper ends, for any reason, the reader returns from its read and ends too.
struct EndReadOnDrop<'a, S: BlockingStream>(&'a S);

impl<S: BlockingStream> Drop for EndReadOnDrop<'_, S> {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.0.shutdown(Shutdown::Read);
    }
}

/// The helper ends even when the reader panics.
struct EndOnDrop<'a, S: BlockingStream>(&'a Link<S>);

impl<S: BlockingStream> Drop for EndOnDrop<'_, S> {
    fn drop(&mut self) {
        let link = self.0;
        if std::thread::panicking() {
            // The helper may block in a write.
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
    /// Time between two checks of the timeouts.
    pause: Duration,
    /// The stream can wait without a buffer, as far as is known.
    listens: bool,
    /// No bytes came for a while, and there is no read buffer.
    quiet: bool,
    phase: Phase,
}

/// What the reader does next.
enum Next {
    Read(ReadSpace),
    /// Waits for bytes without a buffer.
    Listen,
    /// Waits for other threads, since nothing is to be read.
    Wait,
}

/// Why the reader continues.
enum Wakeup {
    Nothing,
    Read(ReadSpace, usize),
    End(ReadSpace),
    TimedOut(Option<ReadSpace>),
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
        let mut came = Wakeup::Nothing;
        while let Some(next) = self.work(came)? {
            came = match next {
                Next::Read(space) => self.read(space)?,
                Next::Listen => self.listen()?,
                Next::Wait => {
                    let came = self.link.signal.wait(self.phase, self.pause);
                    self.phase = self.link.signal.phase();
                    if came {
                        Wakeup::Nothing
                    } else {
                        Wakeup::TimedOut(None)
                    }
                }
            };
        }
        Ok(())
    }

    /// Handles what has arrived; none if the helper has closed the connection.
    fn work(&mut self, wakeup: Wakeup) -> Result<Option<Next>, Closing> {
        let mut seat = self.link.lock();
        let Seat::Open(connection) = &mut *seat else {
            return Ok(None);
        };
        match self.phase {
            Phase::Serving => {}
            Phase::Stopping => connection.stop(),
            Phase::Cut => return Err(Closing::Stopped),
        }
        match wakeup {
            Wakeup::Nothing => {}
            Wakeup::Read(space, count) => connection.take_back(space, count),
            Wakeup::End(space) => {
                connection.take_back(space, 0);
                connection.end_of_stream();
            }
            Wakeup::TimedOut(space) => {
                if let Some(space) = space {
                    connection.take_back(space, 0);
                }
                connection.tick()?;
            }
        }
        self.link.work(connection, &self.waker)?;
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

    fn read(&mut self, mut space: ReadSpace) -> Result<Wakeup, Closing> {
        let read = self.blocked(|stream| stream.read(&mut space))?;
        Ok(match read {
            None => Wakeup::Read(space, 0),
            Some(Ok(0)) => Wakeup::End(space),
            Some(Ok(count)) => Wakeup::Read(space, count),
            Some(Err(_timeout)) => {
                self.quiet = self.listens;
                let stream = &self.link.stream;
                stream.set_read_timeout(self.pause + SLACK)?;
                Wakeup::TimedOut(Some(space))
            }
        })
    }

    fn listen(&mut self) -> Result<Wakeup, Closing> {
        let heard = self.blocked(|stream| match stream.wait() {
            Err(why) if why.kind() == io::ErrorKind::Unsupported => Ok(false),
            waited => waited.map(|()| true),
        })?;
        Ok(match heard {
            None => Wakeup::Nothing,
            Some(Ok(true)) => {
                self.quiet = false;
                let stream = &self.link.stream;
                stream.set_read_timeout(self.pause.min(LINGER) + SLACK)?;
                Wakeup::Nothing
            }
            Some(Ok(false)) => {
                (self.listens, self.quiet) = (false, false);
                Wakeup::Nothing
            }
            Some(Err(_timeout)) => Wakeup::TimedOut(None),
        })
    }

    /// Blocks on the socket, until bytes arrive or a timeout passes. None if there is something to
    /// do before, or the call was interrupted.
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

/// Time without bytes after which a connection frees its read buffer.
const LINGER: Duration = Duration::from_secs(1);
/// Socket timeouts may be early by a tick of the kernel.
const SLACK: Duration = Duration::from_millis(10);
/// Stack of each thread, in bytes; unused pages take no memory.
pub(crate) const STACK: usize = 256 << 10;
