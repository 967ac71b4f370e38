//! One line per fact; nothing without the feature `tracing`.

#![cfg_attr(
    not(feature = "tracing"),
    expect(
        unused_variables,
        reason = "without tracing nothing is said about them"
    )
)]

use std::io;
use std::net::SocketAddr;

#[cfg(feature = "tracing")]
use nfs4_engine::proto::dump::Dump;
#[cfg(feature = "tracing")]
use nfs4_engine::proto::nfs4::SessionId;
use nfs4_engine::proto::rpc::Fault;
#[cfg(feature = "tracing")]
use nfs4_engine::proto::rpc::{Mark, MessageType, peek_message_type};
use nfs4_engine::{Action, Admin, ConnId, DialError, Event, Outbox, Reply, Segment};
#[cfg(feature = "tracing")]
use nfs4_engine::{RequestId, SlowCallback, SlowRequest, WaitsFor};

#[cfg(feature = "tracing")]
use tracing::field::DisplayValue;

use crate::error::{Closing, Refused};

pub(crate) fn opened(conn: ConnId, peer: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%conn, peer, "connection opened");
}

pub(crate) fn dialled(conn: ConnId, peer: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%conn, peer, "connection made");
}

pub(crate) fn not_dialled(target: SocketAddr, why: DialError) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%target, %why, "no connection made");
}

pub(crate) fn accepts_failed(why: &io::Error, failed: u64) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%why, failed, "connections cannot be accepted");
}

pub(crate) fn refused(peer: &str, why: Refused) {
    #[cfg(feature = "tracing")]
    tracing::warn!(peer, %why, "connection refused");
}

/// A connection that is closed for what its peer did is worth a warning.
pub(crate) fn closed(conn: ConnId, peer: &str, why: &Closing) {
    #[cfg(feature = "tracing")]
    match why {
        Closing::Record(_) | Closing::NotRpc | Closing::Stalled | Closing::Slow => {
            tracing::warn!(%conn, peer, %why, "connection closed");
        }
        Closing::EngineDead(_) => tracing::error!(%conn, peer, %why, "connection closed"),
        Closing::EndOfStream
        | Closing::Io(_)
        | Closing::Engine
        | Closing::Idle
        | Closing::GaveWay
        | Closing::Stopped
        | Closing::Abandoned => tracing::debug!(%conn, peer, %why, "connection closed"),
    }
}

pub(crate) fn call_refused(conn: ConnId, xid: u32, peer: &str, fault: Fault) {
    #[cfg(feature = "tracing")]
    let request = RequestId { conn, xid };
    #[cfg(feature = "tracing")]
    tracing::debug!(%request, peer, %fault, "call refused");
}

/// A call that arrived, without its mark.
pub(crate) fn call(conn: ConnId, record: &[u8]) {
    #[cfg(feature = "tracing")]
    if records() {
        let request = named(conn, record);
        tracing::trace!(%request, "<- {}", Dump::callback(record));
    }
}

/// The answer to a callback, likewise.
pub(crate) fn answer(conn: ConnId, record: &[u8]) {
    #[cfg(feature = "tracing")]
    if records() {
        let callback = named(conn, record);
        tracing::trace!(%callback, "<- {}", Dump::callback(record));
    }
}

/// Whether records are logged, so that sent ones are kept for the log.
pub(crate) fn records() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::enabled!(tracing::Level::TRACE);
    #[cfg(not(feature = "tracing"))]
    return false;
}

/// The bytes that an action sends, and where.
pub(crate) fn traced(outbox: &Outbox, action: &Action) -> Option<(ConnId, Vec<u8>)> {
    match action {
        Action::Reply(reply) => Some((reply.conn, joined(outbox, reply))),
        Action::Callback(callback) => Some((callback.conn, outbox.call(callback).to_vec())),
        _ => None,
    }
}

/// The bytes of a reply in one piece.
fn joined(outbox: &Outbox, reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in outbox.segments(reply) {
        bytes.extend_from_slice(match segment {
            Segment::Bytes(part) => part,
            Segment::Payload(part) => part,
        });
    }
    bytes
}

/// A reply or a callback that leaves, mark included.
pub(crate) fn sent(conn: ConnId, record: &[u8]) {
    #[cfg(feature = "tracing")]
    {
        let record = record.get(Mark::LEN..).unwrap_or_default();
        let name = named(conn, record);
        let dump = Dump::new(record);
        match peek_message_type(record) {
            Ok((_, MessageType::Call)) => tracing::trace!(callback = %name, "-> {dump}"),
            Ok((_, MessageType::Reply)) | Err(_) => tracing::trace!(request = %name, "-> {dump}"),
        }
    }
}

/// The name of a message that is sent or received: the first word is its transaction id.
#[cfg(feature = "tracing")]
fn named(conn: ConnId, record: &[u8]) -> RequestId {
    let xid = record
        .first_chunk()
        .map_or(0, |xid| u32::from_be_bytes(*xid));
    RequestId { conn, xid }
}

/// An action of the administrator is a warning.
pub(crate) fn admin(admin: &Admin) {
    #[cfg(feature = "tracing")]
    match admin {
        // The events that follow tell what has become of each export.
        Admin::SetExports(exports) => {
            let exports = exports.len();
            tracing::warn!(
                admin = "SetExports",
                exports,
                "request of the administrator"
            );
        }
        Admin::PutExport(export) => {
            let path = &export.path;
            tracing::warn!(admin = "PutExport", path, "request of the administrator");
        }
        admin => tracing::warn!(?admin, "request of the administrator"),
    }
}

