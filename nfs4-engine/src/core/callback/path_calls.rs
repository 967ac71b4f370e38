//! The callbacks of a path.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nfs4_proto::nfs4::compound::{CbCompoundHeader, CompoundReplyHeader};
use nfs4_proto::nfs4::opnum::CbOp;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::{AuthFlavor, AuthSys, CB_COMPOUND, OpaqueAuth};
use nfs4_proto::xdr::{Decode, Encode, List, Reader, Writer, XdrError};

use crate::action::Outbox;
use crate::callback::decode::{self, HeldAttrs};
use crate::callback::flight::{Flight, Path, xid_of};
use crate::callback::path::{PathCall, PathConnection, PathPhase};
use crate::callback::{
    CallPurpose, CallbackEnd, CallbackFailed, CallbackOp, CallbackRefused, Slowness, channel,
    encode,
};
use crate::core::Core;
use crate::ids::ConnId;
use crate::input::CallbackOutcome;
use crate::keys::{ClientKey, PathCallKey};
use crate::time::Mono;

impl Core {
    /// Sends a callback to a client of 4.0. While its connection is being made, the callback waits.
    ///
    /// # Errors
    /// The callback is not taken, and its end is not reported.
    pub(crate) fn call_by_path(
        &mut self,
        client: ClientKey,
        op: CallbackOp,
        purpose: CallPurpose,
        out: &mut Outbox,
    ) -> Result<(), CallbackRefused> {
        let now = out.now;
        let known = matches!(op.op(), CbOp::Recall | CbOp::GetAttr);
        let path = self
            .path(client)
            .filter(|path| known && path.connection != PathConnection::GivenUp);
        let waiting = path.map(|path| path.queue.len());
        let full = waiting.ok_or(CallbackRefused::NoPath)? >= channel::QUEUE;
        if full {
            return Err(CallbackRefused::QueueFull);
        }
        let call = self.callbacks.path_calls.insert(PathCall {
            client,
            op,
            purpose,
            attempts: 0,
            slowness: Slowness::since_accepted(now.mono),
            phase: PathPhase::Queued {
                not_before: now.mono,
            },
            until: now.mono.after(self.lease_length(client)),
        });
        self.arm_slow(now.mono);
        if let Some(path) = self.path_mut(client) {
            path.queue.push_back(call);
        }
        self.pump_path(client, out);
        self.remind_path(client);
        Ok(())
    }

    /// Sends what waits, as far as the path is up and not too much is on the wire.
    pub(crate) fn pump_path(&mut self, key: ClientKey, out: &mut Outbox) {
        loop {
            let Some(path) = self.path(key) else {
                return;
            };
            let PathConnection::Up { conn, .. } = path.connection else {
                return;
            };
            if path.sent.len() >= MOST_SENT || self.callbacks.flights.is_full() {
                return;
            }
            let due = |call: &PathCallKey| {
                let call = self.callbacks.path_calls.get(*call);
                let phase = call.map(|call| call.phase);
                matches!(phase, Some(PathPhase::Queued { not_before }) if not_before <= out.now.mono)
            };
            let Some(place) = path.queue.iter().position(due) else {
                return;
            };
            if let Some(path) = self.path_mut(key)
                && let Some(call) = path.queue.remove(place)
            {
                path.sent.push(call);
                self.send_by_path(call, conn, out);
            }
        }
    }

    /// An answer came by a path, to CB_NULL if to no `call`.
    pub(crate) fn path_answered(
        &mut self,
        client: ClientKey,
        conn: ConnId,
        call: Option<PathCallKey>,
        outcome: &CallbackOutcome,
        out: &mut Outbox,
    ) {
        let Some(key) = call else {
            match outcome {
                CallbackOutcome::Answered(_) => self.path_is_up(client, conn, out),
                CallbackOutcome::Refused(_) => {
                    self.retry_path(client, CallbackFailed::Refused, out);
                }
            }
            return;
        };
        let results = match outcome {
            CallbackOutcome::Answered(results) => results,
            // CB_NULL was answered, so a server of callbacks is there that refuses this one.
            CallbackOutcome::Refused(_) => {
                self.take_from_sent(client, key);
                let end = CallbackEnd::Failed(CallbackFailed::Refused);
                self.end_path_call(key, end, out);
                self.give_up_path(client, out);
                return;
            }
        };
        let Some(op) = self.callbacks.path_calls.get(key).map(|call| call.op.op()) else {
            return;
        };
        let Ok((status, attrs)) = read(results, op) else {
            self.retry_path(client, CallbackFailed::Refused, out);
            return;
        };
        self.take_from_sent(client, key);
        let end = CallbackEnd::Done { status, attrs };
        let attempts = self
            .callbacks
            .path_calls
            .get(key)
            .map_or(0, |call| call.attempts);
        match self.pause(attempts) {
            Some(pause) if status == Status::DELAY => {
                self.send_again(key, out.now.mono.after(pause), end, out);
            }
            Some(_) | None => self.end_path_call(key, end, out),
        }
        self.pump_path(client, out);
        self.remind_path(client);
    }

