//! Clients, sessions and connections [RFC 8881 §18.33–18.51].

use crate::limits::{MAX_CB_SEC_PARMS, MAX_SSV_ALGORITHMS};
use crate::nfs4::attr::Bitmap;
use crate::nfs4::basic::{ClientId, SessionId, Time, Verifier};
use crate::nfs4::consts::{NFS4_OPAQUE_LIMIT, SP4_MACH_CRED, SP4_NONE, SP4_SSV};
use crate::rpc::AuthSys;
use crate::xdr::{List, xdr};

xdr! {
    /// Arguments of EXCHANGE_ID [RFC 8881 §18.35].
    struct ExchangeId<'a> {
        clientowner: ClientOwner<'a>,
        flags: u32,
        state_protect: StateProtect<'a>,
        client_impl_id: Option<ImplId<'a>>,
    }

    /// A client's owner string and incarnation [RFC 8881 §2.4].
    #[derive(Hash)]
    struct ClientOwner<'a> {
        verifier: Verifier,
        ownerid: &'a [u8] [max NFS4_OPAQUE_LIMIT],
    }

    /// How the client wants its state protected [RFC 8881 §18.35].
    union StateProtect<'a> {
        SP4_NONE => None,
        SP4_MACH_CRED => MachCred(ops: SspOps),
        SP4_SSV => Ssv {
            ops: SspOps,
            hash_algs: List<'a, &'a [u8]> [max MAX_SSV_ALGORITHMS],
            encr_algs: List<'a, &'a [u8]> [max MAX_SSV_ALGORITHMS],
            window: u32,
            num_gss_handles: u32,
        },
    }

    /// Operations that must and that may be sent with the machine credential [RFC 8881 §18.35].
    struct SspOps {
        must_enforce: Bitmap,
        must_allow: Bitmap,
    }

    /// The name and the date of an implementation [RFC 8881 §3.3.21].
    struct ImplId<'a> {
        domain: &'a [u8] [max NFS4_OPAQUE_LIMIT],
        name: &'a [u8] [max NFS4_OPAQUE_LIMIT],
        date: Time,
    }

    /// Arguments of CREATE_SESSION [RFC 8881 §18.36].
    struct CreateSession<'a> {
        clientid: ClientId,
        sequence: u32,
        flags: u32,
        fore_chan_attrs: ChannelAttrs,
        back_chan_attrs: ChannelAttrs,
        cb_program: u32,
        sec_parms: List<'a, CallbackSecParms<'a>> [max MAX_CB_SEC_PARMS],
    }

    /// The measures of one channel of a session [RFC 8881 §18.36].
    struct ChannelAttrs {
        headerpadsize: u32,
        maxrequestsize: u32,
        maxresponsesize: u32,
        maxresponsesize_cached: u32,
        maxoperations: u32,
        maxrequests: u32,
        rdma_ird: Option<u32>,
    }

    /// A credential that the server may use on the backchannel [RFC 8881 §18.36].
    union CallbackSecParms<'a> {
        0 => None,
        1 => Sys(cred: AuthSys<'a>),
        6 => Gss(handles: GssCbHandles<'a>),
    }

    /// GSS handles for the backchannel [RFC 8881 §18.36].
    struct GssCbHandles<'a> {
        service: GssSvc,
        handle_from_server: &'a [u8],
        handle_from_client: &'a [u8],
    }

    /// What RPCSEC_GSS does to a message [RFC 2203 §5.2.2].
    enum GssSvc {
        None = 1 "RPC_GSS_SVC_NONE",
        Integrity = 2 "RPC_GSS_SVC_INTEGRITY",
        Privacy = 3 "RPC_GSS_SVC_PRIVACY",
    }

    /// Arguments of SEQUENCE [RFC 8881 §18.46].
    struct Sequence {
        sessionid: SessionId,
        sequenceid: u32,
        slotid: u32,
        highest_slotid: u32,
        cachethis: bool,
    }

    /// Arguments of RECLAIM_COMPLETE [RFC 8881 §18.51].
    struct ReclaimComplete {
        one_fs: bool,
    }

    /// Arguments of DESTROY_SESSION [RFC 8881 §18.37].
    struct DestroySession {
        sessionid: SessionId,
    }

    /// Arguments of DESTROY_CLIENTID [RFC 8881 §18.50].
    struct DestroyClientId {
        clientid: ClientId,
    }

    /// Arguments of SECINFO_NO_NAME [RFC 8881 §18.45].
    struct SecInfoNoName {
        style: SecInfoStyle,
    }

    /// Of which object SECINFO_NO_NAME asks [RFC 8881 §18.45].
    enum SecInfoStyle {
        CurrentFh = 0 "SECINFO_STYLE4_CURRENT_FH",
        Parent = 1 "SECINFO_STYLE4_PARENT",
    }

    /// Arguments of BIND_CONN_TO_SESSION [RFC 8881 §18.34].
    struct BindConnToSession {
        sessid: SessionId,
        dir: ChannelDirFromClient,
        use_conn_in_rdma_mode: bool,
    }

    /// The channels that a client wants on a connection [RFC 8881 §18.34].
    enum ChannelDirFromClient {
        Fore = 1 "CDFC4_FORE",
        Back = 2 "CDFC4_BACK",
        ForeOrBoth = 3 "CDFC4_FORE_OR_BOTH",
        BackOrBoth = 7 "CDFC4_BACK_OR_BOTH",
    }

    /// Arguments of BACKCHANNEL_CTL [RFC 8881 §18.33].
    struct BackchannelCtl<'a> {
        cb_program: u32,
        sec_parms: List<'a, CallbackSecParms<'a>> [max MAX_CB_SEC_PARMS],
    }
}
