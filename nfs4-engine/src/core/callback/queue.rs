//! Which session a callback is sent by, and when.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::SessionId;

use crate::action::Outbox;
use crate::callback::channel::QUEUE;
use crate::callback::encode::{self, Frame};
use crate::callback::{
    BackChannel, Call, CallPhase, CallPurpose, CallbackOp, CallbackPath, CallbackRefused, Promise,
    Slowness,
};
use crate::core::Core;
use crate::keys::{CallKey, ClientKey, SessionKey};
use crate::timer::Due;

impl Core {
    /// Sends a callback to a client, by the hinted session or another one whose backchannel works.
    /// Its end is reported once, to its purpose.
    ///
    /// # Errors
    /// The callback is not taken, and its end is not reported.
    pub(crate) fn send_callback_to(
        &mut self,
        client: ClientKey,
        hint: Option<SessionKey>,
        op: CallbackOp,
        purpose: CallPurpose,
        out: &mut Outbox,
    ) -> Result<(), CallbackRefused> {
        if self.is_expired(client, out.now.mono) {
            return Err(CallbackRefused::NoPath);
        }
        if self.is_dialled(client) {
            let accepted = self.call_by_path(client, op, purpose, out);
            return accepted.inspect_err(|_| out.metrics.callback_failed());
        }
        let session = self.channel_for(client, hint, &op).inspect_err(|_| {
            out.metrics.callback_failed();
        })?;
        let until = out.now.mono.after(self.lease_length(client));
        let call = self.callbacks.calls.insert(Call {
            client,
            session,
            op,
            purpose,
            phase: CallPhase::Queued,
            attempts: 0,
            repeats: 0,
            slowness: Slowness::since_accepted(out.now.mono),
            at: until,
            until,
            body: Box::default(),
        });
        self.arm_slow(out.now.mono);
        self.enqueue(call, session, out);
        Ok(())
    }

    /// Whether callbacks of this kind to this client are known to work: a connection can carry them, and
    /// no failure stands that a later callback, or a later connection, has not put right.
    pub(crate) fn can_call_back(&self, client: ClientKey, kind: Promise) -> bool {
        if self.is_dialled(client) {
            return self.path(client).is_some_and(CallbackPath::is_up);
        }
        let sessions = self.clients.get(client).map(|client| &client.sessions);
        let mut sessions = sessions.into_iter().flatten();
        let carries = |back: &BackChannel| back.carries_all(kind);
        sessions.any(|key| self.has_path(*key, carries) && !self.is_failing(*key))
    }

    /// Whether a client has no session, and is called on a connection that the server makes.
    fn is_dialled(&self, client: ClientKey) -> bool {
        let client = self.clients.get(client);
        client.is_some_and(|client| client.about.minor == 0)
    }

    /// Puts a callback at the end of a session's queue.
    pub(crate) fn enqueue(&mut self, call: CallKey, session: SessionKey, out: &mut Outbox) {
        if let Some(call) = self.callbacks.calls.get_mut(call) {
            call.session = session;
        }
        if let Some(session) = self.sessions.get_mut(session) {
            session.back.queue_mut().push_back(call);
        }
        self.next_check(call);
        self.pump(session, out);
    }

    /// Sends what waits, as far as there are free slots and a connection.
    pub(crate) fn pump(&mut self, key: SessionKey, out: &mut Outbox) {
        if self.back_connection(key, |_| false).is_none() {
            self.requeue_unsent(key, out);
            return;
        }
        while !self.callbacks.flights.is_full() {
            let Some(session) = self.sessions.get_mut(key) else {
                return;
            };
            let Some(call) = session.back.queue().front().copied() else {
                return;
            };
            let Some(slot) = session.back.take_slot(call) else {
                return;
            };
            session.back.queue_mut().pop_front();
            self.frame(call, slot);
            self.send_callback(call, out);
        }
    }