    /// Puts a callback back into the queue, not to be sent before `not_before`; if it was sent the maximum
    /// number of times, it ends.
    pub(crate) fn send_again(
        &mut self,
        key: PathCallKey,
        not_before: Mono,
        end: CallbackEnd,
        out: &mut Outbox,
    ) {
        let call = self.callbacks.path_calls.get(key);
        let attempts = call.map_or(0, |call| call.attempts);
        let timed_out = end == CallbackEnd::Failed(CallbackFailed::TimedOut);
        let given_up = timed_out && call.is_some_and(|call| call.purpose.is_probe());
        if given_up || self.pause(attempts).is_none() {
            self.end_path_call(key, end, out);
            return;
        }
        let Some(call) = self.callbacks.path_calls.get_mut(key) else {
            return;
        };
        call.phase = PathPhase::Queued { not_before };
        let client = call.client;
        if let Some(path) = self.path_mut(client) {
            path.queue.push_front(key);
        }
    }

    /// Removes a callback that waits nowhere any more, and reports how it ended.
    pub(crate) fn end_path_call(&mut self, key: PathCallKey, end: CallbackEnd, out: &mut Outbox) {
        if let Some(call) = self.callbacks.path_calls.remove(key) {
            self.slow_path_call_ended(&call, end, out);
            self.report_end(call.purpose, end, out);
        }
    }

    /// Ends callbacks that have waited too long for a connection.
    pub(crate) fn give_up_old(&mut self, key: ClientKey, out: &mut Outbox) {
        let Some(path) = self.path(key) else {
            return;
        };
        let is_old = |call: &PathCallKey| {
            let call = self.callbacks.path_calls.get(*call);
            call.is_none_or(|call| call.until <= out.now.mono)
        };
        let old: Vec<_> = path.queue.iter().copied().filter(is_old).collect();
        for call in old {
            if let Some(path) = self.path_mut(key) {
                path.queue.retain(|other| *other != call);
            }
            let end = CallbackEnd::Failed(CallbackFailed::NoPath);
            self.end_path_call(call, end, out);
        }
    }

    /// Whether a callback that was sent should have been answered.
    pub(crate) fn is_answer_late(&self, key: ClientKey, now: Mono) -> bool {
        let sent = self.path(key).into_iter().flat_map(|path| &path.sent);
        let mut calls = sent.filter_map(|call| self.callbacks.path_calls.get(*call));
        calls.any(|call| matches!(call.phase, PathPhase::Sent { late } if late <= now))
    }

    fn take_from_sent(&mut self, client: ClientKey, key: PathCallKey) {
        if let Some(path) = self.path_mut(client) {
            path.sent.retain(|other| *other != key);
        }
    }

    /// Sends a callback. [RFC 7530 §15.2, §17.2]
    fn send_by_path(&mut self, key: PathCallKey, conn: ConnId, out: &mut Outbox) {
        let now = out.now;
        let late = now.mono.after(self.config.callback_timeout);
        let Some(call) = self.callbacks.path_calls.get_mut(key) else {
            return;
        };
        let again = call.attempts > 0;
        call.attempts += 1;
        call.phase = PathPhase::Sent { late };
        let client = call.client;
        let flight = self.callbacks.flights.insert(Flight {
            conn,
            path: Path::Dialled {
                client,
                call: Some(key),
            },
            sent: now.mono,
            overdue: false,
        });
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.flights.push(flight);
        }
        let Some(found) = self.clients.get(client) else {
            return;
        };
        let (Some(path), Some(call)) = (&found.path, self.callbacks.path_calls.get(key)) else {
            return;
        };
        let mut w = Writer::with_capacity(256);
        CbCompoundHeader {
            tag: b"",
            minorversion: 0,
            callback_ident: path.ident,
            ops: 1,
        }
        .encode(&mut w);
        call.op.op().number().encode(&mut w);
        encode::operation(&call.op, found.id, &mut w);
        let xid = xid_of(flight);
        let head = encode::head(xid, path.program, CB_COMPOUND, &credential(), w.len());
        out.callback(conn, xid, &head, w.as_slice());
        out.metrics.callback_sent(again);
        self.remind_path(client);
    }
}

/// The status of the one operation, and its attributes.
fn read(results: &[u8], asked: CbOp) -> Result<(Status, Option<HeldAttrs>), XdrError> {
    let mut r = Reader::new(results);
    let head = CompoundReplyHeader::decode(&mut r)?;
    if head.ops == 0 {
        // Refused before it was checked.
        let status = match head.status {
            Status::OK => Status::BADXDR,
            status => status,
        };
        return Ok((status, None));
    }
    decode::operation(&mut r, asked)
}

/// AUTH_SYS as root: the credential of the server means nothing to a client. [RFC 7530 §3.3.3]
fn credential() -> Box<[u8]> {
    let mut body = Writer::new();
    AuthSys {
        stamp: 0,
        machinename: b"nfs4",
        uid: 0,
        gid: 0,
        gids: List::empty(),
    }
    .encode(&mut body);
    let mut w = Writer::new();
    OpaqueAuth {
        flavor: AuthFlavor::SYS,
        body: body.as_slice(),
    }
    .encode(&mut w);
    w.into_vec().into_boxed_slice()
}

/// Maximum number of callbacks on the wire to one client.
const MOST_SENT: usize = 16;
