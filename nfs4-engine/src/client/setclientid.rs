//! The callback address of a client of minor version 0. [RFC 7530 §16.33]

use alloc::boxed::Box;

use nfs4_proto::nfs4::basic::Verifier;

/// What SETCLIENTID established for a client.
pub(crate) struct SetClientIdRecord {
    /// The verifier that SETCLIENTID_CONFIRM must contain.
    pub(crate) confirm: Verifier,
    /// The address for callbacks.
    pub(crate) callback: CallbackTarget,
}

/// The address and the program to call.
pub(crate) struct CallbackTarget {
    pub(crate) program: u32,
    /// "tcp" or "tcp6"; the address is not used with any other.
    pub(crate) netid: Box<[u8]>,
    /// A universal address: host and, in two more numbers, port. [RFC 5665 §5.2.3]
    pub(crate) address: Box<[u8]>,
    /// `callback_ident`, which every CB_COMPOUND repeats.
    pub(crate) ident: u32,
}
