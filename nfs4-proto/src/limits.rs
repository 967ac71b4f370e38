//! What this crate accepts where the RFCs set no limit: each bounds what a peer's number can cost.

/// The most bytes of a name; a server's own limit is lower and has a status of its own.
pub const MAX_NAME: usize = 64 * 1024;
/// The most stateids of a TEST_STATEID.
pub const MAX_TEST_STATEIDS: usize = 64 * 1024;
/// The most algorithms of one kind that an EXCHANGE_ID may offer.
pub const MAX_SSV_ALGORITHMS: usize = 64;
/// The most sets of callback credentials of a CREATE_SESSION or BACKCHANNEL_CTL.
pub const MAX_CB_SEC_PARMS: usize = 64;
/// The most bytes of a security label.
pub const MAX_LABEL: usize = 64 * 1024;
