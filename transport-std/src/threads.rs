//! The threads of a runner's connections.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use nfs4_driver::engine::ConnId;
use nfs4_driver::{Closing, Connection, Node};

use crate::connection::{STACK, drive};
use crate::stop::Stop;
use crate::stream::BlockingStream;

/// All running readers of a runner.
pub(crate) struct ConnectionThreads {
    node: Node,
    stop: Stop,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    threads: HashMap<ConnId, JoinHandle<()>>,
    /// Number of connections whose readers are threads of the embedder.
    guests: usize,
    /// The thread that ended last; the next one joins it.
    last: Option<JoinHandle<()>>,
    /// The engine is dead.
    dead: bool,
}

impl ConnectionThreads {
    pub(crate) fn new(node: Node, stop: Stop) -> Arc<ConnectionThreads> {
        Arc::new(ConnectionThreads {
            node,
            stop,
            state: Mutex::default(),
            left: Condvar::new(),
        })
    }

    /// Starts the thread of a connection.
    pub(crate) fn start<S: BlockingStream>(
        self: &Arc<ConnectionThreads>,
        stream: S,
        connection: Connection,
    ) -> io::Result<()> {
        let id = connection.id();
        let threads = Arc::clone(self);
        // Held until its handle is in the table, so that the thread finds it there when it ends.
        let mut state = self.lock();
        let thread = Builder::new()
            .name(format!("nfs4-{id}"))
            .stack_size(STACK)
            .spawn(move || {
                let member = Member {
                    threads: &threads,
                    own: Some(id),
                };
                drop(member.drive(stream, connection));
            })?;
        state.threads.insert(id, thread);
        Ok(())
    }

    /// Drives a connection on this thread.
    pub(crate) fn serve<S: BlockingStream>(&self, stream: S, connection: Connection) -> Closing {
        self.lock().guests += 1;
        let member = Member {
            threads: self,
            own: None,
        };
        member.drive(stream, connection)
    }

    /// Waits until all connections have ended, for at most `span`; returns how many have not.
    pub(crate) fn wait(&self, span: Duration) -> usize {
        let some = |state: &mut State| state.connections() > 0;
        let waited = self.left.wait_timeout_while(self.lock(), span, some);
        let (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.connections()
    }

    /// Waits until all connections have ended and the threads are joined; returns whether the engine
    /// is alive.
    pub(crate) fn join(&self) -> bool {
        let some = |state: &mut State| state.connections() > 0;
        let waited = self.left.wait_while(self.lock(), some);
        let mut state = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        let last = state.last.take();
        let alive = !state.dead;
        drop(state);
        join(last);
        alive
    }

    /// Notes that the engine is dead; all connections end.
    pub(crate) fn fail(&self) {
        self.lock().dead = true;
        self.stop.cut();
    }

    /// Checks whether the engine is alive.
    fn check(&self) {
        if self.node.connections().is_err() {
            self.fail();
        }
    }

    fn end(&self, own: Option<ConnId>) {
        let mut state = self.lock();
        let before = match own {
            Some(id) => {
                let thread = state.threads.remove(&id);
                std::mem::replace(&mut state.last, thread)
            }
            None => {
                state.guests -= 1;
                None
            }
        };
        self.left.notify_all();
        drop(state);
        // A thread that is not joined keeps its stack: each thread joins the one that ended before
        // it.
        join(before);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the value inconsistent.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn connections(&self) -> usize {
        self.threads.len() + self.guests
    }
}

/// A connection that is being served.
struct Member<'a> {
    threads: &'a ConnectionThreads,
    /// The connection whose thread is the runner's; none for a guest.
    own: Option<ConnId>,
}

impl Member<'_> {
    fn drive<S: BlockingStream>(self, stream: S, connection: Connection) -> Closing {
        let why = drive(stream, connection, &self.threads.stop);
        // One of its threads may have panicked.
        if matches!(why, Closing::EngineDead(_) | Closing::Abandoned) {
            self.threads.check();
        }
        why
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.threads.check();
        }
        self.threads.end(self.own);
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        // Panics are handled elsewhere.
        let _ = thread.join();
    }
}
