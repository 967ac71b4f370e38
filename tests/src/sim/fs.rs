//! The file system of the simulation: `MemFs`, with every request counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::driver::{self, CompletionSink, FsTicket, Submitted};
use nfs4_engine::fs::{
    Attrs, Backend, ByteLock, Capabilities, Creation, Credential, FsHandle, FsOp, FsReply,
    FsRequest, FsResult, LockKind, NewNode, OpenHow, Pending, SetAttrs, Target, Want,
};
use nfs4_engine::{Mono, Now, Wall};
use nfs4_vfs::{MemFs, MemFsConfig};

use super::local_locks::LocalLocks;

/// A `MemFs` that remembers what it was asked.
pub struct Fs {
    inner: MemFs,
    /// The locks of processes, if it has part in those of clients.
    local_locks: Option<Mutex<LocalLocks>>,
    tally: Mutex<Tally>,
}

/// A request on its way to a file system.
pub(super) struct Job {
    pub(super) ticket: FsTicket,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) request: FsRequest,
}

/// What a file system was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests by the name of their kind.
    pub requests: BTreeMap<&'static str, u64>,
    /// How often each name was to be created, by an opening or otherwise.
    pub creations: BTreeMap<Vec<u8>, u64>,
    /// Files that were opened, and are held until they are released.
    pub holds: u64,
    /// Files that were let go of.
    pub releases: u64,
}

impl Fs {
    /// An empty file system whose root every user may write to.
    pub fn new() -> Fs {
        Fs::numbered(0)
    }

    /// One of several, with handles of its own; they are the same each time.
    pub fn numbered(number: u64) -> Fs {
        let config = MemFsConfig::new(1, 1 << 30).with(|files| {
            files.entropy = (u128::from(number) << 64 | 0x5eed).to_be_bytes();
            files.root_mode = 0o777;
        });
        Fs {
            inner: MemFs::new(config),
            local_locks: None,
            tally: Mutex::default(),
        }
    }

    /// It with locks of processes that are no clients.
    #[must_use]
    pub fn with_local_locks(self) -> Fs {
        Fs {
            local_locks: Some(Mutex::default()),
            ..self
        }
    }

    /// A process asks for a lock, and gets it unless a client has one that conflicts.
    pub fn lock_locally(&self, fh: &[u8], lock: ByteLock) -> bool {
        self.local_locks().lock_locally(own(fh), lock)
    }

    /// All processes unlock a file.
    pub fn unlock_locally(&self, fh: &[u8]) {
        self.local_locks().unlock_locally(own(fh));
    }

    /// How a process finds a byte locked by clients.
    pub fn strength(&self, fh: &[u8], byte: u64) -> Option<LockKind> {
        self.local_locks().strength(own(fh), byte)
    }

    /// Whether it has counted no lock of a client.
    pub(super) fn has_no_locks(&self) -> bool {
        self.local_locks.is_none() || self.local_locks().is_empty()
    }

    /// The process of the server ends.
    pub(super) fn forget_locks(&self) {
        if self.local_locks.is_some() {
            self.local_locks().forget();
        }
    }

    fn local_locks(&self) -> MutexGuard<'_, LocalLocks> {
        let locks = self.local_locks.as_ref().expect("it has some");
        locks.lock().expect("no thread panicked while it counted")
    }

    /// A file of the superuser's in the root, which is there without a request of any client.
    ///
    /// # Panics
    /// If the name is taken.
    pub fn make(&self, name: &[u8], mode: u32) {
        let set = SetAttrs::default().with(|set| set.mode = Some(mode));
        let op = FsOp::Open {
            target: Target::Name {
                dir: self.inner.root(),
                name: Bytes::copy_from_slice(name),
            },
            how: OpenHow::new(true, true, Creation::Guarded(set)),
        };
        match self.of_superuser(op) {
            Ok(FsReply::Opened(opened)) => self.inner.release(opened.fh),
            other => panic!("{other:?}"),
        }
    }

    /// A directory of the superuser's in the root, which is there without a request of any client.
    ///
    /// # Panics
    /// If the name is taken.
    pub fn make_directory(&self, name: &[u8], gid: u32, mode: u32) {
        let set = SetAttrs::default().with(|set| {
            set.gid = Some(gid);
            set.mode = Some(mode);
        });
        let op = FsOp::Create {
            dir: self.inner.root(),
            name: Bytes::copy_from_slice(name),
            node: NewNode::Directory,
            set,
        };
        self.of_superuser(op).expect("the name is free");
    }

    fn of_superuser(&self, op: FsOp) -> FsResult {
        let now = Now {
            mono: Mono::ZERO,
            wall: Wall::default(),
        };
        let cred = Arc::new(Credential::sys(0, 0, &[]));
        self.inner.answer(FsRequest::new(cred, now, op))
    }

    /// What it was asked so far.
    pub fn tally(&self) -> Tally {
        self.lock().clone()
    }

    /// Forgets what it was asked, but not what is held.
    pub(super) fn forget(&self) {
        let mut tally = self.lock();
        *tally = Tally {
            holds: tally.holds,
            releases: tally.releases,
            ..Tally::default()
        };
    }

    /// How many requests of a kind it was asked.
    pub fn requests(&self, kind: &str) -> u64 {
        self.lock().requests.get(kind).copied().unwrap_or(0)
    }

    /// The attributes of a file now, by the handle that clients have of it.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn attrs(&self, fh: &[u8]) -> Attrs {
        let fh = own(fh);
        let want = Want::ATTRS;
        match self.of_superuser(FsOp::GetAttrs { fh, want }) {
            Ok(FsReply::Attrs { attrs, .. }) => attrs,
            other => panic!("{other:?}"),
        }
    }

    /// How often this name was to be created.
    pub fn creations(&self, name: &[u8]) -> u64 {
        self.lock().creations.get(name).copied().unwrap_or(0)
    }

    /// Files that were opened and not yet released.
    ///
    /// # Panics
    /// If more was released than was opened.
    pub fn held(&self) -> u64 {
        let tally = self.lock();
        let held = tally.holds.checked_sub(tally.releases);
        held.expect("nothing is released twice")
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally
            .lock()
            .expect("no thread panicked while it counted")
    }
}

