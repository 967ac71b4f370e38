//! Lines that wait for the thread that writes them.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use prometheus::IntCounter;

/// A bounded queue of lines, and one thread that takes them out.
pub(super) struct Sink {
    state: Mutex<State>,
    /// Signalled when there is work for the thread.
    work: Condvar,
    /// Signalled when the thread has written all lines.
    done: Condvar,
    /// Number of lines that were not written.
    pub(super) lost: IntCounter,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread has taken lines out and not written them yet.
    writing: bool,
    /// `look` is to be called soon.
    asked: bool,
}

impl Sink {
    pub(super) fn new() -> io::Result<Sink> {
        let lost = IntCounter::new(
            "nfs4_nfs_log_lines_lost_total",
            "Log lines that could not be written in time, or at all.",
        );
        Ok(Sink {
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
            lost: lost.map_err(io::Error::other)?,
        })
    }

    /// Starts the thread, which ends with the process. It calls `look` soon after [`Sink::ask`],
    /// and again from time to time while it returns true.
    pub(super) fn start(
        sink: &Arc<Sink>,
        file: impl Write + Send + 'static,
        look: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<()> {
        let sink = Arc::clone(sink);
        Builder::new()
            .name("nfs4d-log".to_owned())
            .stack_size(STACK)
            .spawn(move || sink.run(file, look))?;
        Ok(())
    }

    /// Queues whole lines; if there is no room they are lost.
    pub(super) fn put(&self, lines: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() + lines.len() > MOST_WAITING {
            self.lost.inc_by(count(lines));
            return;
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.extend_from_slice(lines);
        if was_empty {
            self.work.notify_one();
        }
    }

    /// Asks the thread to call `look`.
    pub(super) fn ask(&self) {
        self.lock().asked = true;
        self.work.notify_one();
    }

    /// Waits until all that was left is written or lost, but no longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let left = |state: &mut State| state.writing || !state.waiting.is_empty();
        let waited = self.done.wait_timeout_while(self.lock(), patience, left);
        drop(waited.unwrap_or_else(|poisoned| poisoned.into_inner()));
    }

    fn run(&self, mut file: impl Write, look: impl Fn() -> bool) {
        let mut lines = Vec::new();
        let mut told = self.lost.get();
        let mut works = true;
        let mut looking = false;
        let mut next = Instant::now();
        loop {
            let missing = works && self.lost.get() > told;
            looking |= self.take(&mut lines, (looking || missing).then_some(next));
            let written = write(&mut file, &lines);
            if written < lines.len() {
                self.lost.inc_by(count(&lines[written..]));
                // The file does not recover at once.
                thread::sleep(PAUSE);
            }
            if !lines.is_empty() {
                works = written == lines.len();
            }
            if Instant::now() < next {
                continue;
            }
            let lost = self.lost.get();
            if works && lost > told {
                tracing::warn!(
                    lines = lost - told,
                    "log lines could not be written in time"
                );
                told = lost;
            }
            looking = looking && look();
            next = Instant::now() + BETWEEN;
        }
    }

    /// Waits for lines, or for the time of the next `look`; returns whether `look` was asked for.
    fn take(&self, lines: &mut Vec<u8>, next: Option<Instant>) -> bool {
        lines.clear();
        // One burst is no reason to keep this much.
        lines.shrink_to(KEPT);
        let mut state = self.lock();
        state.writing = false;
        if state.waiting.is_empty() {
            self.done.notify_all();
        }
        let idle = |state: &mut State| state.waiting.is_empty() && !state.asked;
        state = match next {
            None => {
                let waited = self.work.wait_while(state, idle);
                waited.unwrap_or_else(|poisoned| poisoned.into_inner())
            }
            Some(next) => {
                let span = next.saturating_duration_since(Instant::now());
                let waited = self.work.wait_timeout_while(state, span, idle);
                waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
            }
        };
        state.writing = true;
        std::mem::swap(&mut state.waiting, lines);
        std::mem::take(&mut state.asked)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the value inconsistent.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Write for &Sink {
    /// Of a formatted event, which comes as a whole.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.put(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes as much as the file takes, and returns how much that is.
fn write(file: &mut impl Write, lines: &[u8]) -> usize {
    let mut written = 0;
    while written < lines.len() {
        match file.write(&lines[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            // Another process has made the file non-blocking.
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => break,
        }
    }
    written
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Bytes of lines that may wait; as many again may be on their way into the file.
const MOST_WAITING: usize = 1 << 20;
/// Bytes of room that stay.
const KEPT: usize = 64 << 10;
/// Before a file is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// From one look at what is missing to the next.
const BETWEEN: Duration = Duration::from_secs(1);
const STACK: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A file that takes one write for each permit, and fails after the last.
    struct Slow {
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(io::Error::other)?;
            self.written
                .send(bytes.to_vec())
                .map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Arc<Sink>, Sender<()>, Receiver<Vec<u8>>) {
        let sink = Arc::new(Sink::new().unwrap());
        let ((permit, permits), (written, read)) = (channel(), channel());
        Sink::start(&sink, Slow { permits, written }, || false).unwrap();
        (sink, permit, read)
    }

    #[test]
    fn a_blocked_log_file_delays_nothing() {
        let (sink, permit, read) = slow();
        let line = [&[b'x'; 99][..], b"\n"].concat();
        let start = Instant::now();
        for _ in 0..50_000 {
            sink.put(&line);
        }
        sink.flush(Duration::from_millis(20));
        assert!(start.elapsed() < Duration::from_secs(5));
        let lost = sink.lost.get();
        // What waits is bounded, and one batch is in the file's hands.
        let kept = 2 * MOST_WAITING as u64 / 100;
        assert!((50_000 - kept..50_000).contains(&lost), "{lost} lost");
        for _ in 0..2 {
            permit.send(()).unwrap();
        }
        sink.flush(Duration::from_secs(10));
        let written: u64 = read.try_iter().map(|lines| count(&lines)).sum();
        assert_eq!(
            written + sink.lost.get(),
            50_000,
            "each line is one or the other"
        );
    }

    #[test]
    fn lines_that_a_file_refuses_are_counted() {
        let (sink, permit, read) = slow();
        drop(permit);
        sink.put(b"one\ntwo\n");
        sink.flush(Duration::from_secs(10));
        assert_eq!(sink.lost.get(), 2);
        assert!(read.try_recv().is_err());
    }
}