    /// Moves callbacks that were never sent to other sessions of the client, if one has a connection.
    pub(crate) fn requeue_unsent(&mut self, key: SessionKey, out: &mut Outbox) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let unsent: Vec<CallKey> = session.back.queue().iter().copied().collect();
        for call in unsent {
            let Some(found) = self.callbacks.calls.get(call) else {
                continue;
            };
            let other = match found.attempts {
                0 => self.channel_for(found.client, None, &found.op),
                _ => continue,
            };
            if let (Ok(other), Some(session)) = (other, self.sessions.get_mut(key)) {
                session.back.queue_mut().retain(|waiting| *waiting != call);
                self.enqueue(call, other, out);
            }
        }
    }

    /// Continues with what waits for a connection to this session, after the request in execution.
    pub(crate) fn resume_soon(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.back.failing = false;
        }
        self.callbacks.resumed.push(key);
    }

    /// Continues with what requests have made possible.
    pub(crate) fn after_request(&mut self, out: &mut Outbox) {
        while let Some(key) = self.callbacks.resumed.pop() {
            self.resume_callbacks(key, out);
        }
    }

    /// Continues with all that waits for a connection, and with what waits behind it.
    pub(crate) fn resume_callbacks(&mut self, key: SessionKey, out: &mut Outbox) {
        let parked = |core: &Core, slot: usize| {
            let seat = core.sessions.get(key)?.back.seats().get(slot)?;
            let call = seat.call?;
            let phase = core.callbacks.calls.get(call)?.phase;
            matches!(phase, CallPhase::Parked { .. }).then_some(call)
        };
        let seats = self
            .sessions
            .get(key)
            .map_or(0, |session| session.back.seats().len());
        for slot in 0..seats {
            if let Some(call) = parked(self, slot) {
                self.send_callback(call, out);
            }
        }
        self.pump(key, out);
    }

    /// Writes a callback that now has a slot, under the slot's seqid.
    pub(crate) fn frame(&mut self, key: CallKey, slot: u32) {
        let Some(call) = self.callbacks.calls.get(key) else {
            return;
        };
        let referring = self.referring(&call.op);
        let client = self.clients.get(call.client);
        let client = client.map_or(0, |client| client.id);
        let Some(session) = self.sessions.get_mut(call.session) else {
            return;
        };
        let highest = session.back.highest_taken();
        let Some(seat) = session.back.seat_mut(slot) else {
            return;
        };
        seat.highest_sent = highest;
        let frame = Frame {
            session: session.id,
            slot,
            seqid: seat.slot.seqid(),
            highest,
            minor: session.back.minor,
            client,
            referring,
        };
        let body = encode::body(&frame, &call.op);
        if let Some(call) = self.callbacks.calls.get_mut(key) {
            call.body = body;
            call.phase = CallPhase::Waiting { slot };
            call.repeats = 0;
        }
    }

    /// The request that a callback refers to, unless the client has seen its reply: it has if it
    /// has used the slot again. [RFC 8881 §2.10.6.3]
    fn referring(&self, op: &CallbackOp) -> Option<(SessionId, u32, u32)> {
        let CallbackOp::Recall {
            granted: Some(granted),
            ..
        } = op
        else {
            return None;
        };
        let session = self.sessions.get(granted.session)?;
        let last = session.last_seqid(granted.slot);
        (last == Some(granted.seqid)).then_some((session.id, granted.slot, granted.seqid))
    }

    /// The session that a callback is sent by.
    ///
    /// # Errors
    /// No session of the client has a backchannel that works and can carry it, or the queues of all that
    /// have are full.
    pub(crate) fn channel_for(
        &self,
        client: ClientKey,
        hint: Option<SessionKey>,
        op: &CallbackOp,
    ) -> Result<SessionKey, CallbackRefused> {
        let others = match self.clients.get(client) {
            Some(client) if !op.is_of_session() => client.sessions.as_slice(),
            Some(_) | None => &[],
        };
        let len = encode::longest(op);
        let mut full = false;
        let mut failing = None;
        for key in hint.into_iter().chain(others.iter().copied()) {
            let Some(session) = self.sessions.get(key) else {
                continue;
            };
            if !self.has_path(key, |back| back.carries(len)) {
                continue;
            }
            if session.back.queue().len() >= QUEUE {
                full = true;
            } else if !session.back.failing {
                return Ok(key);
            } else {
                failing = failing.or(Some(key));
            }
        }
        match failing {
            Some(key) => Ok(key),
            None if full => Err(CallbackRefused::QueueFull),
            None => Err(CallbackRefused::NoPath),
        }
    }

    fn has_path(&self, key: SessionKey, carries: impl Fn(&BackChannel) -> bool) -> bool {
        let back = self.sessions.get(key).map(|session| &session.back);
        back.is_some_and(|back| carries(back) && !back.has_fault())
            && self.back_connection(key, |_| false).is_some()
    }

    fn is_failing(&self, key: SessionKey) -> bool {
        self.sessions
            .get(key)
            .is_some_and(|session| session.back.failing)
    }

    /// Sets the reminder of a callback anew.
    pub(crate) fn next_check(&mut self, key: CallKey) {
        if let Some(at) = self.callbacks.calls.get(key).map(|call| call.at) {
            self.set_timer(at, Due::Callback(key));
        }
    }

    /// The timer of a callback has expired.
    pub(crate) fn on_callback_timer(&mut self, key: CallKey, out: &mut Outbox) {
        let Some(call) = self.callbacks.calls.get(key) else {
            return;
        };
        // Another timer is set for a later time.
        if call.at > out.now.mono {
            return;
        }
        let session = call.session;
        match call.phase {
            CallPhase::Queued => self.leave_queue(key, out),
            CallPhase::Sent { slot } => self.on_overdue_answer(session, slot, key, out),
            CallPhase::Waiting { .. } => self.send_callback(key, out),
            CallPhase::Parked { slot } => self.give_up(session, slot, out),
        }
    }
}
