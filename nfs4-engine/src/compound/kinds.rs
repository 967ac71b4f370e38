//! The scopes: what a COMPOUND has established before an operation.

use crate::keys::{ClientKey, SessionKey};

/// No session: the operation is alone in its COMPOUND. [RFC 8881 §2.10.2]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sessionless;

/// After a SEQUENCE that succeeded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequenced {
    pub(crate) client: ClientKey,
    pub(crate) session: SessionKey,
    pub(crate) slot: u32,
}

/// 4.0: there is no session, and each operation names its client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V40;
