//! One connection in one task.

use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::connection::Connection;
use crate::drive::Stream;
use crate::error::Closing;
use crate::task::group::{Member, Phase};
use crate::task::runtime::{PollStream, Runtime, Sleep};

/// Drives a connection until it ends, and returns why it did.
///
/// It is no async function: the future of one holds several copies of what it was called with.
pub(crate) struct Drive<R: Runtime, S> {
    runtime: R,
    stream: S,
    /// None once it is closed.
    connection: Option<Connection>,
    tick: R::Sleep,
    pause: R::Sleep,
    stopping: bool,
    /// Dropped last: then the connection is closed.
    member: Member,
}

impl<R: Runtime, S: PollStream> Drive<R, S> {
    pub(crate) fn new(
        runtime: R,
        stream: S,
        mut connection: Connection,
        member: Member,
    ) -> Drive<R, S> {
        let mut tick = runtime.sleep();
        // An error comes again when the sleep is over.
        tick.set(connection.tick().unwrap_or_default());
        Drive {
            pause: runtime.sleep(),
            runtime,
            stream,
            connection: Some(connection),
            tick,
            stopping: false,
            member,
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Closing> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Closing::Abandoned);
        };
        match self.member.phase(cx) {
            Phase::Serving => {}
            Phase::Stopping if self.stopping => {}
            Phase::Stopping => {
                self.stopping = true;
                connection.stop();
            }
            Phase::Cut => return Poll::Ready(Closing::Stopped),
        }
        while self.tick.poll(cx).is_ready() {
            match connection.tick() {
                Ok(pause) => self.tick.set(pause),
                Err(why) => return Poll::Ready(why),
            }
        }
        let waker = cx.waker();
        let mut polled = Polled {
            runtime: &self.runtime,
            pause: &mut self.pause,
            stream: &mut self.stream,
            cx: &mut Context::from_waker(waker),
        };
        match connection.drive(waker, &mut polled) {
            Ok(()) => Poll::Pending,
            Err(why) => Poll::Ready(why),
        }
    }
}

impl<R: Runtime, S: PollStream> Future for Drive<R, S> {
    type Output = Closing;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Closing> {
        let this = self.get_mut();
        let why = match catch_unwind(AssertUnwindSafe(|| this.poll_end(cx))) {
            Ok(polled) => ready!(polled),
            Err(panic) => {
                this.connection = None;
                this.member.check();
                resume_unwind(panic);
            }
        };
        if let Some(connection) = this.connection.take() {
            connection.close(&why);
        }
        if let Closing::EngineDead(_) = why {
            this.member.group.fail();
        }
        if !matches!(why, Closing::Io(_)) {
            // What was sent is followed by an orderly end; the peer may be gone.
            let _ = this.stream.poll_close(cx);
        }
        Poll::Ready(why)
    }
}

/// A stream during one poll of its task.
struct Polled<'a, 'b, R: Runtime, S> {
    runtime: &'a R,
    pause: &'a mut R::Sleep,
    stream: &'a mut S,
    cx: &'a mut Context<'b>,
}

impl<R: Runtime, S: PollStream> Stream for Polled<'_, '_, R, S> {
    fn read(&mut self, space: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_read(self.cx, space)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(self.cx, slices)
    }

    fn give_way(&mut self) -> bool {
        self.runtime.give_way(self.cx, self.pause)
    }

    fn flush(&mut self) -> Poll<io::Result<()>> {
        self.stream.poll_flush(self.cx)
    }
}
