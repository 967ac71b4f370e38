//! The tasks, sleep and outgoing connections of async-std.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_std::net::TcpStream;
use async_std::task;
use nfs4_driver::task::{Runtime, Sleep};

use crate::async_std::stream::FuturesStream;
use crate::log;

/// The one runtime of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsyncStd;

/// None when it is over.
pub(crate) struct AsyncStdSleep(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Runtime for AsyncStd {
    type Sleep = AsyncStdSleep;
    type Dialled = FuturesStream<TcpStream>;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Its handle is not needed: the runner knows its tasks.
        drop(task::spawn(task));
    }

    fn sleep(&self) -> AsyncStdSleep {
        AsyncStdSleep(None)
    }

    async fn dial(&self, target: SocketAddr) -> io::Result<FuturesStream<TcpStream>> {
        TcpStream::connect(target).await.map(FuturesStream::tcp)
    }

    fn give_way(&self, cx: &mut Context<'_>, pause: &mut AsyncStdSleep) -> bool {
        // A task that wakes itself comes before those that sockets wake, for dozens of polls: threads
        // look at their own queues first. A timer is seen where sockets are.
        pause.set(Duration::from_micros(1));
        pause.poll(cx).is_pending()
    }

    fn cut_off(&self, connections: usize) {
        log::cut_off(connections);
    }
}

impl Sleep for AsyncStdSleep {
    fn set(&mut self, span: Duration) {
        self.0 = (!span.is_zero()).then(|| Box::pin(task::sleep(span)) as _);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.0 {
            std::task::ready!(sleep.as_mut().poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }
}
