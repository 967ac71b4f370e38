//! An allocator that counts what each thread asks it for, and what all of them hold.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

/// The system's allocator, counting. A binary that wants counts names it its `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// What a thread has asked for: fresh and grown blocks, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// How often.
    pub count: u64,
    /// How many bytes; a block that grows counts with its new size.
    pub bytes: u64,
}

impl Allocations {
    /// What `work` asks for on this thread; nothing unless [`Counting`] is the binary's allocator.
    pub fn during(work: impl FnOnce()) -> Allocations {
        let before = COUNTED.get();
        work();
        let after = COUNTED.get();
        Allocations {
            count: after.count - before.count,
            bytes: after.bytes - before.bytes,
        }
    }
}

/// The most bytes that this thread holds at once during `work`, beyond what it held before; 0 unless
/// [`Counting`] is the binary's allocator. A block that grows counts with both sizes.
pub fn peak_during(work: impl FnOnce()) -> u64 {
    let Held { now: before, most } = HELD.get();
    HELD.set(Held {
        now: before,
        most: before,
    });
    work();
    let after = HELD.get();
    HELD.set(Held {
        most: after.most.max(most),
        ..after
    });
    (after.most - before).try_into().unwrap_or(0)
}

/// Bytes that the process has asked for and not given back; 0 unless [`Counting`] is the binary's
/// allocator.
pub fn live_bytes() -> i64 {
    LIVE.load(Ordering::SeqCst)
}

/// What one thread asks for, another may give back.
static LIVE: AtomicI64 = AtomicI64::new(0);

thread_local! {
    // Without a destructor and without lazy initialisation, so that it can be used by an allocator.
    static COUNTED: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
    static HELD: Cell<Held> = const { Cell::new(Held { now: 0, most: 0 }) };
}

/// What a thread asked for and gave back; less than nothing if it frees for others.
#[derive(Clone, Copy)]
struct Held {
    now: i64,
    most: i64,
}

fn count(size: usize) {
    COUNTED.set({
        let Allocations { count, bytes } = COUNTED.get();
        Allocations {
            count: count + 1,
            bytes: bytes + size as u64,
        }
    });
}

fn hold(bytes: usize) {
    LIVE.fetch_add(bytes as i64, Ordering::Relaxed);
    let Held { now, most } = HELD.get();
    let now = now + bytes as i64;
    HELD.set(Held {
        now,
        most: most.max(now),
    });
}

fn give_back(bytes: usize) {
    LIVE.fetch_sub(bytes as i64, Ordering::Relaxed);
    let held = HELD.get();
    HELD.set(Held {
        now: held.now - bytes as i64,
        ..held
    });
}

// SAFETY: every call is passed to the system's allocator as it came; counting touches nothing but
// a number of this thread and one of the process.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        hold(layout.size());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        hold(layout.size());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        hold(size);
        give_back(layout.size());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.dealloc(block, layout) }
    }
}
