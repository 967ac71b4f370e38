//! Callbacks that fail: no answer, no connection, no session.

use alloc::vec::Vec;

use crate::action::{Action, Outbox};
use crate::callback::channel::Cleared;
use crate::callback::flight::Path;
use crate::callback::{CallPhase, CallbackEnd, CallbackFailed};
use crate::core::Core;
use crate::direction::Direction;
use crate::event::{BackChannelLost, Event, Unbound};
use crate::ids::ConnId;
use crate::keys::{CallKey, FlightKey, SessionKey};

impl Core {
    /// A callback is not answered in time: its connection carries no more callbacks.
    pub(crate) fn on_overdue_answer(
        &mut self,
        session: SessionKey,
        slot: u32,
        call: CallKey,
        out: &mut Outbox,
    ) {
        let flights = self.seat_mut(session, slot).map(|seat| &seat.flights);
        let last = flights.and_then(|flights| flights.last().copied());
        let conn = last.and_then(|key| {
            let flight = self.callbacks.flights.get_mut(key)?;
            flight.overdue = true;
            Some(flight.conn)
        });
        if let Some(conn) = conn {
            let why = BackChannelLost::Silent;
            self.leave_back_channel(session, conn, why, out);
        }
        let call = self.callbacks.calls.get(call);
        debug_assert!(call.is_some(), "it was just looked at");
        if call.is_some_and(|call| call.purpose.is_probe()) {
            self.end_on_slot(session, slot, CallbackFailed::TimedOut, out);
        } else {
            self.on_unknown_outcome(session, slot, out);
        }
    }

    /// The callback of a slot may have been executed: only the same callback may be sent on that slot,
    /// after a while.
    pub(crate) fn on_unknown_outcome(&mut self, session: SessionKey, slot: u32, out: &mut Outbox) {
        let Some(seat) = self.seat_mut(session, slot) else {
            return;
        };
        seat.slot.lost();
        let Some(call) = seat.call else {
            return;
        };
        let attempts = self
            .callbacks
            .calls
            .get(call)
            .map_or(0, |call| call.attempts);
        match self.pause(attempts) {
            Some(pause) => self.wait(call, slot, out.now.mono.after(pause)),
            None => self.end_on_slot(session, slot, CallbackFailed::TimedOut, out),
        }
    }

    /// The callback of a slot must be sent by another connection, at once if there is one.
    pub(crate) fn send_elsewhere(
        &mut self,
        session: SessionKey,
        slot: u32,
        failed: CallbackFailed,
        out: &mut Outbox,
    ) {
        let Some(call) = self.seat_mut(session, slot).and_then(|seat| seat.call) else {
            return;
        };
        let attempts = self
            .callbacks
            .calls
            .get(call)
            .map_or(0, |call| call.attempts);
        if self.pause(attempts).is_none() {
            self.end_on_slot(session, slot, failed, out);
            return;
        }
        if let Some(call) = self.callbacks.calls.get_mut(call) {
            call.phase = CallPhase::Waiting { slot };
        }
        self.send_callback(call, out);
    }

    /// A connection is closed: what was sent by it may have arrived or not.
    pub(crate) fn lose_flights(&mut self, flights: Vec<FlightKey>, out: &mut Outbox) {
        for key in flights {
            let Some(flight) = self.land(key) else {
                continue;
            };
            let Path::Slot { session, slot } = flight.path else {
                continue;
            };
            if flight.overdue {
                continue;
            }
            if let Some(session) = self.sessions.get_mut(session) {
                session.back.failing = true;
            }
            if let Some(seat) = self.seat_mut(session, slot) {
                seat.slot.lost();
            }
            self.send_elsewhere(session, slot, CallbackFailed::NoPath, out);
        }
    }

    /// No connection has come for a callback that waits for one.
    pub(crate) fn give_up(&mut self, session: SessionKey, slot: u32, out: &mut Outbox) {
        self.end_on_slot(session, slot, CallbackFailed::NoPath, out);
    }

