//! Keys of the tables' entries: a table names an entry of another one by its key, and knows nothing
//! else of it.

use crate::slab::Key;

/// What a key names. None of these has a value.
pub(crate) mod kind {
    use core::marker::PhantomData;

    /// A client record.
    pub(crate) enum Client {}
    /// A session.
    pub(crate) enum Session {}
    /// A file with state.
    pub(crate) enum File {}
    /// An open.
    pub(crate) enum Open {}
    /// The locks of one lock-owner under one open.
    pub(crate) enum Lock {}
    /// An owner of opens or of locks.
    pub(crate) struct Owner<T>(PhantomData<T>);
    /// A delegation.
    pub(crate) enum Delegation {}
    /// A callback that a session sends.
    pub(crate) enum Call {}
    /// A callback that a client of minor version 0 is sent.
    pub(crate) enum PathCall {}
    /// A callback on the wire.
    pub(crate) enum Flight {}
    /// A connection that is being made to a client.
    pub(crate) enum Dial {}
    /// A principal or a host.
    pub(crate) enum Party {}
    /// A request of minor version 0 that is kept for retransmissions.
    pub(crate) enum Request {}
    /// A write to stable storage.
    pub(crate) enum Store {}
    /// A COMPOUND that waits.
    pub(crate) enum Compound {}
}

pub(crate) type ClientKey = Key<kind::Client>;
pub(crate) type SessionKey = Key<kind::Session>;
pub(crate) type FileKey = Key<kind::File>;
pub(crate) type OpenKey = Key<kind::Open>;
pub(crate) type LockKey = Key<kind::Lock>;
pub(crate) type OpenOwnerKey = Key<kind::Owner<kind::Open>>;
pub(crate) type LockOwnerKey = Key<kind::Owner<kind::Lock>>;
pub(crate) type DelegationKey = Key<kind::Delegation>;
pub(crate) type CallKey = Key<kind::Call>;
pub(crate) type PathCallKey = Key<kind::PathCall>;
pub(crate) type FlightKey = Key<kind::Flight>;
pub(crate) type DialKey = Key<kind::Dial>;
pub(crate) type PartyKey = Key<kind::Party>;
pub(crate) type RequestKey = Key<kind::Request>;
pub(crate) type CompoundKey = Key<kind::Compound>;
