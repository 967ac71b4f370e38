//! A directory of the operating system.
//!
//! Objects are held by descriptors with `O_PATH` ([`node`]), and found from there by single names
//! which the kernel resolves neither through links nor upwards ([`root`]): no path is ever joined, so
//! that no rename and no link under way leads out of the export. A handle is the kernel's own where
//! that is permitted, with a tag ([`handle`]).

mod acl;
mod attributes;
mod break_time;
mod caller;
mod change;
mod commit;
mod config;
mod create;
mod creations;
mod data;
mod descriptors;
mod durability;
mod error;
mod file;
mod fs_type;
mod handle;
mod handle_log;
mod handle_row;
mod handle_table;
mod holds;
mod identity;
mod immediate;
mod keeper;
mod lease;
mod lease_thread;
mod leases;
mod leasing;
mod listing;
mod lock_counts;
mod locking;
mod locks;
mod mounts;
mod names;
mod node;
mod nodes;
mod open;
mod opening;
mod permission;
mod pool;
mod read_buffers;
mod rename;
mod root;
mod scan;
mod set_attributes;
mod settle;
mod shared;
mod stat;
mod system;
mod taken_back;
#[cfg(test)]
mod tests;
mod upgrading;
mod wait;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use nfs4_engine::DelegationKind;
use nfs4_engine::fs::{
    Backend, ByteLock, Capabilities, FsError, FsHandle, FsOp, FsRequest, FsResult, Pending,
};

use break_time::BreakTime;
use caller::Caller;
pub use config::LocalFsConfig;
use data::Place;
pub use error::LocalFsError;
use keeper::Keeper;
use pool::{DEFAULT_THREADS, Lane, Pool};
use shared::Shared;
use stat::has_name;
use wait::{Wait, at_once, waited};

/// A directory of the operating system as an export.
///
/// A process with a limit of file sizes (RLIMIT_FSIZE) should ignore SIGXFSZ, by which the system ends it
/// when a client exceeds the limit; the client then gets [`FsError::TooLarge`].
pub struct LocalFs {
    // The first to be dropped: it waits for the requests that run.
    pool: Pool,
    shared: Arc<Shared>,
    /// Ends before the objects go.
    _keeper: Keeper,
    inline: AtomicU64,
    queued: AtomicU64,
}

impl LocalFs {
    /// Exports the directory of this configuration.
    ///
    /// # Errors
    /// The directory cannot be opened, or the system lacks what is needed.
    pub fn open(config: LocalFsConfig) -> Result<LocalFs, LocalFsError> {
        let shared = Arc::new(Shared::open(config)?);
        let threads = match shared.config.threads {
            0 => DEFAULT_THREADS,
            threads => threads,
        };
        let pool = Pool::enter(threads);
        let keeper = Keeper::start(&shared, pool.waker()).map_err(LocalFsError::Thread)?;
        Ok(LocalFs {
            shared,
            _keeper: keeper,
            pool,
            inline: AtomicU64::new(0),
            queued: AtomicU64::new(0),
        })
    }

    /// Gives up the right of this thread, and of those that it starts from now on, to exceed the quotas of
    /// users (CAP_SYS_RESOURCE). With it, only what users make counts against their quotas, and not
    /// what they write. A server calls it before it starts threads; a directory that is opened with the
    /// right says so in its [`notes`](LocalFs::notes).
    ///
    /// # Errors
    /// The system refuses.
    pub fn obey_quotas() -> std::io::Result<()> {
        identity::obey_quotas()
    }

    /// How long a process of this machine waits for a file that is delegated, before the system takes the
    /// delegation from the client: `fs.lease-break-time`. A client needs up to the server's lease to return one;
    /// what it has not written by then is lost. None if the system does not say it: nothing is delegated then.
    pub fn lease_break_time() -> Option<Duration> {
        BreakTime::open().ok().map(|setting| setting.get())
    }

    /// How many requests were answered at once, and how many a thread was needed for.
    pub fn counters(&self) -> (u64, u64) {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        (count(&self.inline), count(&self.queued))
    }

    /// Number of requests that panicked in a thread of their own, of all exports of this process; each
    /// was answered as one without an answer.
    pub fn panics(&self) -> u64 {
        self.pool.panics()
    }

