//! The reader and the helper of a connection of the transport on plain threads.

#[path = "../../../../transport-std/src/signal.rs"]
mod signal;
mod stop {
    /// The phases that `signal` knows.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) enum Phase {
        #[default]
        Serving,
        Stopping,
    }
}
mod sync {
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use shuttle::thread::JoinHandle;
}

use std::sync::Arc;
use std::time::Duration;

use nfs4_interleavings::in_many_orders;
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread;
use signal::Signal;
use stop::Phase;

/// What other threads have left for a connection, and its bytes in the socket.
#[derive(Default)]
struct Connection {
    signal: Signal,
    left: AtomicU32,
    handled: AtomicU32,
}

impl Connection {
    fn leave(self: &Arc<Connection>) {
        self.left.fetch_add(1, Ordering::SeqCst);
        let helper = Arc::clone(self);
        let started = self
            .signal
            .wake(|| Ok(thread::spawn(move || helper.help())));
        assert!(started);
    }

    fn help(&self) {
        while self.signal.wait_to_help().is_some() {
            self.work();
            self.signal.helped();
        }
    }

    fn work(&self) {
        let left = self.left.load(Ordering::SeqCst);
        self.handled.fetch_max(left, Ordering::SeqCst);
    }
}

#[test]
fn what_is_left_while_the_reader_reads_is_handled_by_the_helper() {
    in_many_orders(|| {
        let connection = Arc::new(Connection::default());
        let leaving = {
            let connection = Arc::clone(&connection);
            thread::spawn(move || {
                connection.leave();
                connection.leave();
            })
        };
        // The read ends when both are handled: no byte comes from the peer.
        while connection.handled.load(Ordering::SeqCst) < 2 {
            if connection.signal.start_read(Phase::Serving) {
                while connection.handled.load(Ordering::SeqCst) < 2 {
                    thread::yield_now();
                }
                let (phase, broken) = connection.signal.end_read();
                assert!(phase == Phase::Serving && broken.is_none());
            } else {
                connection.work();
            }
        }
        leaving.join().unwrap();
        if let Some(helper) = connection.signal.leave() {
            helper.join().unwrap();
        }
    });
}

#[test]
fn a_reader_that_waits_for_other_threads_hears_of_everything_and_of_the_stop() {
    in_many_orders(|| {
        let connection = Arc::new(Connection::default());
        let leaving = {
            let connection = Arc::clone(&connection);
            thread::spawn(move || {
                connection.leave();
                connection.signal.enter(Phase::Stopping);
            })
        };
        let mut phase = Phase::Serving;
        while connection.handled.load(Ordering::SeqCst) < 1 || phase < Phase::Stopping {
            connection.signal.wait(phase, Duration::from_secs(3_600));
            phase = connection.signal.phase();
            connection.work();
        }
        leaving.join().unwrap();
        if let Some(helper) = connection.signal.leave() {
            helper.join().unwrap();
        }
    });
}