    /// No slot has become free for a callback that waits for one, or no connection.
    pub(crate) fn leave_queue(&mut self, key: CallKey, out: &mut Outbox) {
        let Some(session) = self.callbacks.calls.get(key).map(|call| call.session) else {
            return;
        };
        if let Some(session) = self.sessions.get_mut(session) {
            session.back.queue_mut().retain(|other| *other != key);
        }
        let end = CallbackEnd::Failed(CallbackFailed::NoPath);
        self.end_callback(key, end, out);
    }

    /// Ends the callback of a slot with an unknown outcome; others that wait continue.
    pub(crate) fn end_on_slot(
        &mut self,
        session: SessionKey,
        slot: u32,
        failed: CallbackFailed,
        out: &mut Outbox,
    ) {
        if let Some(call) = self.free_slot(session, slot) {
            self.end_callback(call, CallbackEnd::Failed(failed), out);
        }
        self.pump(session, out);
    }

    /// Takes a callback off its slot; that is free then, or its seqid is lost.
    pub(crate) fn free_slot(&mut self, session: SessionKey, slot: u32) -> Option<CallKey> {
        let seat = self.seat_mut(session, slot)?;
        seat.slot.give_up();
        let call = seat.call.take();
        if seat.slot.is_free() {
            self.forget_flights(session, slot);
        }
        call
    }

    /// Takes all that was sent on a slot off the wire.
    pub(crate) fn forget_flights(&mut self, session: SessionKey, slot: u32) {
        let flights = self
            .seat_mut(session, slot)
            .map(|seat| core::mem::take(&mut seat.flights));
        for flight in flights.into_iter().flatten() {
            self.land(flight);
        }
    }

    /// A connection does not serve the backchannel of a session any more; if it served nothing
    /// else, it is closed.
    pub(crate) fn leave_back_channel(
        &mut self,
        key: SessionKey,
        conn: ConnId,
        why: BackChannelLost,
        out: &mut Outbox,
    ) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let id = session.id;
        session.back.failing = true;
        let Some(binding) = session.bindings.find_mut(conn) else {
            return;
        };
        match binding.direction {
            Direction::Fore => return,
            Direction::Both => {
                binding.direction = Direction::Fore;
                self.connections
                    .redirect(conn, Direction::Both, Direction::Fore);
            }
            Direction::Back => {
                self.unbind(key, conn, Unbound::Reaper, out);
                let connection = self.connections.get(conn);
                if connection.is_some_and(|connection| connection.sessions.is_empty()) {
                    out.push(Action::Close { conn });
                }
            }
        }
        out.event(Event::BackChannelLost {
            session: id,
            conn,
            why,
        });
    }

    /// This session carries no more callbacks: only another session can.
    pub(crate) fn on_faulty_backchannel(&mut self, key: SessionKey, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        session.back.faulty = true;
        out.event(Event::BackChannelFaulty {
            session: session.id,
        });
        let cleared = session.back.clear();
        for call in self.take_off(cleared) {
            let Some(found) = self.callbacks.calls.get(call) else {
                continue;
            };
            // What was never sent can as well be sent by another session.
            let elsewhere = match found.phase {
                CallPhase::Queued if found.attempts == 0 => {
                    self.channel_for(found.client, None, &found.op).ok()
                }
                CallPhase::Queued
                | CallPhase::Sent { .. }
                | CallPhase::Waiting { .. }
                | CallPhase::Parked { .. } => None,
            };
            match elsewhere {
                Some(session) => self.enqueue(call, session, out),
                None => {
                    let end = CallbackEnd::Failed(CallbackFailed::Refused);
                    self.end_callback(call, end, out);
                }
            }
        }
    }

    /// Ends all callbacks of a session that has gone; nothing waits for an answer.
    pub(crate) fn cancel_callbacks(&mut self, cleared: Cleared, out: &mut Outbox) {
        let calls = self.take_off(cleared);
        self.states.walked += calls.len();
        for call in calls {
            let end = CallbackEnd::Failed(CallbackFailed::Cancelled);
            self.end_callback(call, end, out);
        }
    }

    /// Takes what a backchannel had off the wire.
    fn take_off(&mut self, (seats, queue): Cleared) -> Vec<CallKey> {
        let mut calls = Vec::new();
        for seat in seats {
            for flight in seat.flights {
                self.land(flight);
            }
            calls.extend(seat.call);
        }
        calls.extend(queue);
        calls
    }
}
