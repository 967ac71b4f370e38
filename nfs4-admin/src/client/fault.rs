//! Why a request got no answer of use.

use std::error::Error;
use std::io;
use std::time::Duration;

use crate::problem::Problem;

use super::endpoint::Endpoint;

/// Why a request got no answer of use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerFault {
    /// The server refused the request.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// There is no connection to the server.
    #[error("cannot connect to {endpoint}: {source}")]
    Unreachable {
        /// Where it should be.
        endpoint: Endpoint,
        /// Why there is none.
        source: io::Error,
    },
    /// There was no answer in time. The server may have done what it was asked for.
    #[error("{endpoint} has not answered for {} s", .after.as_secs_f32())]
    Timeout {
        /// Where the server is.
        endpoint: Endpoint,
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection broke, or what came by it is not HTTP. The server may have done what it was asked for.
    #[error("the connection to {endpoint} broke: {source}")]
    Broken {
        /// Where the server is.
        endpoint: Endpoint,
        /// How it broke.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer is longer than any that is accepted.
    #[error("the answer is longer than {limit} {unit}")]
    TooLong {
        /// The length that is accepted.
        limit: usize,
        /// What it counts.
        unit: &'static str,
    },
    /// The answer is not one of an administration interface.
    #[error("the answer is not one of nfs4d: {0}")]
    Garbled(String),
    /// The token has bytes that no header can have.
    #[error("a token has printable ASCII characters only")]
    Token,
}

impl ServerFault {
    /// The HTTP status, if the server refused the request.
    pub fn status(&self) -> Option<u16> {
        match self {
            ServerFault::Refused(problem) => Some(problem.status),
            ServerFault::Unreachable { .. }
            | ServerFault::Timeout { .. }
            | ServerFault::Broken { .. }
            | ServerFault::TooLong { .. }
            | ServerFault::Garbled(_)
            | ServerFault::Token => None,
        }
    }
}
