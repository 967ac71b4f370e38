//! Clients come, reboot, leave and vanish: nothing of them is left, not even a little.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::sync::{Mutex, MutexGuard};

use nfs4_tests::counting::Counting;

mod engine;
mod sockets;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Memory is counted for the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// How many cycles to run: as many as usual, or as `NFS4_SOAK_CYCLES` says.
fn cycles(usual: usize) -> usize {
    let cycles = std::env::var("NFS4_SOAK_CYCLES").map_or(usual, |text| text.parse().unwrap());
    assert!(cycles >= 100, "a tenth of them must be some");
    cycles
}
