//! The signals that stop the server.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Poll;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals are caught while it exists.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches signals from now on: [`Signals::next`] returns the first, and a second one ends the
    /// process from within its handler, whatever the threads do.
    pub(crate) fn catch() -> io::Result<Signals> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first finds it unset.
            flag::register_conditional_shutdown(signal, KILLED, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for a signal, and returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        poll_fn(|context| {
            if self.interrupt.poll_recv(context).is_ready() {
                return Poll::Ready("SIGINT");
            }
            self.terminate.poll_recv(context).map(|_| "SIGTERM")
        })
        .await
    }
}

/// What a shell reports of a program that Ctrl-C has killed.
const KILLED: i32 = 130;

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use signal_hook::low_level::raise;

    use super::*;

    /// What a process does that hangs: it runs only in one that the test below has started.
    #[test]
    fn hangs() {
        if std::env::var_os(HANGS).is_none() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let _signals = Signals::catch().unwrap();
            raise(SIGTERM).unwrap();
            println!("asked once");
            std::thread::sleep(Duration::from_millis(200));
            raise(SIGINT).unwrap();
            std::thread::sleep(Duration::from_secs(60));
        });
    }

    #[test]
    fn a_second_signal_ends_a_process_whose_runtime_hangs() {
        let start = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "signals::tests::hangs", "--nocapture"])
            .env(HANGS, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("asked once")));
        assert_eq!(child.wait().unwrap().code(), Some(KILLED));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    const HANGS: &str = "NFS4D_TEST_HANGS";
}
