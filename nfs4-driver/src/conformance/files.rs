//! The file system that the cases serve: a root directory with one file.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use nfs4_engine::Wall;
use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Backend, Capabilities, Completion, Device, DirChange, FileKind, FsError, FsHandle, FsOp,
    FsReply, FsRequest, FsResult, FsStat, Opened, Payload, Pending, Target,
};

/// A root directory with the file [`NAME`]. How requests for attributes are answered can be set; all
/// others are answered at once.
pub(super) struct Files {
    answers: Mutex<Answers>,
    waiting: Mutex<Vec<Completion>>,
    asked: AtomicUsize,
    /// Opens that were not released.
    open: AtomicUsize,
    content: Bytes,
    written: Mutex<Vec<u8>>,
    change: AtomicU64,
}

/// How requests for attributes are answered.
#[derive(Clone, Debug, Default)]
pub(super) enum Answers {
    /// Before the request returns.
    #[default]
    AtOnce,
    /// Before the request returns, after this time.
    After(Duration),
    /// By another thread.
    Elsewhere(Sender<Completion>),
    /// When the case takes them: see [`Files::take`].
    Held,
    /// Never: the completion is dropped.
    Dropped,
}

impl Answers {
    /// A thread that answers in the order of the requests, until the sender is dropped.
    pub(super) fn elsewhere() -> Answers {
        let (worker, requests) = channel::<Completion>();
        thread::spawn(move || {
            for (at, request) in requests.iter().enumerate() {
                if at % 7 == 0 {
                    thread::yield_now();
                }
                request.complete(Ok(attributes(ROOT)));
            }
        });
        Answers::Elsewhere(worker)
    }
}

impl Files {
    pub(super) fn new() -> Files {
        Files {
            answers: Mutex::default(),
            waiting: Mutex::default(),
            asked: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            content: (0..SIZE).map(byte).collect::<Vec<u8>>().into(),
            written: Mutex::default(),
            change: AtomicU64::new(1),
        }
    }

    /// Sets how requests for attributes are answered from now on.
    pub(super) fn answer(&self, how: Answers) {
        *lock(&self.answers) = how;
    }

    /// Number of requests for attributes so far.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Number of requests that are held.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Takes the request that has been held for longest.
    pub(super) fn take(&self) -> Completion {
        lock(&self.waiting).remove(0)
    }

    /// Answers all requests that are held, on another thread.
    pub(super) fn release_all(&self) {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        let thread = thread::spawn(|| {
            for request in waiting {
                request.complete(Ok(attributes(ROOT)));
            }
        });
        thread.join().expect("a completion does not panic");
    }

    /// Number of opens that were not released.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// What was written to the file.
    pub(super) fn written(&self) -> Vec<u8> {
        lock(&self.written).clone()
    }

    fn root_attrs(&self, pending: &mut Pending<'_>) -> Poll<FsResult> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // Without the lock: a completion may execute the next request.
        let how = lock(&self.answers).clone();
        match how {
            Answers::AtOnce => return Poll::Ready(Ok(attributes(ROOT))),
            Answers::After(span) => {
                thread::sleep(span);
                return Poll::Ready(Ok(attributes(ROOT)));
            }
            Answers::Elsewhere(worker) => {
                worker.send(pending.completion()).expect("it works");
            }
            Answers::Held => lock(&self.waiting).push(pending.completion()),
            Answers::Dropped => drop(pending.completion()),
        }
        Poll::Pending
    }

    fn open_file(&self, target: Target) -> FsResult {
        let fh = match target {
            Target::Handle(fh) => fh,
            Target::Name { name, .. } if name == NAME => handle(FILE),
            Target::Name { .. } => return Err(FsError::NotFound),
        };
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(FsReply::Opened(Opened {
            fh,
            attrs: attrs(FILE, self.change.load(Ordering::SeqCst)),
            created: false,
            dir: DirChange::default(),
        }))
    }

    fn read(&self, offset: u64, count: u32) -> FsResult {
        let start = usize::try_from(offset).map_or(SIZE, |offset| offset.min(SIZE));
        let end = start.saturating_add(count as usize).min(SIZE);
        let mut data = Payload::new();
        data.push(self.content.slice(start..end));
        let eof = end == SIZE;
        Ok(FsReply::Data { data, eof })
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<u32, FsError> {
        let start = usize::try_from(offset).map_err(|_| FsError::TooLarge)?;
        let end = start.checked_add(data.len()).ok_or(FsError::TooLarge)?;
        if end > SIZE {
            return Err(FsError::TooLarge);
        }
        let mut written = lock(&self.written);
        let length = written.len().max(end);
        written.resize(length, 0);
        written[start..end].copy_from_slice(data);
        self.change.fetch_add(1, Ordering::SeqCst);
        u32::try_from(data.len()).map_err(|_| FsError::TooLarge)
    }
}

impl Backend for Files {
    fn root(&self) -> FsHandle {
        handle(ROOT)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with(|capabilities| {
            capabilities.symlinks = false;
            capabilities.max_file_size = SIZE as u64;
        })
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        Poll::Ready(match request.op {
            FsOp::GetAttrs { fh, .. } if fh == handle(ROOT) => return self.root_attrs(pending),
            FsOp::GetAttrs { .. } => Ok(attributes(FILE)),
            FsOp::Access { fh, mask } => Ok(FsReply::Access {
                granted: mask,
                kind: attrs(place(fh), 1).kind,
            }),
            FsOp::Lookup { name, .. } if name == NAME => Ok(FsReply::Node {
                fh: handle(FILE),
                attrs: attrs(FILE, self.change.load(Ordering::SeqCst)),
                stat: Some(FsStat::default()),
            }),
            FsOp::Lookup { .. } => Err(FsError::NotFound),
            FsOp::Open { target, .. } => self.open_file(target),
            FsOp::Read { offset, count, .. } => self.read(offset, count),
            FsOp::Write {
                offset,
                data,
                stability,
                ..
            } => self.write(offset, &data).map(|count| FsReply::Written {
                count,
                stability,
                losses: 0,
            }),
            _ => Err(FsError::NotSupported),
        })
    }

    fn release(&self, _: FsHandle) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A byte of the file.
pub(super) fn byte(at: usize) -> u8 {
    (at.wrapping_mul(7) ^ (at >> 12)).to_le_bytes()[0]
}

fn handle(place: u8) -> FsHandle {
    FsHandle::new(&[place]).expect("it is short")
}

fn place(fh: FsHandle) -> u8 {
    if fh == handle(ROOT) { ROOT } else { FILE }
}

fn attributes(place: u8) -> FsReply {
    FsReply::Attrs {
        attrs: attrs(place, 1),
        stat: Some(FsStat::default()),
    }
}

fn attrs(place: u8, change: u64) -> Attrs {
    let (kind, mode, size) = match place {
        ROOT => (FileKind::Directory, 0o777, 0),
        _ => (FileKind::Regular, 0o666, SIZE as u64),
    };
    Attrs {
        kind,
        mode,
        links: 1,
        uid: 0,
        gid: 0,
        device: Device::default(),
        fileid: place.into(),
        change,
        size,
        space_used: size,
        accessed: Wall::default(),
        modified: Wall::default(),
        changed: Wall::default(),
        created: Wall::default(),
        fs: 0,
        mounted_on: 0,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic leaves the value inconsistent.
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The name of the file.
pub(super) const NAME: &[u8] = b"data";
/// The size of the file, in bytes: that of the longest READ and WRITE.
pub(super) const SIZE: usize = 1 << 20;
const ROOT: u8 = 1;
const FILE: u8 = 2;
