//! A stream on plain threads that can only read and write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use nfs4_driver::engine::proto::rpc::{Mark, ReplyHeader};
use nfs4_driver::{Closing, Limits, SystemClock};
use nfs4_transport_std::{BlockingStream, Runner};

use crate::files::RootOnly;
use crate::peer::{NULL, record};
use crate::server::node;

#[test]
fn a_stream_that_cannot_wait_is_served_after_a_silence() {
    let clock = Arc::new(SystemClock::new());
    let node = node(Limits::default(), Arc::new(RootOnly), clock);
    let runner = Runner::start(node).unwrap();
    let (ours, theirs) = Pipe::pair();
    let reads = Arc::clone(&ours.reads);
    std::thread::scope(|scope| {
        let served = scope.spawn(|| runner.serve_stream(ours, "a pipe"));
        for _ in 0..2 {
            theirs.is_served();
            let before = reads.load(Ordering::SeqCst);
            // The reader would return its buffer after a second, and wait without one.
            std::thread::sleep(Duration::from_millis(1_500));
            let silent = reads.load(Ordering::SeqCst) - before;
            assert!(silent < 4, "{silent} reads of nothing");
        }
        theirs.shutdown(Shutdown::Both).unwrap();
        let ended = served.join().unwrap();
        assert!(matches!(ended, Ok(Closing::EndOfStream)), "{ended:?}");
    });
    assert_eq!(runner.stop(), Ok(()));
}

/// One end of two queues of bytes.
struct Pipe {
    incoming: Arc<Queue>,
    outgoing: Arc<Queue>,
    timeout: Mutex<Option<Duration>>,
    reads: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Queue {
    /// What was sent, and whether that is all.
    bytes: Mutex<(VecDeque<u8>, bool)>,
    changed: Condvar,
}

impl Pipe {
    fn pair() -> (Pipe, Pipe) {
        let [one, other] = [(); 2].map(|()| Arc::<Queue>::default());
        let end = |incoming: &Arc<Queue>, outgoing: &Arc<Queue>| Pipe {
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            timeout: Mutex::default(),
            reads: Arc::default(),
        };
        (end(&one, &other), end(&other, &one))
    }

    /// NULL is answered.
    fn is_served(&self) {
        let call = record(&NULL);
        let count = self.write(&[IoSlice::new(&call)]).unwrap();
        assert_eq!(count, call.len());
        let mut mark = [0; Mark::LEN];
        self.read_all(&mut mark);
        let mut reply = vec![0; Mark::from_bytes(mark).len as usize];
        self.read_all(&mut reply);
        assert_eq!(ReplyHeader::decode(&reply).unwrap().xid, NULL.xid);
    }

    fn read_all(&self, mut space: &mut [u8]) {
        while !space.is_empty() {
            let count = self.read(space).unwrap();
            assert_ne!(count, 0, "an end in the middle");
            space = &mut space[count..];
        }
    }
}

impl BlockingStream for Pipe {
    fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let nothing = |state: &mut (VecDeque<u8>, bool)| state.0.is_empty() && !state.1;
        let patience = self.timeout.lock().unwrap().unwrap_or(Duration::MAX);
        let state = self.incoming.bytes.lock().unwrap();
        let changed = &self.incoming.changed;
        let waited = changed.wait_timeout_while(state, patience, nothing);
        let (mut state, late) = waited.unwrap();
        if late.timed_out() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let count = space.len().min(state.0.len());
        for (to, byte) in space.iter_mut().zip(state.0.drain(..count)) {
            *to = byte;
        }
        Ok(count)
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.outgoing.bytes.lock().unwrap();
        let before = state.0.len();
        slices.iter().for_each(|slice| state.0.extend(slice.iter()));
        self.outgoing.changed.notify_all();
        Ok(state.0.len() - before)
    }

    fn set_read_timeout(&self, span: Duration) -> io::Result<()> {
        *self.timeout.lock().unwrap() = Some(span);
        Ok(())
    }

    fn set_write_timeout(&self, _: Duration) -> io::Result<()> {
        // A write never waits.
        Ok(())
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let queues: &[&Queue] = match how {
            Shutdown::Read => &[&self.incoming],
            Shutdown::Write => &[&self.outgoing],
            Shutdown::Both => &[&self.incoming, &self.outgoing],
        };
        for queue in queues {
            queue.bytes.lock().unwrap().1 = true;
            queue.changed.notify_all();
        }
        Ok(())
    }
}
