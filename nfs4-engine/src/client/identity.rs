//! What a client says of itself. [RFC 8881 §18.35, RFC 7530 §16.33]

use nfs4_proto::nfs4::basic::Verifier;

use crate::keys::ClientKey;
use crate::principal::Principal;

/// What a client says of itself by EXCHANGE_ID or SETCLIENTID.
#[derive(Clone, Copy)]
pub(crate) struct ClientIdentity<'a> {
    pub(crate) minor: u32,
    /// Its name.
    pub(crate) owner: &'a [u8],
    /// Its incarnation.
    pub(crate) verifier: Verifier,
    pub(crate) principal: Principal,
    /// The incarnation before it, whose place it takes when it is confirmed.
    pub(crate) replaces: Option<ClientKey>,
}
