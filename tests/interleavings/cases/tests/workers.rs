//! Threads that poll the futures of file systems.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use nfs4_driver::engine::bytes::Bytes;
use nfs4_driver::engine::fs::{Attrs, Caller, Data, Entries, FileSystem, FsError, FsHandle};
use nfs4_driver::{FileSystemBackend, Workers};
use nfs4_interleavings::{Client, FS_ROOT, in_many_orders, node};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread;

/// A directory whose attributes are known once another thread has opened the gate.
#[derive(Clone, Default)]
struct Gated {
    gate: Arc<Mutex<Gate>>,
    /// Number of futures that exist.
    futures: Arc<AtomicU32>,
}

/// Counts a future.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Gate {
    open: bool,
    wakers: Vec<Waker>,
}

impl Gated {
    fn open(&self) {
        let mut gate = self.gate.lock().unwrap();
        gate.open = true;
        let wakers = std::mem::take(&mut gate.wakers);
        drop(gate);
        for waker in wakers {
            waker.wake();
        }
    }
}

impl FileSystem for Gated {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(FS_ROOT)
    }

    async fn getattr(&self, _: Caller, _: FsHandle) -> Result<Attrs, FsError> {
        self.futures.fetch_add(1, Ordering::SeqCst);
        let _counted = Counted(Arc::clone(&self.futures));
        poll_fn(|cx| {
            let mut gate = self.gate.lock().unwrap();
            if gate.open {
                return Poll::Ready(());
            }
            gate.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        Ok(Attrs::dir(FS_ROOT))
    }

    async fn lookup(&self, _: Caller, _: FsHandle, _: Bytes) -> Result<(FsHandle, Attrs), FsError> {
        Err(FsError::NotFound)
    }

    async fn readdir(&self, _: Caller, _: FsHandle, _: u64) -> Result<Entries, FsError> {
        Ok(Entries::all([]))
    }

    async fn read(&self, _: Caller, _: FsHandle, _: u64, _: u32) -> Result<Data, FsError> {
        Err(FsError::IsDirectory)
    }
}

fn workers(threads: usize) -> Workers {
    Workers::new(threads.try_into().unwrap()).unwrap()
}

#[test]
fn futures_that_wait_are_polled_again_and_the_threads_end_with_the_node() {
    in_many_orders(|| {
        let files = Gated::default();
        let backend = FileSystemBackend::new(files.clone(), workers(2));
        let node = node(Arc::new(backend));
        let mut client = Client::enter(&node, "gated");
        client.send_getattr(0, 1);
        client.send_getattr(1, 1);
        let opening = thread::spawn(move || files.open());
        client.reply();
        client.reply();
        opening.join().unwrap();
        client.close();
        drop(node);
        // A thread of the pool that did not end would be a deadlock.
    });
}

#[test]
fn a_node_that_is_dropped_drops_the_futures_that_wait() {
    in_many_orders(|| {
        let files = Gated::default();
        let backend = FileSystemBackend::new(files.clone(), workers(1));
        let node = node(Arc::new(backend));
        let mut client = Client::enter(&node, "dropped");
        client.send_getattr(0, 1);
        client.work().unwrap();
        client.close();
        drop(node);
        // The gate, which stays closed, still has the waker.
        while files.futures.load(Ordering::SeqCst) > 0 {
            thread::yield_now();
        }
    });
}
