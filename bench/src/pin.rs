//! Which processor a thread runs on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::fault::{At as _, Fault};

/// Keeps the calling thread, and the processes that it starts, on one processor.
///
/// # Errors
/// The machine has no such processor, or this process may not use it.
pub(crate) fn pin(processor: usize) -> Result<(), Fault> {
    if processor >= CpuSet::MAX_CPU {
        return Err(Fault::new(format!("no processor {processor}")));
    }
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set).at(format_args!("processor {processor}"))
}

/// The processors that this thread may run on.
///
/// # Errors
/// The kernel does not say.
pub(crate) fn allowed() -> Result<Vec<usize>, Fault> {
    let set = sched_getaffinity(None).at("the processors of this process")?;
    let all = 0..CpuSet::MAX_CPU;
    Ok(all.filter(|processor| set.is_set(*processor)).collect())
}
