//! Runs threads that share the driver's locks in many orders of their steps.
//!
//! The scheduler lets one thread run at a time, and chooses at each lock and atomic which one goes on.
//! A wake-up that is lost shows as a deadlock. It prints the schedule of a failure, which
//! `shuttle::replay` repeats.

use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

mod client;
mod park;

pub use client::{Client, FS_ROOT, Held, node};
pub use park::Park;

/// Tries `case` in many orders. The number of orders is in `NFS4_INTERLEAVINGS`, or else 300.
pub fn in_many_orders(case: impl Fn() + Send + Sync + 'static) {
    let orders = std::env::var("NFS4_INTERLEAVINGS");
    let orders = orders.map_or(300, |text| text.parse().expect("a number of orders"));
    let mut config = Config::new();
    config.stack_size = STACK;
    let case = Arc::new(case);
    let again = Arc::clone(&case);
    Runner::new(RandomScheduler::new(orders), config.clone()).run(move || case());
    // Few preemptions at chosen places find what chance does not.
    Runner::new(PctScheduler::new(PREEMPTIONS, orders), config).run(move || again());
}

/// Stack of each thread, in bytes.
const STACK: usize = 512 << 10;
const PREEMPTIONS: usize = 3;
