//! One connection in one task.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use crate::connection::Connection;
use crate::drive::Stream;
use crate::error::Closing;
use crate::task::group::{Member, Phase};
use crate::task::runtime::{PollStream, Runtime, Sleep};

/// Drives a connection until it ends, and returns why it did.
pub(crate) async fn drive<R: Runtime, S: PollStream>(
    runtime: &R,
    mut stream: S,
    mut connection: Connection,
    member: &mut Member,
) -> Closing {
    let mut stopping = false;
    let mut tick = runtime.sleep();
    tick.set(connection.tick().unwrap_or_default());
    let why = poll_fn(|cx| {
        match member.phase(cx) {
            Phase::Serving => {}
            Phase::Stopping if stopping => {}
            Phase::Stopping => {
                stopping = true;
                connection.stop();
            }
            Phase::Cut => return Poll::Ready(Closing::Stopped),
        }
        while tick.poll(cx).is_ready() {
            match connection.tick() {
                Ok(pause) => tick.set(pause),
                Err(why) => return Poll::Ready(why),
            }
        }
        let waker = cx.waker();
        let mut polled = Polled {
            runtime,
            stream: &mut stream,
            cx: &mut Context::from_waker(waker),
        };
        match connection.drive(waker, &mut polled) {
            Ok(()) => Poll::Pending,
            Err(why) => Poll::Ready(why),
        }
    })
    .await;
    connection.close(&why);
    if let Closing::EngineDead(_) = why {
        member.group.fail();
    }
    if !matches!(why, Closing::Io(_)) {
        // What was sent is followed by an orderly end; the peer may be gone.
        poll_fn(|cx| {
            let _ = stream.poll_close(cx);
            Poll::Ready(())
        })
        .await;
    }
    why
}

/// A stream during one poll of its task.
struct Polled<'a, 'b, R, S> {
    runtime: &'a R,
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
        self.runtime.give_way(self.cx)
    }

    fn flush(&mut self) -> Poll<io::Result<()>> {
        self.stream.poll_flush(self.cx)
    }
}
