//! A log of what enters the engine, and what comes of it.

use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nfs4_engine::record::{Journal, Start};
use nfs4_engine::{Engine, Input, Now, Outbox};
use parking_lot::{Condvar, Mutex};

use crate::log;

/// Where a node writes the log of its engine: see [`Node::recorded`](crate::Node::recorded).
///
/// A thread of its own writes it, so that no request waits. When 64 MiB are not written yet, the
/// log ends there, and says so.
pub struct Recording {
    queue: Arc<Queue>,
    writing: Mutex<Writing>,
}

/// How far the thread has come that writes.
enum Writing {
    Runs(JoinHandle<io::Result<()>>),
    /// Everything is written, or this is why not.
    Ended(Result<(), io::ErrorKind>),
}

/// The engine's side of it, under the engine's lock.
pub(crate) struct Recorded {
    journal: Journal,
    queue: Arc<Queue>,
}

/// What is to be written.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    unwritten: Vec<u8>,
    /// Nothing follows.
    ended: bool,
    /// Nothing can be written.
    failed: bool,
}

impl Recording {
    /// Starts the thread that writes to `log`. It writes what a few inputs have caused together,
    /// and flushes it.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn to(mut log: impl Write + Send + 'static) -> io::Result<Recording> {
        let queue = Arc::<Queue>::default();
        let own = Arc::clone(&queue);
        let writes = move || own.write_to(&mut log);
        let thread = thread::Builder::new()
            .name("nfs4-recording".to_owned())
            .spawn(writes)?;
        Ok(Recording {
            queue,
            writing: Mutex::new(Writing::Runs(thread)),
        })
    }

    pub(crate) fn begin(&self, start: &Start) -> Recorded {
        Recorded {
            journal: Journal::new(start),
            queue: Arc::clone(&self.queue),
        }
    }

    /// Ends it, and waits until it is written. Of several callers at once, each waits for that.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.queue.end();
        let mut writing = self.writing.lock();
        let thread = match mem::replace(&mut *writing, Writing::Ended(Ok(()))) {
            Writing::Runs(thread) => thread,
            Writing::Ended(ended) => {
                *writing = Writing::Ended(ended);
                return ended.map_err(io::Error::from);
            }
        };
        // Nothing else waits for the lock.
        let panicked = |_| Err(io::Error::other("the thread that writes panicked"));
        let ended = thread.join().unwrap_or_else(panicked);
        *writing = Writing::Ended(ended.as_ref().copied().map_err(io::Error::kind));
        ended
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // A failure has been logged.
        let _ = self.finish();
    }
}

impl Recorded {
    pub(crate) fn handle(
        &mut self,
        engine: &mut Engine,
        now: Now,
        input: Input,
        outbox: &mut Outbox,
    ) {
        self.journal.input(now, &input, outbox);
        let open = OpenEntry(self);
        engine.handle(now, input, outbox);
        open.close(outbox);
    }

    pub(crate) fn handle_timeout(
        &mut self,
        engine: &mut Engine,
        now: Now,
        budget: usize,
        outbox: &mut Outbox,
    ) -> bool {
        self.journal.timers(now, budget, outbox);
        let open = OpenEntry(self);
        let left = engine.handle_timeout(now, budget, outbox);
        open.close(outbox);
        left
    }

    /// Hands all entries over to the thread that writes; `false` if it takes no more.
    pub(crate) fn hand_over(&mut self) -> bool {
        let unwritten = self.queue.put(&mut self.journal);
        let Some(too_many) = unwritten.filter(|unwritten| *unwritten > MAX_UNWRITTEN) else {
            return unwritten.is_some();
        };
        log::recording_has_gap(too_many);
        self.journal.gap();
        self.queue.put(&mut self.journal);
        self.queue.end();
        false
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        // It changes nothing if the recording has ended otherwise.
        self.journal.end();
        self.queue.put(&mut self.journal);
        self.queue.end();
    }
}

/// An entry that is being written while the engine works.
struct OpenEntry<'a>(&'a mut Recorded);

impl OpenEntry<'_> {
    fn close(self, outbox: &mut Outbox) {
        self.0.journal.caused(outbox);
        mem::forget(self);
    }
}

/// The engine has panicked: what it was given is the most important of all entries.
impl Drop for OpenEntry<'_> {
    fn drop(&mut self) {
        let Recorded { journal, queue } = &mut *self.0;
        journal.panicked();
        queue.put(journal);
        queue.end();
    }
}

impl Queue {
    /// Adds what the journal has; returns the number of bytes that are not written yet, none if
    /// nothing is written any more.
    fn put(&self, journal: &mut Journal) -> Option<usize> {
        let mut state = self.state.lock();
        if state.ended || state.failed {
            return None;
        }
        if state.unwritten.is_empty() {
            let memory = mem::take(&mut state.unwritten);
            state.unwritten = journal.take(memory);
        } else {
            journal.append_to(&mut state.unwritten);
        }
        let unwritten = state.unwritten.len();
        drop(state);
        self.changed.notify_one();
        Some(unwritten)
    }

    fn end(&self) {
        self.state.lock().ended = true;
        self.changed.notify_one();
    }

