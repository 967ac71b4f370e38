//! What only NFSv4.0 has [RFC 7530 §16].

use crate::nfs4::basic::{ClientId, NetAddr, Stateid, Verifier};
use crate::xdr::xdr;

xdr! {
    /// Results of OPEN_CONFIRM [RFC 7530 §16.18].
    struct OpenConfirmOk {
        open_stateid: Stateid,
    }

    /// Results of SETCLIENTID [RFC 7530 §16.33].
    struct SetClientIdOk {
        clientid: ClientId,
        setclientid_confirm: Verifier,
    }

    /// With `NFS4ERR_CLID_INUSE` from SETCLIENTID: where the other client is [RFC 7530 §16.33].
    struct ClientIdInUse<'a> {
        client_using: NetAddr<'a>,
    }
}
