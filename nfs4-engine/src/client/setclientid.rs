//! Where a client of minor version 0 listens for callbacks. [RFC 7530 §16.33]

use alloc::boxed::Box;

use nfs4_proto::nfs4::basic::Verifier;

/// What SETCLIENTID said of a client.
pub(crate) struct SetClientIdRecord {
    /// What SETCLIENTID_CONFIRM must show.
    pub(crate) confirm: Verifier,
    /// How the client can be called back.
    pub(crate) callback: CallbackTarget,
}

/// The address and the program to call.
pub(crate) struct CallbackTarget {
    pub(crate) program: u32,
    /// "tcp" or "tcp6", if it is to be used.
    pub(crate) netid: Box<[u8]>,
    /// A universal address: host and, in two more numbers, port. [RFC 5665 §5.2.3]
    pub(crate) address: Box<[u8]>,
    /// `callback_ident`, which every CB_COMPOUND repeats.
    pub(crate) ident: u32,
}
