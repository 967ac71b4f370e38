//! The thread that hears from the kernel that other processes wait for leases.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, RawFd};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, Weak};
use std::thread::{Builder, JoinHandle, current};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::thread::gettid;

use super::break_time::BreakTime;
use super::lease::Lease;
use super::system::{self, OwnSignals, Signal};
use crate::sync::lock;

/// The thread of this process for the leases of all exports. It starts with the first lease, and ends with the
/// last export that had one.
///
/// The kernel sends its signal to that thread alone, which has blocked it: it neither ends the process nor
/// calls a handler of the program.
#[derive(Debug)]
pub(super) struct LeaseThread {
    shared: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
    id: Pid,
}

#[derive(Debug, Default)]
struct State {
    leases: HashMap<RawFd, Arc<Lease>>,
    /// Those of which the engine has to hear something.
    news: HashMap<RawFd, Arc<Lease>>,
    /// Those whose signals may have been missed.
    unseen: Vec<Arc<Lease>>,
    ended: bool,
}

impl LeaseThread {
    /// The thread of this process.
    ///
    /// # Errors
    /// There is none, as the system refuses one, lets processes not wait for leases, or does not say for how long
    /// they wait.
    pub(super) fn enter() -> std::io::Result<Arc<LeaseThread>> {
        let mut shared = lock(&SHARED);
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let break_time = BreakTime::open()?;
        if break_time.get().is_zero() {
            return Err(std::io::ErrorKind::Unsupported.into());
        }
        let started = Arc::new(LeaseThread::start(break_time)?);
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    fn start(break_time: BreakTime) -> std::io::Result<LeaseThread> {
        let shared = Arc::<Mutex<State>>::default();
        let (ready, started) = sync_channel(1);
        let state = Arc::clone(&shared);
        let thread = Builder::new()
            .name("nfs4-leases".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let own = system::block_signals()
                    .map_err(std::io::Error::from)
                    .and_then(|()| OwnSignals::open());
                // The other side waits for it.
                let _ = ready.send(own.as_ref().map(|_| gettid()).map_err(std::io::Error::kind));
                if let Ok(own) = own {
                    run(&state, &own, &break_time);
                }
            })?;
        let id = started
            .recv()
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))??;
        Ok(LeaseThread {
            shared,
            thread: Some(thread),
            id,
        })
    }

    /// Takes a lease.
    ///
    /// # Errors
    /// Those of [`system::set_lease`].
    pub(super) fn take(&self, lease: &Arc<Lease>) -> rustix::io::Result<()> {
        system::signal_to(lease.fd().as_fd(), self.id)?;
        // The signal may come before the call returns.
        lock(&self.shared)
            .leases
            .insert(lease.number(), Arc::clone(lease));
        lease.take().inspect_err(|_| self.forget(lease))
    }

    /// Hears of a lease again that was forgotten, or is taken.
    pub(super) fn resume(&self, lease: &Arc<Lease>) {
        let mut state = lock(&self.shared);
        state.leases.insert(lease.number(), Arc::clone(lease));
        state.unseen.push(Arc::clone(lease));
        drop(state);
        system::wake(self.id);
    }

    /// Gives a lease up.
    pub(super) fn give_up(&self, lease: &Lease) {
        self.forget(lease);
        lease.give_up();
    }

    /// The engine has to hear something of a lease.
    pub(super) fn tell(&self, lease: &Arc<Lease>) {
        let lease = Arc::clone(lease);
        lock(&self.shared).news.insert(lease.number(), lease);
        system::wake(self.id);
    }

    #[cfg(test)]
    pub(super) fn note(&self, lease: Arc<Lease>) {
        lock(&self.shared).note(lease);
        system::wake(self.id);
    }

    /// Hears of a lease no longer.
    pub(super) fn forget(&self, lease: &Lease) {
        let mut state = lock(&self.shared);
        let one = state.leases.remove(&lease.number());
        let other = state.news.remove(&lease.number());
        let unseen = state
            .unseen
            .extract_if(.., |unseen| std::ptr::eq(&**unseen, lease));
        let unseen: Vec<_> = unseen.collect();
        drop(state);
        // They may be the last to have the descriptor.
        drop((one, other, unseen));
    }
}

impl State {
    /// The engine has to hear of a lease, unless it was given up meanwhile: its descriptor may have another one.
    fn note(&mut self, lease: Arc<Lease>) {
        let held = self.leases.get(&lease.number());
        if held.is_some_and(|held| Arc::ptr_eq(held, &lease)) {
            self.news.insert(lease.number(), lease);
        }
    }
}

impl Drop for LeaseThread {
    fn drop(&mut self) {
        lock(&self.shared).ended = true;
        system::wake(self.id);
        let thread = self.thread.take();
        // What the engine does on this thread may drop the last export.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != current().id()) {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Mutex<State>, own: &OwnSignals, break_time: &BreakTime) {
    loop {
        // Always limited: where too many signals wait, that of a lease or of the end is lost.
        let turn = {
            let state = lock(shared);
            if state.ended {
                return;
            }
            if state.news.is_empty() { REST } else { TURN }
        };
        let signal = system::wait(turn);
        let now = Instant::now();
        let mut looked_at: Vec<_> = match signal {
            _ if own.take_overflow() => lock(shared).leases.values().cloned().collect(),
            Some(Signal::Break(fd)) => lock(shared).leases.get(&fd).cloned().into_iter().collect(),
            Some(Signal::Other) | None => Vec::new(),
        };
        looked_at.append(&mut lock(shared).unseen);
        for lease in looked_at {
            if lease.look(now, break_time.patience()) {
                lock(shared).note(lease);
            }
        }
        let news: Vec<_> = lock(shared).news.values().cloned().collect();
        for lease in news {
            if !lease.tell(now) {
                lock(shared).news.remove(&lease.number());
            }
        }
    }
}

/// The thread of this process.
static SHARED: Mutex<Weak<LeaseThread>> = Mutex::new(Weak::new());

/// Maximum time between two looks for a signal in place of lost ones, and for the end.
const REST: Duration = Duration::from_secs(1);
/// Time between two looks at leases that others wait for.
const TURN: Duration = Duration::from_millis(250);
/// Size of the thread's stack in bytes: the engine runs on it.
const STACK: usize = 1 << 20;
