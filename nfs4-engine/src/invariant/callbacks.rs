//! What holds of callbacks: each is where its phase says, and the wire knows of no other.

use alloc::format;
use alloc::string::String;

use super::check;
use crate::callback::flight::Path;
use crate::callback::{Call, CallPhase, CallbackPath};
use crate::connection::Connection;
use crate::engine::Engine;
use crate::ids::ConnId;
use crate::keys::CallKey;

impl Engine {
    /// Callbacks, the backchannels that they are in, calls on the wire and connections agree.
    pub(super) fn check_callbacks(&self, open: &[ConnId]) -> Result<(), String> {
        let core = &self.runner.core;
        let calls = core.callbacks.calls.entries();
        for (key, call) in calls {
            self.check_call(key, call)?;
        }
        let (mut listed, mut sent) = (0, 0);
        for (key, session) in core.sessions.entries() {
            let back = &session.back;
            listed += back.queue().len();
            for seat in back.seats() {
                listed += usize::from(seat.call.is_some());
                sent += seat.flights.len();
                let idle = seat.call.is_none() && seat.flights.is_empty();
                check(!seat.slot.is_free() || idle, "on a free slot", key)?;
                let given_up = seat.slot.is_quarantined() || seat.slot.is_free();
                check(
                    given_up == seat.call.is_none(),
                    "a slot without callback",
                    key,
                )?;
            }
        }
        sent += self.check_paths()?;
        let calls = core.callbacks.calls.len();
        check(calls == listed, "callbacks of sessions", listed)?;
        let flights = core.callbacks.flights.len();
        check(flights == sent, "calls on the wire by slots", sent)?;
        let by_conn = open.iter().filter_map(|conn| core.connections.get(*conn));
        let by_conn: usize = by_conn.map(|connection| connection.flights.len()).sum();
        check(
            flights == by_conn,
            "calls on the wire by connections",
            by_conn,
        )?;
        for (key, flight) in core.callbacks.flights.entries() {
            let connection = core.connections.get(flight.conn);
            let knows = connection.is_some_and(|found| found.flights.contains(&key));
            check(knows, "sent by a connection that does not know", key)?;
            let Path::Slot { session, slot } = flight.path else {
                continue;
            };
            let session = core.sessions.get(session);
            let seat = session.and_then(|session| session.back.seats().get(slot as usize));
            let seat = seat.ok_or_else(|| format!("sent on no slot: {key:?}"))?;
            check(seat.flights.contains(&key), "sent on another slot", key)?;
            let call = seat.call.and_then(|call| core.callbacks.calls.get(call));
            let waited_for = call.is_some_and(|call| matches!(call.phase, CallPhase::Sent { .. }))
                && seat.flights.last() == Some(&key);
            check(flight.overdue != waited_for, "the wait for its answer", key)?;
        }
        Ok(())
    }

    /// Callback paths and what they have sent agree; returns how much is on the wire by them.
    fn check_paths(&self) -> Result<usize, String> {
        let core = &self.runner.core;
        let mut listed = 0;
        for (key, client) in core.clients.entries() {
            let Some(path) = &client.path else {
                continue;
            };
            for call in path.calls() {
                listed += 1;
                let call = core.callbacks.path_calls.get(call);
                check(
                    call.is_some_and(|call| call.client == key),
                    "by no path",
                    key,
                )?;
            }
            if let Some(conn) = path.conn() {
                let connection = core.connections.get(conn);
                let serves = connection.and_then(Connection::serves);
                check(serves == Some(key), "by a connection of another", key)?;
            }
        }
        let calls = core.callbacks.path_calls.len();
        check(calls == listed, "callbacks of paths", listed)?;
        let mut sent = 0;
        for (key, flight) in core.callbacks.flights.entries() {
            let Path::Dialled { client, call } = flight.path else {
                continue;
            };
            sent += 1;
            let path = core.path(client);
            let conn = path.and_then(CallbackPath::conn);
            check(conn == Some(flight.conn), "sent by another connection", key)?;
            let known = call.is_none_or(|call| core.callbacks.path_calls.get(call).is_some());
            check(known, "sent for no callback", key)?;
        }
        Ok(sent)
    }

    fn check_call(&self, key: CallKey, call: &Call) -> Result<(), String> {
        let session = self.runner.core.sessions.get(call.session);
        let session = session.ok_or_else(|| format!("called by no session: {key:?}"))?;
        check(session.client == call.client, "called for another", key)?;
        let place = match call.phase.slot() {
            Some(slot) => session.back.seats().get(slot as usize),
            None => {
                let mut queue = session.back.queue().iter();
                return check(queue.any(|other| *other == key), "in no queue", key);
            }
        };
        let has = place.is_some_and(|seat| seat.call == Some(key));
        check(has, "not on its slot", key)
    }
}
