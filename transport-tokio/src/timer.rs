//! The task that runs a node's timer.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use nfs4_driver::{EngineDead, Timer};
use tokio::time::{Instant, sleep};

/// Runs until the engine is dead.
pub(crate) async fn run(mut timer: Timer) -> EngineDead {
    let mut pause = pin!(sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            match timer.run(cx.waker()) {
                Err(dead) => return Poll::Ready(dead),
                Ok(None) => return Poll::Pending,
                Ok(Some(span)) => pause.as_mut().reset(Instant::now() + span.min(LONGEST)),
            }
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// An instant too far away cannot be represented.
const LONGEST: Duration = Duration::from_secs(86_400);