    /// The answer to a request that needs not wait, and counts it.
    fn at_once(&self, request: &mut FsRequest) -> Option<FsResult> {
        let answer = self.shared.at_once(request);
        let counter = match answer {
            Some(_) => &self.inline,
            None => &self.queued,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// What the administrator must know: which guarantees this export cannot give, and why.
    pub fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }
}

impl Shared {
    /// Executes a request, and may wait for a device.
    fn answer(&self, request: FsRequest) -> FsResult {
        let FsRequest { cred, now, op, .. } = request;
        let caller = Caller { cred, now };
        match op {
            FsOp::GetAttrs { fh, want } => self.get_attrs(&fh, want),
            FsOp::SetAttrs { fh, set, authority } => self.set_attrs(&caller, &fh, &set, authority),
            FsOp::Access { fh, mask } => self.access(&caller, &fh, mask),
            FsOp::Lookup { dir, name, want } => self.lookup(&caller, &dir, &name, want),
            FsOp::LookupParent { dir, want } => self.lookup_parent(&caller, &dir, want),
            FsOp::ReadDir {
                dir,
                cookie,
                entries,
            } => self.read_dir(&caller, &dir, cookie, entries),
            FsOp::ReadLink { fh } => self.read_link(&fh),
            FsOp::Read {
                fh,
                offset,
                count,
                authority,
                mut payload,
            } => {
                let place = Place {
                    fh: &fh,
                    offset,
                    authority,
                };
                waited(self.read(&caller.cred, &place, count, &mut payload, Wait::Yes))
            }
            FsOp::Write {
                fh,
                offset,
                data,
                stability,
                authority,
            } => {
                let place = Place {
                    fh: &fh,
                    offset,
                    authority,
                };
                waited(self.write(&caller.cred, &place, &data, stability, Wait::Yes))
            }
            FsOp::Commit { fh, .. } => waited(self.commit(&fh, Wait::Yes)),
            FsOp::Create {
                dir,
                name,
                node,
                set,
            } => self.create(&caller, &dir, &name, &node, &set),
            FsOp::Open { target, how } => self.open_file(&caller, &target, &how),
            FsOp::Link { fh, dir, name } => self.link(&caller, &fh, &dir, &name),
            FsOp::Remove { dir, name } => self.remove(&caller, &dir, &name),
            FsOp::Rename {
                from_dir,
                from,
                to_dir,
                to,
            } => self.rename(&caller, (&from_dir, &from), (&to_dir, &to)),
            FsOp::Lock { fh, lock } => waited(self.lock_bytes(&fh, &lock, Wait::Yes)),
            FsOp::TestLock { fh, lock } => waited(self.test_bytes(&fh, &lock, Wait::Yes)),
            // Of a later engine.
            _ => Err(FsError::NotSupported),
        }
    }
}

impl Backend for LocalFs {
    fn root(&self) -> FsHandle {
        self.shared.root_handle
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with(|can| {
            can.hard_links = true;
            can.symlinks = true;
            can.max_name = self.shared.root.max_name;
            can.max_links = self.shared.root.fs_type.max_links;
            // Those of tmpfs fall, and are in no order after renames.
            can.ordered_cookies = false;
            can.local_locks = self.shared.config.local_locks;
        })
    }

    /// Processes that are no clients may change the files.
    fn is_private(&self) -> bool {
        false
    }

    /// By F_SETLEASE.
    fn leases(&self) -> bool {
        true
    }

    fn submit(&self, mut request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        if let FsOp::Lease { fh, kind } = request.op {
            return self.lease(fh, kind, pending);
        }
        if let Some(answer) = self.at_once(&mut request) {
            return Poll::Ready(answer);
        }
        let shared = Arc::clone(&self.shared);
        let lane = shared.lane(&request.op);
        let answer = move || shared.answer(request);
        self.pool.answer(pending, lane, answer)
    }

    fn release(&self, fh: FsHandle) {
        if let Some(node) = self.shared.release(&fh)
            && !has_name(&*node)
        {
            // A file without a name is freed with its descriptor, which may take long: also the last reference
            // goes there.
            let shared = Arc::clone(&self.shared);
            self.pool.run(move || shared.let_go(&node));
        }
    }

    fn unlease(&self, fh: FsHandle) {
        if let Some(leased) = self.shared.descriptors.leases.end(&fh)
            && !has_name(&*leased.node)
        {
            let shared = Arc::clone(&self.shared);
            self.pool.run(move || {
                let node = Arc::clone(&leased.node);
                drop(leased);
                shared.let_go(&node);
            });
        }
    }

    fn unlock(&self, fh: FsHandle, locks: &[ByteLock]) {
        if self.shared.unlock_bytes(&fh, locks, Wait::No) {
            return;
        }
        if self.shared.locks.put_off(&fh, locks) {
            let shared = Arc::clone(&self.shared);
            let lane = Some(Lane::Unlocks(fh));
            self.pool.run_in(lane, move || {
                shared.unlock_bytes(&fh, &[], Wait::Yes);
            });
        }
    }
}

impl LocalFs {
    fn lease(
        &self,
        fh: FsHandle,
        kind: DelegationKind,
        pending: &mut Pending<'_>,
    ) -> Poll<FsResult> {
        let watch = pending.lease_watch();
        if let Some(answer) = at_once(self.shared.lease(&fh, kind, watch.as_ref(), Wait::No)) {
            self.inline.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(answer);
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        self.pool.answer(pending, None, move || {
            waited(shared.lease(&fh, kind, watch.as_ref(), Wait::Yes))
        })
    }
}

impl fmt::Debug for LocalFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalFs")
            .field("config", &self.shared.config)
            .field("kept", &self.shared.nodes.len())
            .finish_non_exhaustive()
    }
}
