//! Tokio's tasks, sleep and outgoing connections.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use nfs4_driver::task::{Runtime, Sleep};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{self, Instant};

use crate::log;
use crate::stream::TokioStream;

/// The runtime of the current task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokio;

pub(crate) struct TokioSleep(Pin<Box<time::Sleep>>);

impl Runtime for Tokio {
    type Sleep = TokioSleep;
    type Dialled = TokioStream<TcpStream>;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Its handle is not needed: the runner knows its tasks.
        drop(tokio::spawn(task));
    }

    fn sleep(&self) -> TokioSleep {
        TokioSleep(Box::pin(time::sleep(Duration::ZERO)))
    }

    async fn dial(&self, target: SocketAddr) -> io::Result<TokioStream<TcpStream>> {
        TcpStream::connect(target).await.map(TokioStream::tcp)
    }

    fn give_way(&self, cx: &mut Context<'_>, _: &mut TokioSleep) -> bool {
        // To wake the task itself would do, but then a runtime that has always something to do checks
        // its sockets once in 61 polls: this has it look before the task is polled again.
        pin!(yield_now()).poll(cx).is_pending()
    }

    fn cut_off(&self, connections: usize) {
        log::cut_off(connections);
    }
}

impl Sleep for TokioSleep {
    fn set(&mut self, span: Duration) {
        self.0.as_mut().reset(Instant::now() + span);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
