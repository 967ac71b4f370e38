//! Clients, sessions and connections [RFC 8881 §18.33–18.51].

use crate::nfs4::args::{ChannelAttrs, ImplId, SspOps};
use crate::nfs4::basic::{ClientId, SessionId};
use crate::nfs4::consts::{NFS4_OPAQUE_LIMIT, SP4_MACH_CRED, SP4_NONE, SP4_SSV};
use crate::xdr::{List, xdr};

xdr! {
    /// Results of EXCHANGE_ID [RFC 8881 §18.35].
    struct ExchangeIdOk<'a> {
        clientid: ClientId,
        sequenceid: u32,
        flags: u32,
        state_protect: StateProtectOk<'a>,
        server_owner: ServerOwner<'a>,
        server_scope: &'a [u8] [max NFS4_OPAQUE_LIMIT],
        server_impl_id: Option<ImplId<'a>>,
    }

    /// How the server protects the client's state [RFC 8881 §18.35].
    union StateProtectOk<'a> {
        SP4_NONE => None,
        SP4_MACH_CRED => MachCred(ops: SspOps),
        SP4_SSV => Ssv {
            ops: SspOps,
            hash_alg: u32,
            encr_alg: u32,
            ssv_len: u32,
            window: u32,
            handles: List<'a, &'a [u8]>,
        },
    }

    /// Which server this is, for trunking [RFC 8881 §2.10.5].
    struct ServerOwner<'a> {
        minor_id: u64,
        major_id: &'a [u8] [max NFS4_OPAQUE_LIMIT],
    }

    /// Results of CREATE_SESSION [RFC 8881 §18.36].
    struct CreateSessionOk {
        sessionid: SessionId,
        sequence: u32,
        flags: u32,
        fore_chan_attrs: ChannelAttrs,
        back_chan_attrs: ChannelAttrs,
    }

    /// Results of SEQUENCE [RFC 8881 §18.46].
    struct SequenceOk {
        sessionid: SessionId,
        sequenceid: u32,
        slotid: u32,
        highest_slotid: u32,
        target_highest_slotid: u32,
        status_flags: u32,
    }

    /// Results of BIND_CONN_TO_SESSION [RFC 8881 §18.34].
    struct BindConnToSessionOk {
        sessid: SessionId,
        dir: ChannelDirFromServer,
        use_conn_in_rdma_mode: bool,
    }

    /// The channels that a connection now serves [RFC 8881 §18.34].
    enum ChannelDirFromServer {
        Fore = 1 "CDFS4_FORE",
        Back = 2 "CDFS4_BACK",
        Both = 3 "CDFS4_BOTH",
    }
}
