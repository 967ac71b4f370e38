//! Sending a callback that has a slot, by a connection of its session.

use core::time::Duration;

use nfs4_proto::rpc::CB_COMPOUND;

use crate::action::Outbox;
use crate::callback::flight::{Flight, Path, xid_of};
use crate::callback::{CallPhase, CallbackFailed, encode};
use crate::core::Core;
use crate::ids::ConnId;
use crate::keys::{CallKey, FlightKey, SessionKey};

impl Core {
    /// Sends a callback, by a connection that it is not under way on already; if there is none, it
    /// waits until the client has bound one. [RFC 8881 §2.10.6.2]
    pub(crate) fn send_callback(&mut self, key: CallKey, out: &mut Outbox) {
        let now = out.now;
        let Some(call) = self.callbacks.calls.get(key) else {
            return;
        };
        let (session, Some(slot)) = (call.session, call.phase.slot()) else {
            return;
        };
        let under_way = |conn| self.is_under_way(session, slot, conn);
        let conn = self.back_connection(session, under_way);
        let Some(conn) = conn.filter(|_| !self.callbacks.flights.is_full()) else {
            if let Some(call) = self.callbacks.calls.get_mut(key) {
                call.phase = CallPhase::Parked { slot };
                call.at = call.until;
            }
            self.next_check(key);
            return;
        };
        let Some(found) = self.sessions.get(session) else {
            return;
        };
        let path = Path::Slot { session, slot };
        let flight = self.callbacks.flights.insert(Flight {
            conn,
            path,
            sent: now.mono,
            overdue: false,
        });
        let (back, xid) = (&found.back, xid_of(flight));
        let head = encode::head(
            xid,
            back.program(),
            CB_COMPOUND,
            back.credential(),
            call.body.len(),
        );
        let fits = head.len() - 4 + call.body.len() <= back.max_request() as usize;
        if !fits {
            self.callbacks.flights.remove(flight);
            self.end_on_slot(session, slot, CallbackFailed::Refused, out);
            return;
        }
        out.callback(conn, xid, &head, &call.body);
        out.metrics.callback_sent(call.attempts > 0);
        if let Some(call) = self.callbacks.calls.get_mut(key) {
            call.phase = CallPhase::Sent { slot };
            call.attempts += 1;
            call.repeats += 1;
            call.at = now.mono.after(self.config.callback_timeout);
        }
        if let Some(seat) = self.seat_mut(session, slot) {
            seat.flights.push(flight);
        }
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.flights.push(flight);
        }
        self.next_check(key);
    }

    /// A connection by which callbacks of this session can leave: of those that are not `without`,
    /// the one that was used last.
    pub(crate) fn back_connection(
        &self,
        key: SessionKey,
        without: impl Fn(ConnId) -> bool,
    ) -> Option<ConnId> {
        let bindings = self.sessions.get(key)?.bindings.iter();
        let usable = bindings.filter(|binding| {
            binding.direction.is_back()
                && !self.connections.is_draining(binding.conn)
                && !without(binding.conn)
        });
        // Of equals the last one bound.
        usable
            .max_by_key(|binding| binding.last_activity.mono)
            .map(|binding| binding.conn)
    }

    fn is_under_way(&self, session: SessionKey, slot: u32, conn: ConnId) -> bool {
        let session = self.sessions.get(session);
        let seat = session.and_then(|session| session.back.seats().get(slot as usize));
        let mut flights = seat.into_iter().flat_map(|seat| &seat.flights);
        flights.any(|flight| {
            let flight = self.callbacks.flights.get(*flight);
            flight.is_some_and(|flight| flight.conn == conn)
        })
    }

    /// How long to wait before sending number `attempts` plus one, longer each time; none if there
    /// is not to be one.
    pub(crate) fn pause(&self, attempts: u32) -> Option<Duration> {
        let pause = self.config.callback_pause.saturating_mul(attempts.max(1));
        (attempts < ATTEMPTS).then_some(pause)
    }

    /// Takes a call off the wire: out of all tables.
    pub(crate) fn land(&mut self, key: FlightKey) -> Option<Flight> {
        let flight = self.callbacks.flights.remove(key)?;
        if let Some(connection) = self.connections.get_mut(flight.conn) {
            connection.flights.retain(|other| *other != key);
        }
        if let Path::Slot { session, slot } = flight.path
            && let Some(seat) = self.seat_mut(session, slot)
        {
            seat.flights.retain(|other| *other != key);
        }
        Some(flight)
    }

    pub(crate) fn seat_mut(
        &mut self,
        session: SessionKey,
        slot: u32,
    ) -> Option<&mut crate::callback::channel::SlotInUse> {
        self.sessions.get_mut(session)?.back.seat_mut(slot)
    }
}

/// Maximum number of times that a callback is sent.
const ATTEMPTS: u32 = 3;