impl Job {
    /// Lets the file system execute it; what it answers.
    pub(super) fn carry_out(self) -> (FsTicket, FsResult) {
        let sink: Arc<dyn CompletionSink> = Arc::new(NeverLate);
        match driver::submit(&*self.backend, self.ticket, self.request, &sink) {
            Submitted::Answered(result) => (self.ticket, result),
            other => unreachable!("MemFs answers at once: {other:?}"),
        }
    }
}

impl Default for Fs {
    fn default() -> Fs {
        Fs::new()
    }
}

impl Backend for Fs {
    fn root(&self) -> FsHandle {
        self.inner.root()
    }

    fn capabilities(&self) -> Capabilities {
        let local_locks = self.local_locks.is_some();
        self.inner
            .capabilities()
            .with(|can| can.local_locks = local_locks)
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        {
            let mut tally = self.lock();
            *tally.requests.entry(kind(&request.op)).or_default() += 1;
            if let Some(name) = created(&request.op) {
                *tally.creations.entry(name.to_vec()).or_default() += 1;
            }
        }
        match &request.op {
            FsOp::Lock { fh, lock } => {
                return Poll::Ready(Ok(self.local_locks().ask(*fh, lock, true)));
            }
            FsOp::TestLock { fh, lock } => {
                return Poll::Ready(Ok(self.local_locks().ask(*fh, lock, false)));
            }
            _ => {}
        }
        let answer = self.inner.submit(request, pending);
        if let Poll::Ready(Ok(FsReply::Opened(_))) = answer {
            self.lock().holds += 1;
        }
        answer
    }

    fn release(&self, fh: FsHandle) {
        self.lock().releases += 1;
        self.inner.release(fh);
    }

    fn unlock(&self, fh: FsHandle, locks: &[ByteLock]) {
        self.local_locks().unlock(fh, locks);
    }
}

/// The handle of the file system in one that clients have: after a byte for the format, and two for the export.
fn own(fh: &[u8]) -> FsHandle {
    FsHandle::new(&fh[3..]).expect("a handle is short")
}

fn kind(op: &FsOp) -> &'static str {
    match op {
        FsOp::GetAttrs { .. } => "GetAttrs",
        FsOp::SetAttrs { .. } => "SetAttrs",
        FsOp::Access { .. } => "Access",
        FsOp::Lookup { .. } => "Lookup",
        FsOp::LookupParent { .. } => "LookupParent",
        FsOp::ReadDir { .. } => "ReadDir",
        FsOp::ReadLink { .. } => "ReadLink",
        FsOp::Read { .. } => "Read",
        FsOp::Write { .. } => "Write",
        FsOp::Commit { .. } => "Commit",
        FsOp::Create { .. } => "Create",
        FsOp::Open { .. } => "Open",
        FsOp::Link { .. } => "Link",
        FsOp::Remove { .. } => "Remove",
        FsOp::Rename { .. } => "Rename",
        FsOp::Lease { .. } => "Lease",
        FsOp::Lock { .. } => "Lock",
        FsOp::TestLock { .. } => "TestLock",
        other => unreachable!("{other:?} is not known here"),
    }
}

/// The name of what a request may make.
pub fn created(op: &FsOp) -> Option<&[u8]> {
    match op {
        FsOp::Create { name, .. } => Some(name),
        FsOp::Open {
            target: Target::Name { name, .. },
            ..
        } => Some(name),
        _ => None,
    }
}

struct NeverLate;

impl CompletionSink for NeverLate {
    fn complete(&self, ticket: FsTicket, _: FsResult) {
        unreachable!("MemFs answers {ticket:?} at once");
    }
}
