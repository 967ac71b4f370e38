//! The tasks of a node that are no connection of a peer: its timer, its dialer, and its dials.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::dialer::{Dial, Dialer};
use crate::error::Refused;
use crate::task::drive::Drive;
use crate::task::group::{Kind, Member, Phase};
use crate::task::runtime::{Runtime, Sleep};
use crate::timer::Timer;

/// Runs the timer until the group is cut or the engine is dead.
pub(crate) async fn run_timer<R: Runtime>(runtime: R, mut timer: Timer, mut member: Member) {
    let mut pause = runtime.sleep();
    poll_fn(|cx| {
        loop {
            if member.phase(cx) == Phase::Cut {
                return Poll::Ready(());
            }
            match timer.run(cx.waker()) {
                Err(_dead) => {
                    member.group.fail();
                    return Poll::Ready(());
                }
                Ok(None) => return Poll::Pending,
                Ok(Some(Duration::ZERO)) => {
                    if runtime.give_way(cx, &mut pause) {
                        return Poll::Pending;
                    }
                }
                Ok(Some(span)) => {
                    pause.set(span.min(LONGEST));
                    if pause.poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await;
}

/// Starts a task for each connection that the server has to make, until the group stops.
pub(crate) async fn run_dialer<R: Runtime>(runtime: R, mut dialer: Dialer, mut member: Member) {
    loop {
        let next = poll_fn(|cx| {
            if member.phase(cx) > Phase::Serving {
                return Poll::Ready(None);
            }
            match dialer.next(cx.waker()) {
                Some(dial) => Poll::Ready(Some(dial)),
                None => Poll::Pending,
            }
        });
        let Some(dial) = next.await else {
            return;
        };
        let own = member.group.join(Kind::Own);
        spawn(&runtime, Box::pin(carry_out(runtime.clone(), dial, own)));
    }
}

/// Starts a task of the runner.
pub(crate) fn spawn<R: Runtime, F>(runtime: &R, task: F)
where
    F: Future + Unpin + Send + 'static,
{
    runtime.spawn(Guarded(task));
}

/// A task whose panic, which the panic hook has reported, ends only itself: runtimes disagree about
/// that.
struct Guarded<F>(F);

impl<F: Future + Unpin> Future for Guarded<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(cx)));
        polled.map_or(Poll::Ready(()), |polled| polled.map(|_| ()))
    }
}

/// Connects, for as long as [`Limits::dial_timeout`](crate::Limits::dial_timeout), and drives the
/// connection until it ends.
async fn carry_out<R: Runtime>(runtime: R, dial: Dial, mut member: Member) {
    let mut patience = runtime.sleep();
    patience.set(member.group.node.limits().dial_timeout);
    let mut connect = pin!(runtime.dial(dial.target()));
    let connected = poll_fn(|cx| {
        if member.phase(cx) > Phase::Serving {
            return Poll::Ready(None);
        }
        if let Poll::Ready(connected) = connect.as_mut().poll(cx) {
            return Poll::Ready(Some(connected));
        }
        let late = |()| Some(Err(io::ErrorKind::TimedOut.into()));
        patience.poll(cx).map(late)
    });
    let stream = match connected.await {
        None => return,
        Some(Ok(stream)) => stream,
        Some(Err(why)) => return dial.failed(&why),
    };
    match dial.connected() {
        Ok(connection) => drop(Drive::new(runtime.clone(), stream, connection, member).await),
        Err(Refused::TooManyConnections | Refused::TooManyOfPeer) => {}
        Err(Refused::EngineDead(_)) => member.group.fail(),
    }
}

/// An instant too far away cannot be represented.
const LONGEST: Duration = Duration::from_secs(86_400);