    /// Writes all that comes, until the end.
    fn write_to(&self, log: &mut impl Write) -> io::Result<()> {
        let mut part = Vec::new();
        loop {
            let is_last = self.next(&mut part);
            let written = log.write_all(&part).and_then(|()| log.flush());
            if let Err(why) = written {
                log::recording_failed(&why);
                let mut state = self.state.lock();
                state.failed = true;
                state.unwritten = Vec::new();
                return Err(why);
            }
            if is_last {
                return Ok(());
            }
            part.clear();
            part.shrink_to(KEPT);
        }
    }

    /// Waits for something to write; `true` if nothing follows.
    fn next(&self, part: &mut Vec<u8>) -> bool {
        let mut state = self.state.lock();
        while state.unwritten.is_empty() && !state.ended {
            self.changed.wait(&mut state);
        }
        mem::swap(part, &mut state.unwritten);
        state.ended
    }
}

/// Maximum number of bytes that are not written yet.
const MAX_UNWRITTEN: usize = 64 << 20;
/// Number of bytes of memory that are kept for the next entries.
const KEPT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nfs4_engine::record::{DECODED_FIRST, Decoder, FRAME_HEAD, Frame};
    use nfs4_engine::{Boot, Config, ConnId};

    use super::*;

    /// A log in memory, which takes nothing while it is closed.
    #[derive(Clone, Default)]
    struct Shelf(Arc<Mutex<(Vec<u8>, bool)>>);

    impl Write for Shelf {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            while self.0.lock().1 {
                thread::sleep(Duration::from_millis(1));
            }
            self.0.lock().0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start() -> Start {
        let boot = Boot::new(1, [7; 16], [1]);
        Start::new(boot, Config::default(), &[], Now::default())
    }

    /// The kinds of the frames of a log.
    fn kinds(log: &[u8]) -> String {
        let (first, mut rest) = log.split_first_chunk::<DECODED_FIRST>().unwrap();
        let mut decoder = Decoder::new(first).unwrap();
        let mut kinds = String::new();
        while let Some((head, after)) = rest.split_first_chunk::<FRAME_HEAD>() {
            let (body, after) = after.split_at(decoder.rest_of(head).unwrap());
            kinds.push(match decoder.frame(body).unwrap() {
                Frame::Start(_) => 'S',
                Frame::Entry(_) => 'e',
                Frame::Panicked(_) => 'P',
                Frame::End => 'E',
                Frame::Gap => 'G',
            });
            rest = after;
        }
        assert!(rest.is_empty() && decoder.has_ended());
        kinds
    }

    fn opened(number: u64, len: usize) -> Input {
        Input::ConnOpened {
            conn: ConnId::new(number).unwrap(),
            peer: "x".repeat(len),
        }
    }

    #[test]
    fn a_log_that_is_written_too_slowly_ends_with_a_gap() {
        let shelf = Shelf::default();
        shelf.0.lock().1 = true;
        let recording = Recording::to(shelf.clone()).unwrap();
        let mut recorded = recording.begin(&start());
        let mut entries = 0;
        let mut outbox = Outbox::new();
        while recorded.hand_over() {
            entries += 1;
            let input = opened(entries, 1 << 20);
            recorded.journal.input(Now::default(), &input, &outbox);
            recorded.journal.caused(&mut outbox);
            assert!(entries < 70, "the memory is bounded");
        }
        drop(recorded);
        shelf.0.lock().1 = false;
        recording.finish().unwrap();
        let expected = format!("S{}G", "e".repeat(entries as usize));
        assert_eq!(kinds(&shelf.0.lock().0), expected);
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_nothing_else() {
        let recording = Recording::to(Full).unwrap();
        let mut recorded = recording.begin(&start());
        while recorded.hand_over() {
            recorded.journal.timers(Now::default(), 1, &Outbox::new());
            recorded.journal.caused(&mut Outbox::new());
        }
        drop(recorded);
        for _ in 0..2 {
            let ended = recording.finish().unwrap_err();
            assert_eq!(ended.kind(), io::ErrorKind::StorageFull);
        }
    }

    #[test]
    fn each_caller_that_ends_a_recording_waits_until_it_is_written() {
        let shelf = Shelf::default();
        shelf.0.lock().1 = true;
        let recording = Recording::to(shelf.clone()).unwrap();
        let mut recorded = recording.begin(&start());
        assert!(recorded.hand_over());
        drop(recorded);
        let written = || kinds(&shelf.0.lock().0);
        thread::scope(|threads| {
            let callers = [(), ()].map(|()| {
                threads.spawn(|| {
                    recording.finish().unwrap();
                    assert_eq!(written(), "SE");
                })
            });
            thread::sleep(Duration::from_millis(100));
            assert!(callers.iter().all(|caller| !caller.is_finished()));
            shelf.0.lock().1 = false;
        });
        recording.finish().unwrap();
    }

    #[test]
    fn the_input_at_which_the_engine_panics_is_the_last_of_the_log() {
        let shelf = Shelf::default();
        let recording = Recording::to(shelf.clone()).unwrap();
        let mut recorded = recording.begin(&start());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let input = opened(1, 9);
            recorded
                .journal
                .input(Now::default(), &input, &Outbox::new());
            let _open = OpenEntry(&mut recorded);
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err());
        drop(recorded);
        recording.finish().unwrap();
        assert_eq!(kinds(&shelf.0.lock().0), "SP");
    }
}