/// The log of inputs ends; the server goes on.
#[cfg(feature = "record")]
pub(crate) fn recording_failed(why: &io::Error) {
    #[cfg(feature = "tracing")]
    tracing::error!(%why, "the recording ends: it cannot be written");
}

/// The same.
#[cfg(feature = "record")]
pub(crate) fn recording_has_gap(unwritten: usize) {
    #[cfg(feature = "tracing")]
    tracing::error!(unwritten, "the recording ends: it is written too slowly");
}

/// Events that a client can cause with every request are logged at DEBUG, and a client that comes
/// or goes at INFO.
pub(crate) fn event(event: &Event) {
    #[cfg(feature = "tracing")]
    match event {
        Event::ClientConfirmed { client, conn, peer } => {
            let client = client_id(*client);
            tracing::info!(client, conn = conn.get(), peer, "a client is confirmed");
        }
        Event::ClientGone { client, reason } => {
            let (client, reason) = (client_id(*client), reason.label());
            tracing::info!(client, reason, "a client is removed");
        }
        Event::ClientCourteous { client } => {
            let client = client_id(*client);
            tracing::info!(
                client,
                "a lease has expired, and the client's state is kept"
            );
        }
        Event::ClientReturned { client } => {
            let client = client_id(*client);
            tracing::info!(client, "a client is back after its lease had expired");
        }
        // They continue until the administrator acts, so they are logged ever more seldom.
        Event::SharedOwner { owner, times } if times.is_power_of_two() => {
            // The client's name is escaped to one line.
            let owner = owner.escape_ascii();
            tracing::warn!(%owner, times, "two clients use the same name and replace each other");
        }
        Event::BackChannelFaulty { session } => {
            let session = session_id(*session);
            tracing::info!(session, "a back channel is out of use");
        }
        Event::DelegationRevoked { client, kind } => {
            let (client, delegation) = (client_id(*client), kind.label());
            tracing::info!(client, delegation, "a delegation is revoked");
        }
        Event::ExportAdded { path, number } => {
            tracing::info!(path, number, "an export is added");
        }
        Event::ExportChanged {
            path,
            number,
            options,
        } => tracing::info!(path, number, ?options, "an export is changed"),
        Event::ExportRemoved { path, number } => {
            tracing::info!(path, number, "an export is removed");
        }
        Event::FileSystemFault {
            export,
            call,
            fault,
            untold,
            request,
        } => {
            let request = request.map(tracing::field::display);
            tracing::warn!(request, export, ?call, %fault, untold, "a file system breaks its contract");
        }
        Event::SlowRequest(slow) => slow_request(slow),
        Event::SlowCallback(slow) => slow_callback(slow),
        Event::SlowUnreported {
            requests,
            callbacks,
        } => tracing::warn!(requests, callbacks, "more was slow than is logged"),
        _ => tracing::debug!(?event),
    }
}

/// A request that still waits is the operator's matter: a file system or a client is stuck.
#[cfg(feature = "tracing")]
fn slow_request(slow: &SlowRequest) {
    let SlowRequest { request, peer, .. } = slow;
    let client = slow.client.map(client_id);
    let operation = slow.op.name();
    let (export, call) = match slow.waits_for {
        WaitsFor::FileSystem { export, call } => (Some(export), Some(call)),
        _ => (None, None),
    };
    let call = call.map(tracing::field::debug);
    let waits_for = match slow.waits_for {
        WaitsFor::FileSystem { .. } => "file system",
        WaitsFor::Holder => "holder of a delegation",
        WaitsFor::StableStorage => "stable storage",
        WaitsFor::Others => "other requests",
        _ => "",
    };
    let (waited_ms, took_ms) = (millis(slow.waited), millis(slow.took));
    if slow.answered {
        tracing::info!(%request, client, peer, operation, waits_for, export, call, waited_ms, took_ms,
            "a slow request is answered");
    } else {
        tracing::warn!(%request, client, peer, operation, waits_for, export, call, waited_ms, took_ms,
            "a request is slow");
    }
}

#[cfg(feature = "tracing")]
fn slow_callback(slow: &SlowCallback) {
    let SlowCallback { peer, attempts, .. } = slow;
    let client = client_id(slow.client);
    let session = slow.session.map(session_id);
    let conn = slow.conn.map(ConnId::get);
    let (operation, took_ms) = (slow.op.name(), millis(slow.took));
    match slow.ended {
        Some(ended) => {
            let ended = ended.label();
            tracing::info!(
                client,
                peer,
                session,
                conn,
                operation,
                attempts,
                took_ms,
                ended,
                "a slow callback has ended"
            );
        }
        None => tracing::warn!(
            client,
            peer,
            session,
            conn,
            operation,
            attempts,
            took_ms,
            "a callback has no answer"
        ),
    }
}

/// A client id as the administration interface has it.
#[cfg(feature = "tracing")]
fn client_id(id: u64) -> DisplayValue<String> {
    hex(u128::from(id), 16)
}

/// A session id likewise.
#[cfg(feature = "tracing")]
fn session_id(SessionId(id): SessionId) -> DisplayValue<String> {
    hex(u128::from_be_bytes(id), 32)
}

#[cfg(feature = "tracing")]
fn hex(id: u128, digits: usize) -> DisplayValue<String> {
    tracing::field::display(format!("{id:0digits$x}"))
}

#[cfg(feature = "tracing")]
fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(all(test, feature = "tracing"))]
mod tests;
