//! The party that a request comes from.

use std::sync::Arc;

use nfs4_engine::Now;
use nfs4_engine::fs::Credential;

/// The user, and the time of the request.
pub(super) struct Caller {
    pub(super) cred: Arc<Credential>,
    pub(super) now: Now,
}
