//! What only NFSv4.0 has, or hardly any client uses [RFC 7530 §16].

use crate::nfs4::basic::{ClientId, NetAddr, Owner, Stateid, Verifier};
use crate::nfs4::consts::NFS4_OPAQUE_LIMIT;
use crate::xdr::xdr;

xdr! {
    /// Arguments of DELEGPURGE [RFC 7530 §16.5].
    struct DelegPurge {
        clientid: ClientId,
    }

    /// Arguments of OPENATTR [RFC 7530 §16.17].
    struct OpenAttr {
        createdir: bool,
    }

    /// Arguments of OPEN_CONFIRM [RFC 7530 §16.18].
    struct OpenConfirm {
        open_stateid: Stateid,
        seqid: u32,
    }

    /// Arguments of RENEW [RFC 7530 §16.28].
    struct Renew {
        clientid: ClientId,
    }

    /// Arguments of SETCLIENTID [RFC 7530 §16.33].
    struct SetClientId<'a> {
        client: NfsClientId<'a>,
        callback: CbClient<'a>,
        callback_ident: u32,
    }

    /// A client's id string and incarnation [RFC 7530 §9.1.1].
    #[derive(Hash)]
    struct NfsClientId<'a> {
        verifier: Verifier,
        id: &'a [u8] [max NFS4_OPAQUE_LIMIT],
    }

    /// Where a client listens for callbacks [RFC 7530 §16.33].
    struct CbClient<'a> {
        cb_program: u32,
        cb_location: NetAddr<'a>,
    }

    /// Arguments of SETCLIENTID_CONFIRM [RFC 7530 §16.34].
    struct SetClientIdConfirm {
        clientid: ClientId,
        setclientid_confirm: Verifier,
    }

    /// Arguments of RELEASE_LOCKOWNER [RFC 7530 §16.37].
    struct ReleaseLockOwner<'a> {
        lock_owner: Owner<'a>,
    }
}
