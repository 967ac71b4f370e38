//! Whether a request may wait.

use nfs4_engine::fs::FsError;

use super::error::Result;

/// Whether the thread of a request may wait, for a device or for another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    No,
    Yes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// The answer is an error.
    Error(FsError),
    /// The request has to wait, and has changed nothing that matters when it is repeated.
    Waits,
}

/// The result of what may have to wait.
pub(super) type Attempt<T> = std::result::Result<T, Stop>;

/// The answer of a request that must not wait; none if it would have to.
pub(super) fn at_once<T>(attempt: Attempt<T>) -> Option<Result<T>> {
    match attempt {
        Ok(answer) => Some(Ok(answer)),
        Err(Stop::Error(error)) => Some(Err(error)),
        Err(Stop::Waits) => None,
    }
}

/// The answer of a request that may wait.
pub(super) fn waited<T>(attempt: Attempt<T>) -> Result<T> {
    attempt.map_err(|stop| match stop {
        Stop::Error(error) => error,
        // It is not answered by one that may wait.
        Stop::Waits => FsError::Busy,
    })
}

impl From<FsError> for Stop {
    fn from(error: FsError) -> Stop {
        Stop::Error(error)
    }
}
