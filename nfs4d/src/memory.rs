//! Returns unused memory to the system.
//!
//! The C library keeps freed memory for later use, without end: after a peak the process would stay
//! as large as it was then.

use std::io;
use std::thread::{self, Builder};
use std::time::Duration;

use nfs4_driver::Node;

use crate::system;

/// Starts the thread, which ends with the process.
///
/// # Errors
/// It does not start.
pub(crate) fn keep_trim(node: Node) -> io::Result<()> {
    system::keep_at_most(AT_ENDS);
    system::join_freed_blocks_at_once();
    Builder::new()
        .name("nfs4d-memory".to_owned())
        .stack_size(STACK)
        .spawn(move || keep(&node))?;
    Ok(())
}

fn keep(node: &Node) {
    let (mut trimmed, mut put_off) = (0, 0);
    loop {
        thread::sleep(PAUSE);
        let before = node.lock_acquisitions();
        thread::sleep(GLIMPSE);
        let used = node.lock_acquisitions();
        // Where nothing was done, nothing was freed.
        if used == trimmed {
            continue;
        }
        // A gigabyte takes a fifth of a second, and each thread that allocates waits for that.
        if used != before && put_off < MOST_PUT_OFF {
            put_off += 1;
            continue;
        }
        (trimmed, put_off) = (used, 0);
        system::trim_memory();
    }
}

/// In bytes: a little more than a record of a megabyte.
const AT_ENDS: u32 = 2 << 20;
/// Interval between two trims: freed memory is often used again within this time.
const PAUSE: Duration = Duration::from_secs(4);
/// Time for which the server must have been idle.
const GLIMPSE: Duration = Duration::from_millis(50);
/// A server that is always in use is not waited for.
const MOST_PUT_OFF: u32 = 15;
const STACK: usize = 64 << 10;
