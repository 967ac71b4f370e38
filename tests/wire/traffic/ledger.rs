//! A file system that writes down what it was asked to change.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;
use std::time::Duration;

use nfs4_driver::engine::fs::{
    Backend, Capabilities, Completion, FsHandle, FsOp, FsReply, FsRequest, FsResult, Pending,
    Target,
};
use nfs4_vfs::{MemFs, MemFsConfig};

/// A `MemFs` that counts what may happen once only; it tells a third of its answers late, from
/// other threads.
pub(crate) struct Ledger {
    fs: MemFs,
    executions: Mutex<BTreeMap<(Change, Vec<u8>), u64>>,
    /// Files opened and not released.
    held: AtomicI64,
    asked: AtomicUsize,
    tellers: [Sender<(Completion, FsResult)>; 2],
}

/// A request that must not be carried out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Open,
    Make,
    Remove,
    Rename,
    Write,
}

impl Ledger {
    pub(crate) fn new() -> Ledger {
        let config = MemFsConfig::new(1, 64 << 20).with(|files| files.root_mode = 0o777);
        Ledger {
            fs: MemFs::new(config),
            executions: Mutex::default(),
            held: AtomicI64::new(0),
            asked: AtomicUsize::new(0),
            tellers: [teller(16), teller(61)],
        }
    }

    /// How often each change was carried out that has a name of its own.
    pub(crate) fn executions(&self) -> BTreeMap<(Change, Vec<u8>), u64> {
        self.executions.lock().unwrap().clone()
    }

    /// Files opened and not released.
    pub(crate) fn held(&self) -> i64 {
        self.held.load(Ordering::SeqCst)
    }
}

impl Backend for Ledger {
    fn root(&self) -> FsHandle {
        self.fs.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.fs.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        if let Some((change, name)) = named(&request.op) {
            let mut executions = self.executions.lock().unwrap();
            *executions.entry((change, name.to_vec())).or_default() += 1;
        }
        let answer = self.fs.submit(request, pending);
        if let Poll::Ready(Ok(FsReply::Opened(_))) = &answer {
            self.held.fetch_add(1, Ordering::SeqCst);
        }
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        match answer {
            Poll::Ready(result) if asked.is_multiple_of(3) => {
                let teller = &self.tellers[asked % self.tellers.len()];
                teller.send((pending.completion(), result)).unwrap();
                Poll::Pending
            }
            answer => answer,
        }
    }

    fn release(&self, fh: FsHandle) {
        self.held.fetch_sub(1, Ordering::SeqCst);
        self.fs.release(fh);
    }
}

/// What a request changes, and the name that no other has: data begins with a line of it.
fn named(op: &FsOp) -> Option<(Change, &[u8])> {
    Some(match op {
        FsOp::Open {
            target: Target::Name { name, .. },
            ..
        } => (Change::Open, name),
        FsOp::Create { name, .. } => (Change::Make, name),
        FsOp::Remove { name, .. } => (Change::Remove, name),
        FsOp::Rename { from, .. } => (Change::Rename, from),
        FsOp::Write { data, .. } => (Change::Write, data.split(|byte| *byte == b'\n').next()?),
        _ => return None,
    })
}

/// A thread that tells answers, and takes its time for one of so many.
fn teller(slow: usize) -> Sender<(Completion, FsResult)> {
    let (teller, answers) = channel::<(Completion, FsResult)>();
    std::thread::spawn(move || {
        for (at, (completion, result)) in answers.iter().enumerate() {
            if at % slow == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            completion.complete(result);
        }
    });
    teller
}
