//! The identity of a client. [RFC 8881 §18.35, RFC 7530 §16.33]

use nfs4_proto::nfs4::basic::Verifier;

use crate::keys::ClientKey;
use crate::principal::Principal;

/// The identity that a client states by EXCHANGE_ID or SETCLIENTID.
#[derive(Clone, Copy)]
pub(crate) struct ClientIdentity<'a> {
    pub(crate) minor: u32,
    /// `co_ownerid`; in minor version 0 the `id` of SETCLIENTID.
    pub(crate) owner: &'a [u8],
    /// `co_verifier`, which differs for each incarnation.
    pub(crate) verifier: Verifier,
    pub(crate) principal: Principal,
    /// The incarnation that it replaces when it is confirmed.
    pub(crate) replaces: Option<ClientKey>,
}
