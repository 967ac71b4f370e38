//! A node's timer and dialer, and streams that are served beside them.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use nfs4_driver::{Closing, EngineDead, Node, Refused};

use crate::connection::STACK;
use crate::dial::DialThread;
use crate::log;
use crate::stop::Stop;
use crate::stream::BlockingStream;
use crate::threads::ConnectionThreads;
use crate::timer::TimerThread;

/// Runs a [`Node`]'s timer and dialer on threads of their own, and serves streams that the embedder
/// has, such as TLS over TCP. [`Server`](crate::Server) is one with a listener.
///
/// When a runner is dropped, all that it runs ends at once; [`Runner::stop`] drains it first.
///
/// ```no_run
/// use std::os::unix::net::UnixStream;
///
/// use nfs4_transport_std::Runner;
/// use nfs4_transport_std::driver::Node;
///
/// # fn example(node: Node) -> Result<(), Box<dyn std::error::Error>> {
/// let runner = Runner::start(node)?;
/// let (ours, theirs) = UnixStream::pair()?;
/// runner.serve_stream(ours, "a client in this process")?; // until the stream ends
/// # drop(theirs);
/// # Ok(())
/// # }
/// ```
pub struct Runner {
    node: Node,
    stop: Stop,
    threads: Arc<ConnectionThreads>,
    /// None once it has ended.
    dials: Mutex<Option<DialThread>>,
    /// None once it has ended.
    timer: Mutex<Option<TimerThread>>,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("node", &self.node)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

impl Runner {
    /// Starts the timer and the dialer of this node.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(node: Node) -> io::Result<Runner> {
        Runner::stopped_by(Stop::new(), node)
    }

    /// Starts the timer and the dialer of this node.
    pub(crate) fn stopped_by(stop: Stop, node: Node) -> io::Result<Runner> {
        let threads = ConnectionThreads::new(node.clone(), stop.clone());
        let owner = Arc::clone(&threads);
        let timer = TimerThread::start(node.timer(), STACK, move || owner.fail())?;
        let patience = node.limits().dial_timeout;
        let dials = DialThread::start(node.dialer(), Arc::clone(&threads), stop.clone(), patience);
        let dials = match dials {
            Ok(dials) => dials,
            Err(why) => {
                timer.stop();
                return Err(why);
            }
        };
        Ok(Runner {
            node,
            stop,
            threads,
            dials: Mutex::new(Some(dials)),
            timer: Mutex::new(Some(timer)),
        })
    }

    /// The node that it runs.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// A handle that begins to drain all connections; a dead engine uses it too. Only
    /// [`Runner::stop`] limits the time that this takes.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Opens a connection of `peer`, an address or another name as for [`Node::open`], and drives it
    /// on this thread until it ends; returns why it did. A stop of the runner drains it.
    ///
    /// File systems work on this thread. For TCP, TCP_NODELAY should be set: replies leave in batches
    /// as it is.
    ///
    /// # Errors
    /// The connection is refused.
    ///
    /// # Panics
    /// A file system, or the engine, panics over a request of this connection; of a dead engine the
    /// runner tells the others.
    pub fn serve_stream<S: BlockingStream>(
        &self,
        stream: S,
        peer: &str,
    ) -> Result<Closing, Refused> {
        let connection = self.node.open(peer).inspect_err(|why| self.refused(*why))?;
        Ok(self.threads.serve(stream, connection))
    }

    /// Makes no connection any more and drains those that are there: calls that come get DELAY, to
    /// come by another connection. Returns when the calls in flight are answered and all threads of the
    /// runner joined, but for those that wait in vain for a peer to take a connection. After
    /// [`Limits::stop_timeout`](nfs4_driver::Limits::stop_timeout) it cuts off what is left, and only a
    /// file system that blocks can hold it longer.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn stop(&self) -> Result<(), EngineDead> {
        self.stop.stop();
        self.end_dials();
        let left = self.threads.wait(self.node.limits().stop_timeout);
        if left > 0 {
            log::cut_off(left);
            self.stop.cut();
        }
        let alive = self.threads.join();
        self.end_timer();
        if alive { Ok(()) } else { Err(EngineDead) }
    }

    /// Drives a connection of `peer` on a thread of its own, unless there are too many connections.
    pub(crate) fn spawn_stream<S: BlockingStream>(&self, stream: S, peer: &str) {
        let connection = match self.node.open(peer) {
            Ok(connection) => connection,
            Err(why) => return self.refused(why),
        };
        if let Err(why) = self.threads.start(stream, connection) {
            log::no_thread(peer, &why);
            // Makes room for the next one. A dead engine is reported elsewhere.
            let _ = self.node.make_way();
        }
    }

    fn refused(&self, why: Refused) {
        if let Refused::EngineDead(_) = why {
            self.threads.fail();
        }
    }

    fn end_dials(&self) {
        if let Some(dials) = take(&self.dials) {
            dials.stop();
        }
    }

    fn end_timer(&self) {
        if let Some(timer) = take(&self.timer) {
            timer.stop();
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.stop.cut();
        self.end_dials();
        self.end_timer();
    }
}

fn take<T>(from: &Mutex<Option<T>>) -> Option<T> {
    // No panic leaves the value inconsistent.
    from.lock().unwrap_or_else(PoisonError::into_inner).take()
}
