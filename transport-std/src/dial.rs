//! Connections that the server makes.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use nfs4_driver::{Dial, Dialer, EngineDead, Refused};

use crate::connection::STACK;
use crate::log;
use crate::stop::{Phase, Stop, Target};
use crate::threads::ConnectionThreads;
use crate::timer::Unpark;

/// The thread that waits for connections to be made. Each is made by a thread of its own.
pub(crate) struct DialThread {
    thread: JoinHandle<()>,
    stopped: Arc<AtomicBool>,
}

impl DialThread {
    /// Starts the thread.
    pub(crate) fn start(
        dialer: Dialer,
        threads: Arc<ConnectionThreads>,
        stop: Stop,
        patience: Duration,
    ) -> io::Result<DialThread> {
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        let thread = Builder::new()
            .name("nfs4-dials".to_owned())
            .stack_size(STACK)
            .spawn(move || run(dialer, &threads, &stop, patience, &seen))?;
        Ok(DialThread { thread, stopped })
    }

    /// Ends the thread. The runner's [`Stop`] gives up connections that are being made.
    pub(crate) fn stop(self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
        // It panicked if the engine did, which is reported elsewhere.
        let _ = self.thread.join();
    }
}

fn run(
    mut dialer: Dialer,
    threads: &Arc<ConnectionThreads>,
    stop: &Stop,
    patience: Duration,
    stopped: &AtomicBool,
) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while !stopped.load(Ordering::SeqCst) {
        match dialer.next(&waker) {
            None => thread::park(),
            Some(dial) => start(dial, threads, stop, patience),
        }
    }
}

/// Starts the thread that makes a connection.
///
/// No call ends a blocked connect(2), so a stop does not wait for it: it takes the dial away, and
/// the thread, which then has nothing of the runner's, ends later.
fn start(dial: Dial, threads: &Arc<ConnectionThreads>, stop: &Stop, patience: Duration) {
    let target = dial.target();
    let attempt = Arc::new(Attempt(Mutex::new(Some(dial))));
    let told = stop.watch(Arc::clone(&attempt) as _);
    let threads = Arc::clone(threads);
    let started = Builder::new()
        .name("nfs4-dial".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let connected = TcpStream::connect_timeout(&target, patience);
            if let Err(EngineDead) = attempt.end(&threads, connected) {
                threads.fail();
            }
            drop(told);
        });
    if let Err(why) = started {
        log::no_thread(&target.to_string(), &why);
    }
}

/// A connection that is being made; none once a stop gave it up.
struct Attempt(Mutex<Option<Dial>>);

impl Attempt {
    fn end(
        &self,
        threads: &Arc<ConnectionThreads>,
        connected: io::Result<TcpStream>,
    ) -> Result<(), EngineDead> {
        // Held until the connection is among the runner's, so that a stop finds it there.
        let mut held = self.lock();
        let Some(dial) = held.take() else {
            return Ok(());
        };
        let stream = match connected {
            Ok(stream) => stream,
            Err(why) => {
                dial.failed(&why);
                return Ok(());
            }
        };
        let target = dial.target();
        // Without the option the server is slower, and correct.
        let _ = stream.set_nodelay(true);
        match dial.connected() {
            Ok(connection) => {
                if let Err(why) = threads.start(stream, connection) {
                    log::no_thread(&target.to_string(), &why);
                }
            }
            Err(Refused::EngineDead(dead)) => return Err(dead),
            Err(_) => {}
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Dial>> {
        // No panic leaves the value inconsistent.
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Target for Attempt {
    fn enter(self: Arc<Self>, _: Phase) {
        let given_up = self.lock().take();
        drop(given_up);
    }
}
