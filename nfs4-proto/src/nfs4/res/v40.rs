//! What only NFSv4.0 has [RFC 7530 §16].

use crate::nfs4::basic::{ClientId, Stateid, Verifier};
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
}
