//! What starts an engine, what enters it, and its events.

use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::basic::SessionId;
use nfs4_proto::nfs4::opnum::{CbOp, CbOpNum, Op, OpNum};
use nfs4_proto::rpc::{AuthStat, Fault};
use nfs4_proto::xdr::{Reader, Writer, XdrError};

use super::value::{Value, enums, structs, wire_types};
use crate::admin::Admin;
use crate::boot::Boot;
use crate::change::Change;
use crate::config::{BindingPolicy, Config};
use crate::delegation_kind::{DelegationKind, RecallReason, Touch};
use crate::direction::Direction;
use crate::event::{BackChannelLost, ClientGone, Event, GraceEnd, SessionGone, Unbound};
use crate::ids::{ConnId, DialId, RequestId};
use crate::input::{Call, CallbackOutcome, CallbackReply, DialError, Input};
use crate::network::{Cidr, NetworkRule};
use crate::server_address::ServerAddress;
use crate::slow::{SlowCallback, SlowCallbackEnd, SlowRequest, WaitsFor};
use crate::squash::Squash;
use crate::stable::{ClientRecord, RecordKey, StableError, StableTicket, StableWrite};
use crate::time::{Mono, Now, Wall};

structs! {
    Boot {
        epoch, entropy, write_verifier, server_major, server_minor, server_scope, recovered
    }
    ClientRecord { key, verifier, lease, lost, reclaims }
    RecordKey { v40, owner, flavor, uid }
    StableTicket { index, generation }
    Call { conn, xid, cred, body, message_len }
    CallbackReply { conn, xid, outcome }
    NetworkRule { network, read_only, squash }
    Now { mono, wall }
    RequestId { conn, xid }
    SlowCallback { client, peer, session, conn, op, attempts, took, ended }
    SlowRequest { request, client, peer, op, waits_for, waited, took, answered }
    Wall { seconds, nanos }
}

/// The settings have a length: a log that was written before there was one has its default.
macro_rules! settings {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl Value for $name {
            fn put(&self, w: &mut Writer) {
                let $name { $($field),* } = self;
                let mut settings = Writer::new();
                $($field.put(&mut settings);)*
                w.opaque(settings.as_slice());
            }

            fn take(r: &mut Reader<'_>) -> Result<Self, XdrError> {
                let mut settings = Reader::new(r.opaque(usize::MAX)?);
                let mut config = $name::default();
                $(if !settings.is_empty() {
                    config.$field = Value::take(&mut settings)?;
                })*
                settings.finish()?;
                Ok(config)
            }
        }
    };
}

// A new one is the last.
settings! {
    Change {
        lease, grace, min_minor_version, max_minor_version, fore_slots,
        max_connections_per_session, binding_policy, blocked_operations, max_cached_reply,
        max_reply_cache, max_operations, sessions_per_client, max_sessions, drain_deadline,
        callback_timeout, callback_pause, max_clients, max_opens_per_client, max_states,
        delegations, max_delegations_per_client, max_delegations, delegation_pause,
        delegation_penalty, courtesy, slow_request,
    }
}

settings! {
    Config {
        lease, grace, min_minor_version, max_minor_version, fore_slots, max_io, max_cached_reply,
        max_reply_cache, max_operations, sessions_per_client, max_sessions,
        max_connections_per_session, binding_policy, drain_deadline, callback_timeout,
        callback_pause, blocked_operations, max_clients, max_opens_per_client, max_states,
        delegations, max_delegations_per_client, max_delegations, delegation_pause,
        delegation_penalty, server_addresses, slow_request, courtesy,
    }
}

