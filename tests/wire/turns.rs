//! Whose turn it is, when one peer has much to do and another little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use nfs4_driver::Limits;
use nfs4_driver::engine::fs::{Backend, Capabilities, FsHandle, FsRequest, FsResult, Pending};

use crate::files::RootOnly;
use crate::peer::Peer;
use crate::server::{Running, Transport};
use crate::session::{Session, outcome};

on_each!(a_batch_of_long_requests_lets_others_have_their_turn);

/// Both send before the server reads anything, and the one thread of this runtime serves both.
async fn a_batch_of_long_requests_lets_others_have_their_turn(on: Transport) {
    let slow = Arc::new(Slow::default());
    let root: Arc<dyn Backend> = Arc::clone(&slow) as _;
    let server = Running::serve(on, Limits::default(), root).await;
    let mut greedy = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut greedy, b"greedy").await;
    let mut other = Peer::connect(server.address).await;
    let mut short = Session::establish(&mut other, b"other").await;

    let calls: Vec<u8> = (0..BATCH).flat_map(|slot| session.getattr(slot)).collect();
    greedy.stream.try_write(&calls).unwrap();
    other.stream.try_write(&short.getattr(0)).unwrap();
    assert_eq!(outcome(&other.record().await.unwrap()), (0, Ok(())));
    let before = slow.answered.load(Ordering::SeqCst);
    assert!(before < BATCH / 2, "{before} came before");
    for slot in 0..BATCH {
        let record = greedy.record().await.unwrap();
        assert_eq!(outcome(&record), (slot, Ok(())));
    }
}

/// A root directory that takes its time.
#[derive(Default)]
struct Slow {
    answered: AtomicU32,
}

impl Backend for Slow {
    fn root(&self) -> FsHandle {
        RootOnly.root()
    }

    fn capabilities(&self) -> Capabilities {
        RootOnly.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        std::thread::sleep(Duration::from_millis(2));
        self.answered.fetch_add(1, Ordering::SeqCst);
        RootOnly.submit(request, pending)
    }

    fn release(&self, _: FsHandle) {}
}

/// So many calls come together.
const BATCH: u32 = 60;
