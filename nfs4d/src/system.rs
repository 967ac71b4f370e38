//! What the operating system is asked for beside files and sockets: the one place with unsafe code.

#![expect(unsafe_code, reason = "the C library has no safe interface")]

use std::io;

/// Raises the number of file descriptors that this process may have to what the system allows it,
/// and says how many that are.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_descriptors_is_raised_once_and_for_all() {
        let raised = raise_descriptors().unwrap();
        assert!(raised > 0);
        assert_eq!(raise_descriptors().unwrap(), raised);
    }
}
