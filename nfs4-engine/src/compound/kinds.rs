//! The kinds of scope: what a COMPOUND has established when it comes to an operation.

use crate::keys::{ClientKey, SessionKey};

/// No session: an operation that stands alone. [RFC 8881 §2.10.2]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sessionless;

/// After a SEQUENCE that succeeded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequenced {
    pub(crate) client: ClientKey,
    pub(crate) session: SessionKey,
    pub(crate) slot: u32,
}

/// Minor version 0: there is no session, and each operation names its client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V40;
