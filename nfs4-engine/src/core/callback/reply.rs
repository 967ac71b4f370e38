//! What follows from a client's answer to a callback.

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::callback::answer::{self, Answer, Asked, HeldAttrs};
use crate::callback::flight::{Flight, Path};
use crate::callback::slot::{Next, Said};
use crate::callback::{CallbackEnd, CallbackFailed, Phase};
use crate::core::Core;
use crate::event::BackChannelLost;
use crate::ids::ConnId;
use crate::input::{CallbackOutcome, CallbackReply};
use crate::keys::{CallKey, SessionKey};
use crate::time::{Mono, Now};

/// The slot that an answer is about.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) session: SessionKey,
    pub(crate) slot: u32,
}

impl Core {
    /// Takes an answer in. One that nothing waits for any more still settles its slot's seqid.
    pub(crate) fn callback_reply(&mut self, reply: CallbackReply, now: Now, out: &mut Outbox) {
        let found = self.callbacks.flights.find(reply.conn, reply.xid);
        let Some(flight) = found.and_then(|key| self.land(key)) else {
            out.metrics.stray_callback_reply();
            return;
        };
        if flight.overdue {
            out.metrics.stray_callback_reply();
        }
        let place = match flight.path {
            Path::Slot { session, slot } => Place { session, slot },
            Path::Dialled { client, call } => {
                if call.is_some() {
                    out.metrics.callback_took(now.mono.since(flight.sent));
                }
                self.path_answered(client, flight.conn, call, &reply.outcome, now, out);
                return;
            }
        };
        out.metrics.callback_took(now.mono.since(flight.sent));
        let answer = match &reply.outcome {
            CallbackOutcome::Answered(results) => {
                let Some(asked) = self.asked(place) else {
                    return;
                };
                answer::read(results, &asked)
            }
            // The client's RPC layer does not take callbacks there.
            CallbackOutcome::Refused(_) => Answer::BadConnection,
        };
        self.answered(place, &flight, answer, now, out);
    }

    fn asked(&self, place: Place) -> Option<Asked> {
        let session = self.sessions.get(place.session)?;
        let seat = session.back.seats().get(place.slot as usize)?;
        let call = seat.call.and_then(|call| self.callbacks.calls.get(call));
        Some(Asked {
            session: session.id,
            slot: place.slot,
            seqid: seat.slot.seqid(),
            op: call.map(|call| call.op.op()),
        })
    }

    fn answered(
        &mut self,
        place: Place,
        flight: &Flight,
        answer: Answer,
        now: Now,
        out: &mut Outbox,
    ) {
        match answer {
            Answer::Executed {
                status,
                attrs,
                target,
            } => {
                self.heard_from(place.session, flight.conn, now);
                self.steer_back(place, target);
                self.executed(place, status, attrs, now, out);
            }
            Answer::FalseRetry => self.taken_for_another(place, now, out),
            // What was sent since, or will be, is more to the point.
            Answer::Delayed
            | Answer::Misordered
            | Answer::BadSlot
            | Answer::BadSession
            | Answer::BadConnection
            | Answer::Refused
            | Answer::Garbled
                if flight.overdue => {}
            Answer::Delayed => self.delayed(place, now, out),
            Answer::Misordered => self.misordered(place, now, out),
            Answer::BadSlot => self.no_such_slot(place, now, out),
            Answer::BadSession => self.back_channel_is_faulty(place.session, now, out),
            Answer::BadConnection => {
                let (session, slot) = (place.session, place.slot);
                let why = BackChannelLost::Refused;
                self.leave_back_channel(session, flight.conn, why, out);
                self.send_elsewhere(session, slot, CallbackFailed::Refused, now, out);
            }
            Answer::Refused => {
                let (session, slot) = (place.session, place.slot);
                if let Some(seat) = self.seat_mut(session, slot) {
                    seat.slot.answered(Said::Refused);
                }
                self.end_on_slot(session, slot, CallbackFailed::Refused, now, out);
            }
            Answer::Garbled => {
                let why = BackChannelLost::Garbled;
                self.leave_back_channel(place.session, flight.conn, why, out);
                self.nobody_knows(place.session, place.slot, now, out);
            }
        }
    }

    /// The callback of a slot was executed, which renews the lease and frees the slot.
    fn executed(
        &mut self,
        place: Place,
        status: Status,
        attrs: Option<HeldAttrs>,
        now: Now,
        out: &mut Outbox,
    ) {
        if let Some(call) = self.settle(place, Said::Executed) {
            self.end_callback(call, CallbackEnd::Done { status, attrs }, now, out);
        }
        self.pump(place.session, now, out);
    }

