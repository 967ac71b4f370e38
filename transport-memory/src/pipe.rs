//! A bounded queue of bytes in one direction.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// A bounded queue of bytes with one writer and one reader, each of which waits with a waker or with
/// its thread. The reader is woken when the queue is not empty any more or has ended, the writer when
/// it is not full any more or nothing is read from it.
pub(crate) struct Pipe {
    state: Mutex<State>,
    moved: Condvar,
    capacity: usize,
    /// Woken when the writer is lost, even while its owner reads nothing.
    on_loss: Option<Waker>,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    /// The end of the stream follows the bytes.
    finished: bool,
    /// The writer is gone: an error follows the bytes, unless the stream has ended.
    lost: bool,
    /// Nothing is read any more.
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    pub(crate) fn new(capacity: usize, on_loss: Option<Waker>) -> Pipe {
        Pipe {
            state: Mutex::default(),
            moved: Condvar::new(),
            capacity: capacity.max(1),
            on_loss,
        }
    }

    /// Reads into `space`; `waker` is called when there is something to read, if there is nothing now.
    pub(crate) fn read(&self, space: &mut [u8], waker: &Waker) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        match state.read_now(space) {
            Some(result) => self.after_read(state, result),
            None => {
                set(&mut state.reader, waker);
                return Poll::Pending;
            }
        }
        .into()
    }

    /// Reads into `space` without waiting; none if there is nothing to read.
    pub(crate) fn try_read(&self, space: &mut [u8]) -> Option<io::Result<usize>> {
        let mut state = self.lock();
        let result = state.read_now(space)?;
        Some(self.after_read(state, result))
    }

    /// Waits for something to read, for at most `span`.
    pub(crate) fn read_blocking(
        &self,
        space: &mut [u8],
        span: Option<Duration>,
    ) -> io::Result<usize> {
        let until = deadline(span);
        let mut state = self.lock();
        loop {
            if let Some(result) = state.read_now(space) {
                return self.after_read(state, result);
            }
            state = self.wait(state, until)?;
        }
    }

    /// Writes the first bytes of `slices`; `waker` is called when there is room, if there is none now.
    pub(crate) fn write(&self, slices: &[IoSlice<'_>], waker: &Waker) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        match state.write_now(slices, self.capacity) {
            Some(result) => self.after_write(state, result),
            None => {
                set(&mut state.writer, waker);
                return Poll::Pending;
            }
        }
        .into()
    }

    /// Writes the first bytes of `slices` without waiting; none if there is no room.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> Option<io::Result<usize>> {
        let mut state = self.lock();
        let result = state.write_now(slices, self.capacity)?;
        Some(self.after_write(state, result))
    }

    /// Waits for room, for at most `span`.
    pub(crate) fn write_blocking(
        &self,
        slices: &[IoSlice<'_>],
        span: Option<Duration>,
    ) -> io::Result<usize> {
        let until = deadline(span);
        let mut state = self.lock();
        loop {
            if let Some(result) = state.write_now(slices, self.capacity) {
                return self.after_write(state, result);
            }
            state = self.wait(state, until)?;
        }
    }

    /// Ends the stream after the bytes that are in the queue.
    pub(crate) fn finish(&self) {
        self.end(|state| state.finished = true);
    }

    /// The writer is gone: an error follows the bytes that are in the queue.
    pub(crate) fn lose(&self) {
        self.end(|state| state.lost = true);
        if let Some(owner) = &self.on_loss {
            owner.wake_by_ref();
        }
    }

    /// Whether the writer is gone.
    pub(crate) fn is_lost(&self) -> bool {
        self.lock().lost
    }

    /// Reads nothing any more: writes fail.
    pub(crate) fn stop_reading(&self) {
        let mut state = self.lock();
        state.reader_gone = true;
        state.bytes = VecDeque::new();
        let writer = state.writer.take();
        drop(state);
        self.wake(writer);
    }

    fn end(&self, end: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        end(&mut state);
        let reader = state.reader.take();
        drop(state);
        self.wake(reader);
    }

    fn after_read(
        &self,
        mut state: MutexGuard<'_, State>,
        result: io::Result<usize>,
    ) -> io::Result<usize> {
        let Ok(count) = result else {
            return result;
        };
        let was_full = count > 0 && state.bytes.len() + count >= self.capacity;
        let writer = state.writer.take_if(|_| was_full);
        drop(state);
        if was_full {
            self.wake(writer);
        }
        Ok(count)
    }

    fn after_write(
        &self,
        mut state: MutexGuard<'_, State>,
        result: io::Result<usize>,
    ) -> io::Result<usize> {
        let Ok(count) = result else {
            return result;
        };
        let was_empty = count > 0 && state.bytes.len() == count;
        let reader = state.reader.take_if(|_| was_empty);
        drop(state);
        if was_empty {
            self.wake(reader);
        }
        Ok(count)
    }

    fn wake(&self, waker: Option<Waker>) {
        self.moved.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> io::Result<MutexGuard<'a, State>> {
        let Some(until) = until else {
            let state = self.moved.wait(state);
            return Ok(state.unwrap_or_else(|poisoned| poisoned.into_inner()));
        };
        let span = until.saturating_duration_since(Instant::now());
        if span.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let waited = self.moved.wait_timeout(state, span);
        let (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the value inconsistent.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn read_now(&mut self, space: &mut [u8]) -> Option<io::Result<usize>> {
        if space.is_empty() {
            return Some(Ok(0));
        }
        if self.bytes.is_empty() {
            return match (self.finished, self.lost) {
                (true, _) => Some(Ok(0)),
                (false, true) => Some(Err(io::ErrorKind::ConnectionReset.into())),
                (false, false) => None,
            };
        }
        let (front, back) = self.bytes.as_slices();
        let first = front.len().min(space.len());
        space[..first].copy_from_slice(&front[..first]);
        let second = back.len().min(space.len() - first);
        space[first..first + second].copy_from_slice(&back[..second]);
        let count = first + second;
        self.bytes.drain(..count);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = VecDeque::new();
        }
        Some(Ok(count))
    }

    fn write_now(&mut self, slices: &[IoSlice<'_>], capacity: usize) -> Option<io::Result<usize>> {
        if self.reader_gone || self.finished || self.lost {
            return Some(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = capacity.saturating_sub(self.bytes.len());
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        if room == 0 && wanted > 0 {
            return None;
        }
        let count = wanted.min(room);
        self.bytes.reserve(count);
        let mut left = count;
        for slice in slices {
            let part = slice.len().min(left);
            // A queue takes all that it is given.
            let _ = self.bytes.write(&slice[..part]);
            left -= part;
        }
        Some(Ok(count))
    }
}

fn set(place: &mut Option<Waker>, waker: &Waker) {
    match place {
        Some(known) => known.clone_from(waker),
        none => *none = Some(waker.clone()),
    }
}

fn deadline(span: Option<Duration>) -> Option<Instant> {
    span.and_then(|span| Instant::now().checked_add(span))
}

/// Number of bytes for which an empty queue keeps memory.
const KEPT: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        (count, waker)
    }

    fn written(pipe: &Pipe, bytes: &[u8], waker: &Waker) -> Option<usize> {
        match pipe.write(&[IoSlice::new(bytes)], waker) {
            Poll::Pending => None,
            Poll::Ready(result) => Some(result.expect("it is open")),
        }
    }

    fn read(pipe: &Pipe, most: usize, waker: &Waker) -> Option<Vec<u8>> {
        let mut space = vec![0; most];
        match pipe.read(&mut space, waker) {
            Poll::Pending => None,
            Poll::Ready(result) => {
                space.truncate(result.expect("it is open"));
                Some(space)
            }
        }
    }

    #[test]
    fn bytes_come_in_order_through_a_queue_that_is_never_longer_than_its_capacity() {
        let pipe = Pipe::new(7, None);
        let sent: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let (mut at, mut came) = (0, Vec::new());
        while came.len() < sent.len() {
            let end = (at + 1 + at % 11).min(sent.len());
            at += written(&pipe, &sent[at..end], Waker::noop()).unwrap_or_default();
            assert!(pipe.lock().bytes.len() <= 7);
            came.extend(read(&pipe, 1 + came.len() % 5, Waker::noop()).unwrap_or_default());
        }
        assert_eq!(came, sent);
    }

    #[test]
    fn each_side_is_woken_only_when_the_queue_was_empty_or_full() {
        let pipe = Pipe::new(4, None);
        let (reads, reader) = counted();
        let (writes, writer) = counted();
        let woken = || {
            (
                reads.0.load(Ordering::SeqCst),
                writes.0.load(Ordering::SeqCst),
            )
        };
        assert_eq!(read(&pipe, 8, &reader), None);
        assert_eq!(written(&pipe, b"ab", &writer), Some(2));
        assert_eq!(written(&pipe, b"cdef", &writer), Some(2));
        assert_eq!(woken(), (1, 0));
        assert_eq!(written(&pipe, b"ef", &writer), None);
        assert_eq!(read(&pipe, 1, &reader).as_deref(), Some(&b"a"[..]));
        assert_eq!(read(&pipe, 1, &reader).as_deref(), Some(&b"b"[..]));
        assert_eq!(woken(), (1, 1));
        assert_eq!(written(&pipe, b"ef", &writer), Some(2));
        assert_eq!(read(&pipe, 8, &reader).as_deref(), Some(&b"cdef"[..]));
        assert_eq!(woken(), (1, 1));
    }

    #[test]
    fn an_end_follows_the_bytes_before_it_and_hides_a_loss_from_the_reader() {
        let pipe = Pipe::new(4, None);
        written(&pipe, b"ab", Waker::noop());
        pipe.finish();
        pipe.lose();
        assert_eq!(read(&pipe, 8, Waker::noop()).as_deref(), Some(&b"ab"[..]));
        assert_eq!(read(&pipe, 8, Waker::noop()).as_deref(), Some(&b""[..]));
        let refused = pipe.write(&[IoSlice::new(b"c")], Waker::noop());
        assert!(
            matches!(refused, Poll::Ready(Err(why)) if why.kind() == io::ErrorKind::BrokenPipe)
        );
    }

    #[test]
    fn a_loss_wakes_its_owner_and_follows_the_bytes_before_it() {
        let (woken, owner) = counted();
        let pipe = Pipe::new(4, Some(owner));
        written(&pipe, b"ab", Waker::noop());
        pipe.lose();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!(read(&pipe, 8, Waker::noop()).as_deref(), Some(&b"ab"[..]));
        let lost = pipe.try_read(&mut [0]).expect("an error");
        assert_eq!(lost.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_thread_waits_for_bytes_for_room_and_no_longer_than_its_timeout() {
        let pipe = Pipe::new(3, None);
        let short = Some(Duration::from_millis(5));
        let timed_out = pipe.read_blocking(&mut [0], short).unwrap_err();
        assert_eq!(timed_out.kind(), io::ErrorKind::TimedOut);
        let sent: Vec<u8> = (0..=255).cycle().take(5_000).collect();
        let mut came = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut rest = &sent[..];
                while !rest.is_empty() {
                    let count = pipe.write_blocking(&[IoSlice::new(rest)], None);
                    rest = &rest[count.expect("it is read")..];
                }
                pipe.finish();
            });
            let mut space = [0; 5];
            loop {
                match pipe.read_blocking(&mut space, None).expect("it is written") {
                    0 => break,
                    count => came.extend_from_slice(&space[..count]),
                }
            }
        });
        assert_eq!(came, sent);
        let full = Pipe::new(1, None);
        written(&full, b"a", Waker::noop());
        let timed_out = full.write_blocking(&[IoSlice::new(b"b")], short);
        assert_eq!(timed_out.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
