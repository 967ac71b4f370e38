//! A node's timer and dialer, and the connections that are served beside them.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use crate::accepts::Accepts;
use crate::error::{Closing, EngineDead, Refused};
use crate::node::Node;
use crate::task::drive::Drive;
use crate::task::group::{Group, Kind, Phase};
use crate::task::runtime::{Listener, PollStream, Runtime, Sleep};
use crate::task::services::{run_dialer, run_timer, spawn};

/// Runs a [`Node`]'s timer and dialer in tasks of their own, and drives connections. When it is
/// dropped, all that it runs ends at once.
pub struct Runner<R: Runtime> {
    runtime: R,
    group: Arc<Group>,
}

/// Why a server ended without a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// The engine is dead.
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
}

impl<R: Runtime> fmt::Debug for Runner<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("node", &self.group.node)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Runner<R> {
    /// Starts the timer and the dialer of this node.
    pub fn start(runtime: R, node: Node) -> Runner<R> {
        let group = Group::new(node);
        let (timer, dialer) = (group.node.timer(), group.node.dialer());
        let ticking = run_timer(runtime.clone(), timer, group.join(Kind::Service));
        spawn(&runtime, Box::pin(ticking));
        let dialing = run_dialer(runtime.clone(), dialer, group.join(Kind::Service));
        spawn(&runtime, Box::pin(dialing));
        Runner { runtime, group }
    }

    /// The node that it runs.
    pub fn node(&self) -> &Node {
        &self.group.node
    }

    /// Opens a connection of `peer`, named as for [`Node::open`], and drives it in the caller's task
    /// until it ends; returns why it did. A stop of the runner drains it.
    ///
    /// The future opens the connection when it is polled for the first time, and closes it when it is
    /// dropped.
    ///
    /// # Errors
    /// The connection is refused.
    ///
    /// # Panics
    /// A file system, or the engine, panics over a request of this connection; of a dead engine the
    /// runner tells the others.
    pub fn serve_stream<S: PollStream>(
        &self,
        stream: S,
        peer: &str,
    ) -> impl Future<Output = Result<Closing, Refused>> + use<R, S> {
        let (runtime, group) = (self.runtime.clone(), Arc::clone(&self.group));
        let peer = peer.to_owned();
        async move {
            let member = group.join(Kind::Guest);
            let connection = group
                .node
                .open(peer)
                .inspect_err(|why| group.refused(*why))?;
            Ok(Drive::new(runtime, stream, connection, member).await)
        }
    }

    /// Accepts connections until `shutdown` is ready; then closes the listener and stops.
    ///
    /// # Errors
    /// The engine is dead.
    pub async fn serve<L: Listener>(
        self,
        listener: L,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let mut listener = listener;
        let mut shutdown = pin!(shutdown);
        let mut accepts = Accepts::new(self.group.node.clone());
        let mut pause = self.runtime.sleep();
        let mut number = 0_u32;
        loop {
            number = number.wrapping_add(1);
            let accept = pin!(listener.accept());
            match self.unless(shutdown.as_mut(), accept).await? {
                None => break,
                Some(Ok((stream, peer))) => {
                    self.spawn_stream(stream, peer);
                    // Peers that connect without end hold up no connection.
                    if number.is_multiple_of(TURN) {
                        self.give_way(&mut pause).await;
                    }
                }
                Some(Err(why)) => {
                    pause.set(accepts.failed(&why));
                    let paused = pin!(poll_fn(|cx| pause.poll(cx)));
                    if self.unless(shutdown.as_mut(), paused).await?.is_none() {
                        break;
                    }
                }
            }
        }
        drop(listener);
        Ok(self.stop().await?)
    }

    /// Waits until the engine is dead, which ends all connections.
    pub async fn failed(&self) -> EngineDead {
        match self.group.wait(|_| false).await {
            Ok(()) | Err(EngineDead) => EngineDead,
        }
    }

    /// Makes no connection any more and drains those that are there: calls that come get DELAY, to
    /// come by another connection. Returns when the calls in flight are answered; after
    /// [`Limits::stop_timeout`](crate::Limits::stop_timeout) it cuts off what is left. Then the timer
    /// and the dialer end too.
    ///
    /// # Errors
    /// The engine is dead.
    pub async fn stop(&self) -> Result<(), EngineDead> {
        self.group.enter(Phase::Stopping);
        let mut patience = self.runtime.sleep();
        patience.set(self.group.node.limits().stop_timeout);
        let mut drained = pin!(self.group.wait(|tasks| tasks.connections() == 0));
        poll_fn(|cx| match drained.as_mut().poll(cx) {
            Poll::Ready(drained) => Poll::Ready(drained),
            Poll::Pending => patience.poll(cx).map(Ok),
        })
        .await?;
        let left = self.group.connections();
        if left > 0 {
            self.runtime.cut_off(left);
        }
        self.group.enter(Phase::Cut);
        // A task of the embedder may never be polled again.
        self.group.wait(|tasks| tasks.started() == 0).await
    }

