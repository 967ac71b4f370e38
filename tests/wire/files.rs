//! File systems that misbehave when told to.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;

use nfs4_driver::engine::Wall;
use nfs4_driver::engine::fs::{
    Attrs, Backend, Capabilities, Completion, Device, FileKind, FsError, FsHandle, FsOp, FsReply,
    FsRequest, FsResult, FsStat, Pending,
};
use nfs4_vfs::MemFs;

/// A root directory and nothing else.
pub(crate) struct RootOnly;

impl Backend for RootOnly {
    fn root(&self) -> FsHandle {
        FsHandle::new(b"root").unwrap()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn submit(&self, request: FsRequest, _: &mut Pending<'_>) -> Poll<FsResult> {
        Poll::Ready(match request.op {
            FsOp::GetAttrs { .. } => Ok(root_attrs()),
            _ => Err(FsError::NotSupported),
        })
    }

    fn release(&self, _: FsHandle) {}
}

/// The root directory, whose requests wait while they are held.
#[derive(Default)]
pub(crate) struct Held {
    holding: AtomicBool,
    waiting: Mutex<Vec<Completion>>,
}

impl Held {
    /// From now on requests wait, or do not.
    pub(crate) fn hold(&self, hold: bool) {
        self.holding.store(hold, Ordering::SeqCst);
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    /// The request that waits at this place, the oldest first.
    pub(crate) fn take(&self, place: usize) -> Completion {
        self.waiting.lock().unwrap().remove(place)
    }
}

impl Backend for Held {
    fn root(&self) -> FsHandle {
        RootOnly.root()
    }

    fn capabilities(&self) -> Capabilities {
        RootOnly.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        if !self.holding.load(Ordering::SeqCst) {
            return RootOnly.submit(request, pending);
        }
        self.waiting.lock().unwrap().push(pending.completion());
        Poll::Pending
    }

    fn release(&self, _: FsHandle) {}
}

/// The root directory, where another thread answers two requests of three.
pub(crate) struct Late {
    count: AtomicUsize,
    worker: Sender<Completion>,
}

impl Late {
    pub(crate) fn new() -> Late {
        let (worker, requests) = channel::<Completion>();
        std::thread::spawn(move || {
            for (at, request) in requests.iter().enumerate() {
                if at % 7 == 0 {
                    std::thread::yield_now();
                }
                request.complete(Ok(root_attrs()));
            }
        });
        Late {
            count: AtomicUsize::new(0),
            worker,
        }
    }
}

impl Backend for Late {
    fn root(&self) -> FsHandle {
        RootOnly.root()
    }

    fn capabilities(&self) -> Capabilities {
        RootOnly.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        if self.count.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
            return RootOnly.submit(request, pending);
        }
        self.worker.send(pending.completion()).unwrap();
        Poll::Pending
    }

    fn release(&self, _: FsHandle) {}
}

/// What a file system does that keeps to no rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Panics,
    PanicsWithCompletion,
    WaitsWithoutCompletion,
    DropsCompletion,
    AnswersTwice,
    TakesTwo,
    TakesOneInVain,
    AnswersAnotherRequest,
    PanicsInItsThread,
    PanicsWhileItsThreadAnswers,
    AnswersAtOnceThroughCompletion,
}

/// A file system with a fault.
pub(crate) struct Faulty(pub(crate) Fault);

impl Backend for Faulty {
    fn root(&self) -> FsHandle {
        RootOnly.root()
    }

    fn capabilities(&self) -> Capabilities {
        RootOnly.capabilities()
    }

    fn submit(&self, _: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        match self.0 {
            Fault::Panics => panic!("a fault of the file system"),
            Fault::PanicsWithCompletion => {
                let _completion = pending.completion();
                panic!("a fault of the file system");
            }
            Fault::WaitsWithoutCompletion => Poll::Pending,
            Fault::DropsCompletion => {
                drop(pending.completion());
                Poll::Pending
            }
            Fault::AnswersTwice => {
                pending.completion().complete(Ok(root_attrs()));
                Poll::Ready(Ok(root_attrs()))
            }
            Fault::TakesTwo => {
                let (first, second) = (pending.completion(), pending.completion());
                second.complete(Ok(root_attrs()));
                first.complete(Ok(root_attrs()));
                Poll::Pending
            }
            Fault::TakesOneInVain => {
                drop(pending.completion());
                Poll::Ready(Ok(root_attrs()))
            }
            Fault::AnswersAnotherRequest => Poll::Ready(Ok(FsReply::Done)),
            Fault::PanicsInItsThread => {
                let completion = pending.completion();
                std::thread::spawn(move || {
                    let _held = completion;
                    panic!("a fault of the file system");
                });
                Poll::Pending
            }
            Fault::PanicsWhileItsThreadAnswers => {
                let completion = pending.completion();
                std::thread::spawn(move || completion.complete(Ok(root_attrs())));
                panic!("a fault of the file system");
            }
            Fault::AnswersAtOnceThroughCompletion => {
                pending.completion().complete(Ok(root_attrs()));
                Poll::Pending
            }
        }
    }

    fn release(&self, _: FsHandle) {}
}

/// A file system in memory that panics when it is to let go of a file.
pub(crate) struct Clinging(pub(crate) MemFs);

impl Backend for Clinging {
    fn root(&self) -> FsHandle {
        self.0.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        self.0.submit(request, pending)
    }

    fn release(&self, _: FsHandle) {
        panic!("a fault of the file system");
    }
}

/// The root directory, whose every request is answered through its completion: the first that waits
/// by [`Prompt::go`], and all after it before they return.
#[derive(Default)]
pub(crate) struct Prompt {
    first: Mutex<Option<Completion>>,
    answered: AtomicUsize,
}

impl Prompt {
    /// Whether a request waits.
    pub(crate) fn waits(&self) -> bool {
        self.first.lock().unwrap().is_some()
    }

    /// How many requests were answered.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    /// Answers the request that waits, and all that follow.
    pub(crate) fn go(&self) {
        self.answered.fetch_add(1, Ordering::SeqCst);
        let first = self.first.lock().unwrap().take();
        first.unwrap().complete(Ok(root_attrs()));
    }
}

impl Backend for Prompt {
    fn root(&self) -> FsHandle {
        RootOnly.root()
    }

    fn capabilities(&self) -> Capabilities {
        RootOnly.capabilities()
    }

    fn submit(&self, _: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        let completion = pending.completion();
        if self.answered() == 0 {
            *self.first.lock().unwrap() = Some(completion);
        } else {
            self.answered.fetch_add(1, Ordering::SeqCst);
            completion.complete(Ok(root_attrs()));
        }
        Poll::Pending
    }

    fn release(&self, _: FsHandle) {}
}

/// What the root directory answers to GETATTR.
pub(crate) fn root_attrs() -> FsReply {
    let attrs = Attrs {
        kind: FileKind::Directory,
        mode: 0o755,
        links: 2,
        uid: 0,
        gid: 0,
        device: Device::default(),
        fileid: 1,
        change: 1,
        size: 0,
        space_used: 0,
        accessed: Wall::default(),
        modified: Wall::default(),
        changed: Wall::default(),
        created: Wall::default(),
        fs: 0,
        mounted_on: 0,
    };
    FsReply::Attrs {
        attrs,
        stat: Some(FsStat::default()),
    }
}
