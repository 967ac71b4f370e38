//! Calls of the operating system beside files and sockets: the one file with unsafe code.

#![expect(unsafe_code, reason = "the C library has no safe interface")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Raises the number of file descriptors that this process may have to what the system allows it,
/// and returns how many that are.
///
/// # Errors
/// The system refuses.
pub(crate) fn raise_descriptors() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: it writes to `limit`, which outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit {
            rlim_cur: limit.rlim_max,
            ..limit
        };
        // SAFETY: it reads `raised`, which outlives the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } != 0 {
            return Err(io::Error::last_os_error());
        }
        limit = raised;
    }
    Ok(limit.rlim_cur)
}

/// Has a file that would exceed the limit of file sizes be an error: by itself the system ends the
/// process then, by a signal.
pub(crate) fn outlast_long_files() {
    // SAFETY: it sets no handler, and has no other conditions.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// The user whose permissions this process has.
pub(crate) fn user() -> u32 {
    // SAFETY: it has no conditions, and always succeeds.
    unsafe { libc::geteuid() }
}

/// Sets how much freed memory the C library keeps at the end of each of its heaps, for good: by
/// itself it learns from the largest block that was ever freed. Larger blocks than so go back at
/// once, so they must be rare.
pub(crate) fn keep_at_most(bytes: u32) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        // SAFETY: it may be called at any time; if it refuses, nothing has changed.
        unsafe {
            libc::mallopt(parameter, value);
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = bytes;
}

/// Lets the C library join each freed block to its neighbours at once. By itself it collects small ones
/// and joins all of them within one later `free`, which takes milliseconds when they are some hundred
/// thousand, under whatever lock that happens.
pub(crate) fn join_freed_blocks_at_once() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time; if it refuses, nothing has changed.
    unsafe {
        libc::mallopt(libc::M_MXFAST, 0);
    }
}

/// Gives the pages that hold nothing but freed memory back to the system, where the allocator does
/// not do so by itself.
pub(crate) fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time, and touches only what is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Locks an open file or directory for this process, until it is closed; false if another process
/// has it.
///
/// # Errors
/// The system refuses.
pub(crate) fn lock(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    match io::Error::last_os_error() {
        why if why.kind() == io::ErrorKind::WouldBlock => Ok(false),
        why => Err(why),
    }
}

/// The descriptors that the service manager has passed to this process: so many from 3 on. A program
/// that this one may start does not get them. They are given out once.
///
/// # Errors
/// There is no such descriptor, or they were given out before.
pub(crate) fn passed_descriptors(number: usize) -> io::Result<Vec<OwnedFd>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(io::Error::other("they are taken already"));
    }
    let take = |descriptor: RawFd| {
        // SAFETY: it touches no memory, and fails if there is no such descriptor.
        if unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it is open, was passed for this process to own, and is given out once.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    };
    (FIRST_PASSED..).take(number).map(take).collect()
}

/// The first descriptor that a service manager passes: `SD_LISTEN_FDS_START`.
const FIRST_PASSED: RawFd = 3;

/// The monotonic clock, in microseconds, as the service manager reads it.
pub(crate) fn monotonic_micros() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes to `time`, which outlives the call; the clock exists everywhere.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let [seconds, nanos] = [time.tv_sec, time.tv_nsec].map(i64::cast_unsigned);
    seconds * 1_000_000 + nanos / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn freed_blocks_are_joined_at_once() {
        // SAFETY: it only counts.
        let waiting = || unsafe { libc::mallinfo2() }.fsmblks;
        join_freed_blocks_at_once();
        let before = waiting();
        let blocks: Vec<_> = (0..1_000_u64).map(Box::new).collect();
        drop(blocks);
        assert!(waiting() <= before, "{} and then {}", before, waiting());
    }

    #[test]
    fn the_limit_of_descriptors_is_raised_once_and_for_all() {
        let raised = raise_descriptors().unwrap();
        assert!(raised > 0);
        assert_eq!(raise_descriptors().unwrap(), raised);
    }

    #[test]
    fn the_signal_of_a_file_that_is_too_long_ends_nothing() {
        outlast_long_files();
        signal_hook::low_level::raise(libc::SIGXFSZ).unwrap();
    }
}