    /// The client has executed something else under the seqid of a callback, or does not recognise
    /// it: either way the seqid is used.
    fn taken_for_another(&mut self, place: Place, now: Now, out: &mut Outbox) {
        let call = self.settle(place, Said::Executed);
        if let Some(key) = call
            && let Some(call) = self.callbacks.calls.get(key)
        {
            // Sent once, it cannot be what the client has executed before.
            if call.repeats > 1 {
                let status = answer::unseen(Some(call.op.op()));
                let attrs = None;
                self.end_callback(key, CallbackEnd::Done { status, attrs }, now, out);
            } else if self.pause(call.attempts).is_some() {
                self.queue_again(key, place.session);
            } else {
                let end = CallbackEnd::Failed(CallbackFailed::Refused);
                self.end_callback(key, end, now, out);
            }
        }
        self.pump(place.session, now, out);
    }

    /// Not now: the same comes again, under the same seqid.
    fn delayed(&mut self, place: Place, now: Now, out: &mut Outbox) {
        let Some(call) = self.seat_mut(place.session, place.slot).and_then(|seat| {
            seat.slot.answered(Said::Delayed);
            seat.call
        }) else {
            return;
        };
        let attempts = self
            .callbacks
            .calls
            .get(call)
            .map_or(0, |call| call.attempts);
        match self.pause(attempts) {
            Some(pause) => self.wait(call, place.slot, now.mono.after(pause)),
            None => {
                let (status, attrs) = (Status::DELAY, None);
                self.free_slot(place.session, place.slot);
                self.end_callback(call, CallbackEnd::Done { status, attrs }, now, out);
                self.pump(place.session, now, out);
            }
        }
    }

    fn misordered(&mut self, place: Place, now: Now, out: &mut Outbox) {
        let Some(seat) = self.seat_mut(place.session, place.slot) else {
            return;
        };
        match (seat.slot.answered(Said::Misordered), seat.call) {
            (Next::Fault, _) => self.back_channel_is_faulty(place.session, now, out),
            (Next::Again, Some(call)) => {
                self.frame(call, place.slot);
                self.send_callback(call, now, out);
            }
            (Next::Again | Next::Over, _) => {}
        }
    }

    /// The client has fewer slots than it once said.
    fn no_such_slot(&mut self, place: Place, now: Now, out: &mut Outbox) {
        if place.slot == 0 {
            self.back_channel_is_faulty(place.session, now, out);
            return;
        }
        if let Some(session) = self.sessions.get_mut(place.session) {
            session.back.forbid_from(place.slot);
        }
        if let Some(call) = self.settle(place, Said::Refused) {
            let attempts = self
                .callbacks
                .calls
                .get(call)
                .map_or(0, |call| call.attempts);
            if self.pause(attempts).is_some() {
                self.queue_again(call, place.session);
            } else {
                let end = CallbackEnd::Failed(CallbackFailed::Refused);
                self.end_callback(call, end, now, out);
            }
        }
        self.pump(place.session, now, out);
    }

    /// Ends the callback of a slot as far as the slot goes: what else of it is on the wire does not
    /// matter any more, unless the slot is lost with it.
    fn settle(&mut self, place: Place, said: Said) -> Option<CallKey> {
        let seat = self.seat_mut(place.session, place.slot)?;
        seat.slot.answered(said);
        let call = seat.call.take();
        if seat.slot.is_free() {
            self.forget_flights(place.session, place.slot);
        }
        call
    }

    /// Sends a callback on its slot when some time has passed.
    pub(crate) fn wait(&mut self, key: CallKey, slot: u32, until: Mono) {
        if let Some(call) = self.callbacks.calls.get_mut(key) {
            call.phase = Phase::Waiting { slot };
            call.at = until;
        }
        self.look_again(key);
    }

    /// Puts a callback that has no slot any more back into the queue.
    fn queue_again(&mut self, key: CallKey, session: SessionKey) {
        let Some(call) = self.callbacks.calls.get_mut(key) else {
            return;
        };
        call.phase = Phase::Queued;
        call.at = call.until;
        if let Some(session) = self.sessions.get_mut(session) {
            session.back.queue_mut().push_front(key);
        }
        self.look_again(key);
    }

    /// A client that answers is there, and so is the connection that it answers by.
    fn heard_from(&mut self, key: SessionKey, conn: ConnId, now: Now) {
        let client = self.sessions.get(key).map(|session| session.client);
        // What has expired does not come back to life.
        let expired = client.is_none_or(|client| self.is_expired(client, now.mono));
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if !expired {
            session.last_used = now.mono;
        }
        session.back.failing = false;
        if let Some(binding) = session.bindings.find_mut(conn) {
            binding.last_activity = now;
        }
    }

    fn steer_back(&mut self, place: Place, target: u32) {
        if let Some(session) = self.sessions.get_mut(place.session) {
            let seat = session.back.seats().get(place.slot as usize);
            let told = seat.map_or(0, |seat| seat.told);
            session.back.steer(told, target);
        }
    }
}