    /// Lets other tasks run once.
    async fn give_way(&self, pause: &mut R::Sleep) {
        let mut gave = false;
        poll_fn(|cx| {
            if !std::mem::replace(&mut gave, true) && self.runtime.give_way(cx, pause) {
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Starts the task of a connection, unless there are too many.
    fn spawn_stream<S: PollStream + Send + 'static>(&self, stream: S, peer: String) {
        let connection = match self.group.node.open(peer) {
            Ok(connection) => connection,
            Err(why) => return self.group.refused(why),
        };
        let runtime = self.runtime.clone();
        let member = self.group.join(Kind::Own);
        let drive = Drive::new(runtime, stream, connection, member);
        spawn(&self.runtime, drive);
    }

    /// What `then` returns; none once `shutdown` is ready.
    async fn unless<T>(
        &self,
        mut shutdown: Pin<&mut impl Future<Output = ()>>,
        mut then: Pin<&mut impl Future<Output = T>>,
    ) -> Result<Option<T>, EngineDead> {
        let mut failed = pin!(self.failed());
        poll_fn(|cx| {
            if shutdown.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(None));
            }
            if let Poll::Ready(dead) = failed.as_mut().poll(cx) {
                return Poll::Ready(Err(dead));
            }
            then.as_mut().poll(cx).map(|done| Ok(Some(done)))
        })
        .await
    }
}

impl<R: Runtime> Drop for Runner<R> {
    fn drop(&mut self) {
        self.group.enter(Phase::Cut);
    }
}

impl Group {
    /// The transport refuses the peer by closing its stream.
    fn refused(&self, why: Refused) {
        match why {
            Refused::TooManyConnections | Refused::TooManyOfPeer => {}
            Refused::EngineDead(_) => self.fail(),
        }
    }
}

/// Number of connections that are accepted before other tasks run.
const TURN: u32 = 16;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};
    use std::io::{self, IoSlice};
    use std::net::SocketAddr;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    use nfs4_vfs::{MemFs, MemFsConfig};

    use super::*;

    /// A runtime that drops every task.
    #[derive(Clone)]
    struct Idle;

    struct Never;

    impl Runtime for Idle {
        type Sleep = Never;
        type Dialled = Never;

        fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
            drop(task);
        }

        fn sleep(&self) -> Never {
            Never
        }

        async fn dial(&self, _: SocketAddr) -> io::Result<Never> {
            pending().await
        }

        fn give_way(&self, cx: &mut Context<'_>, _: &mut Never) -> bool {
            cx.waker().wake_by_ref();
            true
        }

        fn cut_off(&self, _: usize) {}
    }

    impl Sleep for Never {
        fn set(&mut self, _: Duration) {}

        fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }

    impl PollStream for Never {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_write(
            &mut self,
            _: &mut Context<'_>,
            _: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// Peers that connect without end, counted.
    struct Flood(Rc<Cell<u32>>);

    impl Listener for Flood {
        type Stream = Never;

        fn accept(&mut self) -> impl Future<Output = io::Result<(Never, String)>> + Send {
            self.0.set(self.0.get() + 1);
            assert!(self.0.get() < 1_000, "no other task runs");
            ready(Ok((Never, "a peer".to_owned())))
        }
    }

    #[test]
    fn peers_that_connect_without_end_let_other_tasks_run() {
        let files = MemFs::new(MemFsConfig::new(1, 1 << 20));
        let node = Node::builder().export_backend("/", files);
        let runner = Runner::start(Idle, node.build().unwrap());
        let accepted = Rc::<Cell<u32>>::default();
        let mut serving = pin!(runner.serve(Flood(Rc::clone(&accepted)), pending()));
        let mut cx = Context::from_waker(Waker::noop());
        for turn in 1..4 {
            assert!(serving.as_mut().poll(&mut cx).is_pending());
            assert_eq!(accepted.get(), turn * TURN);
        }
    }

    #[test]
    fn an_engine_that_dies_after_a_stop_is_reported() {
        let files = MemFs::new(MemFsConfig::new(1, 1 << 20));
        let node = Node::builder().export_backend("/", files);
        let runner = Runner::start(Idle, node.build().unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        let stopped = pin!(runner.stop()).poll(&mut cx);
        assert_eq!(stopped, Poll::Ready(Ok(())));
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut failed = pin!(runner.failed());
        assert!(
            failed
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        // As a task of the embedder does that is polled only now.
        runner.group.fail();
        assert!(woken.0.load(Ordering::SeqCst));
        assert!(failed.poll(&mut cx).is_ready());
    }

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}
