//! The user of clients for which it does not matter which one it is.

use nfs4_proto::client::CallCredential;
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;

/// The user 65 534, by AUTH_SYS.
pub const NOBODY: CallCredential<'static> = CallCredential::Sys(AuthSys {
    stamp: 0,
    machinename: b"tests",
    uid: 65_534,
    gid: 65_534,
    gids: List::empty(),
});
