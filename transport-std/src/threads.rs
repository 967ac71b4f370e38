//! The threads of a server's connections.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use nfs4_driver::engine::ConnId;
use nfs4_driver::{Closing, Connection, Node};

use crate::connection::{STACK, serve_stream};
use crate::stop::Stop;

/// All running readers of a server.
pub(crate) struct ConnectionThreads {
    node: Node,
    stop: Stop,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    threads: HashMap<ConnId, JoinHandle<()>>,
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
    pub(crate) fn start(
        self: &Arc<ConnectionThreads>,
        stream: TcpStream,
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
                let member = Member { threads, id };
                let why = serve_stream(stream, connection, &member.threads.stop);
                // One of its threads may have panicked.
                if matches!(why, Closing::EngineDead(_) | Closing::Abandoned) {
                    member.threads.check();
                }
            })?;
        state.threads.insert(id, thread);
        Ok(())
    }

    /// Waits until all threads have ended, for at most `span`; returns how many have not.
    pub(crate) fn wait(&self, span: Duration) -> usize {
        let some = |state: &mut State| !state.threads.is_empty();
        let waited = self.left.wait_timeout_while(self.lock(), span, some);
        let (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.threads.len()
    }

    /// Waits until all threads have ended and are joined; returns whether the engine is alive.
    pub(crate) fn join(&self) -> bool {
        let some = |state: &mut State| !state.threads.is_empty();
        let waited = self.left.wait_while(self.lock(), some);
        let mut state = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        let last = state.last.take();
        let alive = !state.dead;
        drop(state);
        join(last);
        alive
    }

    /// Notes that the engine is dead; the server ends.
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

    fn end(&self, id: ConnId) {
        let mut state = self.lock();
        let own = state.threads.remove(&id);
        let before = std::mem::replace(&mut state.last, own);
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

struct Member {
    threads: Arc<ConnectionThreads>,
    id: ConnId,
}

impl Drop for Member {
    fn drop(&mut self) {
        if thread::panicking() {
            self.threads.check();
        }
        self.threads.end(self.id);
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        // Panics are handled elsewhere.
        let _ = thread.join();
    }
}