enums! {
    Admin {
        0 = Drain { conn },
        1 = StopDraining { conn },
        2 = EvictClient { client },
        3 = DestroySession { session },
        4 = Configure(change),
        5 = EndGrace,
        6 = PutExport(export),
        7 = RemoveExport { path },
        8 = SetExports(exports),
    }
    BackChannelLost { 0 = Silent, 1 = Garbled, 2 = Refused, 3 = HalfClosed }
    BindingPolicy { 0 = Exclusive, 1 = Shared }
    CallbackOutcome { 0 = Answered(results), 1 = Refused(fault) }
    ClientGone { 0 = LeaseExpired, 1 = Request, 2 = Replaced, 3 = Evicted, 4 = Crowded }
    DelegationKind { 0 = Read, 1 = Write }
    DialError { 0 = Refused, 1 = Failed, 2 = TimedOut }
    Direction { 0 = Fore, 1 = Back, 2 = Both }
    Event {
        0 = ClientConfirmed { client, conn, peer },
        1 = SharedOwner { owner, times },
        2 = ClientGone { client, reason },
        3 = SessionCreated { session, client, conn, slots },
        4 = Bound { conn, session, direction },
        5 = NotBound { conn, session },
        6 = RdmaRefused { conn, session },
        7 = Unbound { conn, session, reason },
        8 = BackChannelLost { session, conn, why },
        9 = BackChannelFaulty { session },
        10 = SessionDestroyed { session, reason },
        11 = DelegationRecalled { client, kind, reason },
        12 = DelegationRevoked { client, kind },
        13 = FileSystemFault { export, call, fault, untold, request },
        14 = DelegationGranted { client, kind },
        15 = GraceEnded { reason },
        16 = SettingsChanged { settings },
        17 = SlowRequest(slow),
        18 = SlowCallback(slow),
        19 = SlowUnreported { requests, callbacks },
        20 = StableFailed { error, failures },
        21 = ExportAdded { path, number },
        22 = ExportChanged { path, number, options },
        23 = ExportRemoved { path, number },
        24 = ClientCourteous { client },
        25 = ClientReturned { client },
    }
    Fault {
        0 = RpcMismatch { low, high },
        1 = AuthError(stat),
        2 = ProgUnavail,
        3 = ProgMismatch { low, high },
        4 = ProcUnavail,
        5 = GarbageArgs,
        6 = SystemErr,
    }
    GraceEnd { 0 = Over, 1 = Administrator, 2 = Reclaimed }
    Input {
        0 = ConnOpened { conn, peer },
        1 = ConnClosed { conn },
        2 = Call(call),
        3 = CallbackReply(reply),
        4 = Dialed { dial, result },
        5 = Touched { export, fh, touch },
        6 = Admin(admin),
        7 = FsDone { ticket, result },
        8 = ReleasePanicked,
        9 = ConnHalfClosed { conn },
        10 = StableDone { ticket, result },
        11 = LeaseLost { export, fh, touch },
    }
    RecallReason { 0 = Conflict, 1 = ResourcePressure }
    ServerAddress { 0 = Ip(ip, port), 1 = Name(name) }
    SessionGone { 0 = Request, 1 = LeaseExpired, 2 = Replaced, 3 = Evicted }
    SlowCallbackEnd { 0 = Answered, 1 = TimedOut, 2 = NoPath, 3 = Refused, 4 = Cancelled }
    Squash { 0 = None, 1 = Root, 2 = All }
    StableError { 0 = NoSpace, 1 = ReadOnly, 2 = Failed, 3 = NoAnswer }
    StableWrite { 0 = Client(record), 1 = Forget { key }, 2 = GraceOver }
    Touch { 0 = Read, 1 = Change }
    WaitsFor { 0 = FileSystem { export, call }, 1 = Holder, 2 = Others, 3 = StableStorage }
    Unbound { 0 = Explicit, 1 = Disconnect, 2 = SessionDestroyed, 3 = Reaper }
}

wire_types! { AuthStat, Bitmap, SessionId }

impl Value for Cidr {
    fn put(&self, w: &mut Writer) {
        self.address().put(w);
        w.u32(u32::from(self.prefix()));
    }

    fn take(r: &mut Reader<'_>) -> Result<Cidr, XdrError> {
        let address = Value::take(r)?;
        let prefix = u8::try_from(r.u32()?).map_err(|_| XdrError::TooLong)?;
        Cidr::new(address, prefix).map_err(|_| XdrError::BadDiscriminant)
    }
}

impl Value for Op {
    fn put(&self, w: &mut Writer) {
        w.u32(self.value());
    }

    fn take(r: &mut Reader<'_>) -> Result<Op, XdrError> {
        OpNum(r.u32()?).known().ok_or(XdrError::BadDiscriminant)
    }
}

impl Value for CbOp {
    fn put(&self, w: &mut Writer) {
        w.u32(self.number().0);
    }

    fn take(r: &mut Reader<'_>) -> Result<CbOp, XdrError> {
        CbOpNum(r.u32()?).known().ok_or(XdrError::BadDiscriminant)
    }
}

impl Value for ConnId {
    fn put(&self, w: &mut Writer) {
        w.u64(self.get());
    }

    fn take(r: &mut Reader<'_>) -> Result<ConnId, XdrError> {
        ConnId::new(r.u64()?).ok_or(XdrError::BadDiscriminant)
    }
}

impl Value for DialId {
    fn put(&self, w: &mut Writer) {
        w.u64(self.get());
    }

    fn take(r: &mut Reader<'_>) -> Result<DialId, XdrError> {
        r.u64().map(DialId::new)
    }
}

impl Value for Mono {
    fn put(&self, w: &mut Writer) {
        w.u64(self.as_nanos());
    }

    fn take(r: &mut Reader<'_>) -> Result<Mono, XdrError> {
        r.u64().map(Mono::from_nanos)
    }
}
