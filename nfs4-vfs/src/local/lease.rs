//! The kernel's lease of a file that is delegated to clients.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nfs4_engine::fs::{FsHandle, LeaseWatch};
use nfs4_engine::{DelegationKind, Touch};

use super::system;
use crate::sync::lock;

/// A lease, from before it is taken until it is given up.
#[derive(Debug)]
pub(super) struct Lease {
    fd: Arc<OwnedFd>,
    fh: FsHandle,
    /// What the kernel has. One for writing may be for delegations for reading.
    pub(super) kind: DelegationKind,
    watch: LeaseWatch,
    news: Mutex<News>,
}

/// What the engine has to hear.
#[derive(Debug, Default)]
struct News {
    /// The strongest delegation that it is for.
    serves: Option<DelegationKind>,
    /// A request of a client cannot be executed under the lease.
    own: Option<Touch>,
    /// Another process waits.
    breaking: Option<Breaking>,
    /// When the engine heard last.
    told: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Breaking {
    touch: Touch,
    /// When the kernel is about to let the process go on.
    until: Instant,
}

impl Lease {
    pub(super) fn new(
        fd: Arc<OwnedFd>,
        fh: FsHandle,
        kind: DelegationKind,
        watch: LeaseWatch,
    ) -> Lease {
        Lease {
            fd,
            fh,
            kind,
            watch,
            news: Mutex::new(News {
                serves: Some(kind),
                ..News::default()
            }),
        }
    }

    /// One for the same delegations by another descriptor of the file, which is not taken.
    pub(super) fn over(&self, fd: OwnedFd, kind: DelegationKind) -> Lease {
        let serves = lock(&self.news).serves;
        let lease = Lease::new(Arc::new(fd), self.fh, kind, self.watch.clone());
        lock(&lease.news).serves = serves;
        lease
    }

    /// Whether it suffices for one more delegation of this kind, which it is for from then on.
    pub(super) fn join(&self, kind: DelegationKind) -> bool {
        let is_wanted = self.is_wanted();
        let mut news = lock(&self.news);
        // The descriptor of a lease for reading cannot have one for writing. One for writing that is for a
        // delegation to write is on its way back if others are to read.
        let suffices = kind == self.kind || news.serves == Some(kind);
        if suffices && !is_wanted {
            news.serves = Some(kind);
        }
        suffices && !is_wanted
    }

    /// Has the kernel keep out processes that read, too.
    ///
    /// # Errors
    /// EAGAIN if one has the file open.
    pub(super) fn strengthen(&self) -> rustix::io::Result<()> {
        system::set_lease(self.fd.as_fd(), Some(DelegationKind::Write))
    }

    /// It has not kept out other processes: the delegations are worth nothing.
    pub(super) fn lose(&self, now: Instant) {
        let mut news = lock(&self.news);
        let touch = Touch::Change;
        news.breaking = Some(Breaking { touch, until: now });
        news.told = None;
    }

    /// The number of its descriptor, which names it in signals.
    pub(super) fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Takes it; the signals of its descriptor go to a thread before.
    pub(super) fn take(&self) -> rustix::io::Result<()> {
        system::set_lease(self.fd.as_fd(), Some(self.kind))
    }

    /// The descriptor.
    pub(super) fn fd(&self) -> &Arc<OwnedFd> {
        &self.fd
    }

    /// Gives it up: processes that wait go on.
    pub(super) fn give_up(&self) {
        // The kernel may have ended it.
        let _ = system::set_lease(self.fd.as_fd(), None);
    }

    /// Whether another process waits.
    pub(super) fn is_wanted(&self) -> bool {
        let news = lock(&self.news);
        news.breaking.is_some() || system::lease(self.fd.as_fd()) != Some(self.kind)
    }

    /// A request of a client cannot be executed; returns whether the engine has to hear that.
    pub(super) fn want(&self, touch: Touch, now: Instant) -> bool {
        let mut news = lock(&self.news);
        let is_new = news.is_due(now);
        if is_new && news.own != Some(Touch::Change) {
            news.own = Some(touch);
        }
        is_new
    }

    /// Looks whether another process waits, which the kernel lets go on when its patience ends; returns whether
    /// the engine has to hear of something.
    pub(super) fn look(&self, now: Instant, patience: Duration) -> bool {
        let mut news = lock(&self.news);
        let touch = match (self.kind, system::lease(self.fd.as_fd())) {
            // Nothing would keep writers out any more: no descriptor to write has a lease for reading.
            (DelegationKind::Write, Some(DelegationKind::Read))
                if news.serves == Some(DelegationKind::Read) =>
            {
                Touch::Change
            }
            (DelegationKind::Write, Some(DelegationKind::Read)) => Touch::Read,
            (_, None) => Touch::Change,
            (_, Some(_)) => return false,
        };
        match &mut news.breaking {
            Some(breaking) if breaking.touch == touch => {}
            Some(breaking) => {
                breaking.touch = touch;
                news.told = None;
            }
            None => {
                news.breaking = Some(Breaking {
                    touch,
                    until: now + patience,
                });
                news.told = None;
            }
        }
        true
    }

    /// Tells the engine what it has to hear now; returns whether there will be more.
    pub(super) fn tell(&self, now: Instant) -> bool {
        let mut news = lock(&self.news);
        let (own, breaking) = (news.own.take(), news.breaking);
        let due = news.is_due(now) && (own.is_some() || breaking.is_some());
        if due {
            news.told = Some(now);
        }
        drop(news);
        if due {
            let tell = || match (breaking, own) {
                (Some(breaking), _) if now >= breaking.until => {
                    self.watch.lost(self.fh, breaking.touch);
                }
                (Some(breaking), _) => self.watch.wanted(self.fh, breaking.touch),
                (None, Some(touch)) => self.watch.wanted(self.fh, touch),
                (None, None) => {}
            };
            // The engine is foreign code; a dead one needs no leases.
            let _ = catch_unwind(AssertUnwindSafe(tell));
        }
        breaking.is_some()
    }
}

impl News {
    /// Whether the engine may hear something again.
    fn is_due(&self, now: Instant) -> bool {
        self.told
            .is_none_or(|told| now.saturating_duration_since(told) >= AGAIN)
    }
}

/// Time after which the engine is told the same again.
const AGAIN: Duration = Duration::from_secs(1);
