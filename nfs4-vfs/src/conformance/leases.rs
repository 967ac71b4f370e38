//! Leases of files that are delegated, where other processes wait for them. No such process runs meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::fs::{
    Attrs, Authority, Creation, FsError, FsHandle, FsOp, FsReply, FsRequest, FsResult, Target,
};
use nfs4_engine::{DelegationKind, Touch};

use super::answer::{News, ask_watched};
use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::User;

/// A file that is held is leased as often as it is delegated, with its attributes; where the machine does not lease, it
/// stays without a lease.
pub fn a_held_file_is_leased<S: Subject>(subject: &S) {
    let Some((stage, holder)) = begin(subject) else {
        return;
    };
    for kind in [DelegationKind::Read, DelegationKind::Write] {
        let file = holder.opened(kind);
        for _ in 0..2 {
            let Some(first) = holder.leased(file, kind) else {
                continue;
            };
            let more = holder.leased(file, kind);
            for attrs in [Some(first), more].into_iter().flatten() {
                assert_eq!(Ok(attrs), holder.user.attrs(file));
                holder.user.fs.unlease(file);
            }
        }
        holder.user.fs.release(file);
    }
    holder.hears_nothing();
    stage.end();
}

/// What a client does with a file that it has delegated disturbs no lease.
pub fn a_lease_lets_its_holder_go_on<S: Subject>(subject: &S) {
    let Some((stage, holder)) = begin(subject) else {
        return;
    };
    let file = holder.opened(DelegationKind::Write);
    if holder.leased(file, DelegationKind::Write).is_some() {
        let user = &holder.user;
        user.write(file, 0, b"more bytes").unwrap();
        assert_eq!(user.read(file), "more bytes");
        user.set_by(file, Authority::Open, |set| set.size = Some(4))
            .unwrap();
        assert_eq!(user.attrs(file).unwrap().size, 4);
        holder.hears_nothing();
        user.fs.unlease(file);
    }
    holder.user.fs.release(file);
    stage.end();
}

/// A request that a lease forbids does not wait for it: the engine hears that the delegation is wanted, and the
/// request is done once it is back.
pub fn a_request_does_not_wait_for_a_lease<S: Subject>(subject: &S) {
    let Some((stage, holder)) = begin(subject) else {
        return;
    };
    let file = holder.opened(DelegationKind::Read);
    if holder.leased(file, DelegationKind::Read).is_some() {
        let write = || {
            holder
                .user
                .open(Target::Handle(file), (false, true), Creation::No)
        };
        if let Err(error) = write() {
            assert_eq!(error, FsError::Busy);
            let news = holder.news.recv_timeout(PATIENCE);
            assert_eq!(news, Ok(News::Wanted(file, Touch::Change)));
        } else {
            holder.user.fs.release(file);
        }
        holder.user.fs.unlease(file);
        let freed = Instant::now();
        while let Err(error) = write() {
            assert_eq!(error, FsError::Busy);
            assert!(freed.elapsed() < PATIENCE, "it waits");
        }
        holder.user.fs.release(file);
    }
    holder.user.fs.release(file);
    stage.end();
}

/// A lease ends with its file, and a file without a name with its lease.
pub fn a_leased_file_outlives_its_name<S: Subject>(subject: &S) {
    let Some((stage, holder)) = begin(subject) else {
        return;
    };
    let user = &holder.user;
    let file = holder.opened(DelegationKind::Write);
    let leased = holder.leased(file, DelegationKind::Write).is_some();
    user.remove(user.top(), "f").unwrap();
    assert_eq!(user.read(file), "bytes");
    user.fs.release(file);
    if leased {
        user.fs.unlease(file);
    }
    user.is_gone(file);
    let lease = holder.lease(file, DelegationKind::Read);
    assert!(
        matches!(lease, Err(FsError::Busy | FsError::Stale)),
        "{lease:?}"
    );
    stage.end();
}

/// A client with leases, and what is heard of them.
struct Holder {
    user: User,
    tell: Sender<News>,
    news: Receiver<News>,
    /// As [`Traits::leases`](super::subject::Traits).
    is_leased: bool,
}

impl Holder {
    /// The file "f" with some bytes, opened as a delegation of this kind asks for it.
    #[track_caller]
    fn opened(&self, kind: DelegationKind) -> FsHandle {
        let (user, top) = (&self.user, self.user.top());
        if user.lookup(top, "f").is_err() {
            let made = user.touch(top, "f").unwrap();
            user.write(made, 0, b"bytes").unwrap();
            user.commit(made, 0, 0).unwrap();
        }
        let target = Target::Name {
            dir: top,
            name: super::user::bytes("f"),
        };
        let share = (true, kind == DelegationKind::Write);
        user.open(target, share, Creation::No).unwrap().fh
    }

    /// A lease of a file that no other process has open; none where the machine does not lease. Its holder waits for one,
    /// as a process that has just been started may have what is open here for a moment.
    #[track_caller]
    fn leased(&self, fh: FsHandle, kind: DelegationKind) -> Option<Attrs> {
        let began = Instant::now();
        loop {
            match self.lease(fh, kind) {
                Ok(attrs) => return Some(attrs),
                Err(error) => assert_eq!(error, FsError::Busy, "there is no delegation"),
            }
            if !runs(self.is_leased, "the file is not leased") {
                return None;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "nobody has it open, and it is not leased"
            );
            thread::sleep(PAUSE);
        }
    }

    #[track_caller]
    fn lease(&self, fh: FsHandle, kind: DelegationKind) -> Result<Attrs, FsError> {
        match self.ask(FsOp::Lease { fh, kind })? {
            FsReply::Leased(attrs) => Ok(attrs),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn ask(&self, op: FsOp) -> FsResult {
        let request = FsRequest::new(Arc::new(*self.user.cred()), self.user.now(), op);
        ask_watched(&*self.user.fs, request, &self.tell)
    }

    #[track_caller]
    fn hears_nothing(&self) {
        let news = self.news.recv_timeout(QUIET);
        assert_eq!(
            news,
            Err(RecvTimeoutError::Timeout),
            "no other process runs"
        );
    }
}

/// A user, where other processes wait for leases.
fn begin<S: Subject>(subject: &S) -> Option<(Stage<S::Files>, Holder)> {
    let stage = Stage::new(subject);
    let fs = &stage.user.fs;
    runs(!fs.is_private() && fs.leases(), "there are no leases").then(|| {
        let (tell, news) = channel();
        let user = stage.user.clone();
        let holder = Holder {
            user,
            tell,
            news,
            is_leased: stage.traits.leases,
        };
        (stage, holder)
    })
}

/// Longer than the engine waits to hear of a request, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(10);
/// Longer than a file system takes to report what happens to a lease.
const QUIET: Duration = Duration::from_millis(1500);
