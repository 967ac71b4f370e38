//! Callbacks that take long are reported.

use alloc::string::String;

use nfs4_proto::nfs4::opnum::CbOp;

use crate::action::Outbox;
use crate::callback::{Call, CallbackEnd, CallbackFailed, PathCall};
use crate::core::Core;
use crate::event::Event;
use crate::ids::ConnId;
use crate::keys::{CallKey, ClientKey, PartyKey, PathCallKey, SessionKey};
use crate::slow::{SlowCallback, SlowCallbackEnd};
use crate::slow_log::{Reported, Slow, Waiting};
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Sees to it that a search for what takes long begins in time, now that one thing more waits.
    #[inline]
    pub(crate) fn arm_slow(&mut self, now: Mono) {
        if !self.slow.armed {
            self.search_slow_at(now.after(self.slow.threshold));
        }
    }

    /// The next step of the search for what takes long is then.
    pub(crate) fn search_slow_at(&mut self, at: Mono) {
        self.slow.armed = true;
        self.slow.next = at;
        self.set_timer(at, Due::Slow);
    }

    /// The time from which something is slow may have changed.
    pub(super) fn slow_changed(&mut self, now: Mono) {
        let was_off = self.slow.is_off();
        if !self.slow.change(self.config.slow_request) {
            return;
        }
        if !was_off {
            self.timers.cancel(self.slow.next, Due::Slow);
        }
        if !self.slow.is_off() {
            // It finds what waits already, and ends if there is nothing.
            self.search_slow_at(now);
        }
    }

    /// Reports callbacks of sessions that take long and were not reported since they were sent last. Walks
    /// over a few.
    pub(crate) fn report_slow_calls(&mut self, out: &mut Outbox) {
        let (slow, calls) = (&mut self.slow, &self.callbacks.calls);
        let since = |call: &Call| call.slowness.since(call.attempts);
        let (now, threshold) = (out.now.mono, slow.threshold);
        let found = slow
            .search
            .walk(Waiting::Calls, calls, threshold, now, since);
        for key in found {
            self.report_slow_call(key, out);
        }
    }

    /// The same for callbacks of minor version 0.
    pub(crate) fn report_slow_path_calls(&mut self, out: &mut Outbox) {
        let (slow, calls) = (&mut self.slow, &self.callbacks.path_calls);
        let since = |call: &PathCall| call.slowness.since(call.attempts);
        let (now, threshold) = (out.now.mono, slow.threshold);
        let found = slow
            .search
            .walk(Waiting::PathCalls, calls, threshold, now, since);
        for key in found {
            self.report_slow_path_call(key, out);
        }
    }

    /// A callback has ended; if it was reported as slow, so is its end.
    pub(crate) fn slow_call_ended(&mut self, call: &Call, end: CallbackEnd, out: &mut Outbox) {
        if call.slowness.was_reported() {
            let of = Of::call(call, None);
            self.tell_slow_callback(of, Some(end), out);
        }
    }

    /// The same of a callback of minor version 0.
    pub(crate) fn slow_path_call_ended(
        &mut self,
        call: &PathCall,
        end: CallbackEnd,
        out: &mut Outbox,
    ) {
        if call.slowness.was_reported() {
            let conn = self.path(call.client).and_then(|path| path.conn());
            self.tell_slow_callback(Of::path_call(call, conn), Some(end), out);
        }
    }

    fn report_slow_call(&mut self, key: CallKey, out: &mut Outbox) {
        let Some(call) = self.callbacks.calls.get(key) else {
            return;
        };
        let of = Of::call(call, self.carrier_of(call));
        let host = self.host_of_client(of.client);
        let reported = self.slow.admits(Slow::Callback, host, out.now.mono);
        if let Some(call) = self.callbacks.calls.get_mut(key) {
            call.slowness.note(call.attempts, reported);
        }
        if reported == Reported::Yes {
            self.tell_slow_callback(of, None, out);
        }
    }

    fn report_slow_path_call(&mut self, key: PathCallKey, out: &mut Outbox) {
        let Some(call) = self.callbacks.path_calls.get(key) else {
            return;
        };
        let conn = self.path(call.client).and_then(|path| path.conn());
        let of = Of::path_call(call, conn);
        let host = self.host_of_client(of.client);
        let reported = self.slow.admits(Slow::Callback, host, out.now.mono);
        if let Some(call) = self.callbacks.path_calls.get_mut(key) {
            call.slowness.note(call.attempts, reported);
        }
        if reported == Reported::Yes {
            self.tell_slow_callback(of, None, out);
        }
    }

    fn tell_slow_callback(&mut self, of: Of, end: Option<CallbackEnd>, out: &mut Outbox) {
        let client = self.clients.get(of.client);
        let address = client.and_then(|client| client.about.address.as_deref());
        let session = of.session.and_then(|key| self.sessions.get(key));
        out.event(Event::SlowCallback(SlowCallback {
            client: client.map_or(0, |client| client.id),
            peer: address.map_or_else(String::new, String::from),
            session: session.map(|session| session.id),
            conn: of.conn,
            op: of.op,
            attempts: of.attempts,
            took: out.now.mono.since(of.since),
            ended: end.map(ended_as),
        }));
    }

    /// The connection that a callback was sent on last.
    fn carrier_of(&self, call: &Call) -> Option<ConnId> {
        let slot = call.phase.slot()?;
        let seats = self.sessions.get(call.session)?.back.seats();
        let flight = *seats.get(slot as usize)?.flights.last()?;
        Some(self.callbacks.flights.get(flight)?.conn)
    }

    fn host_of_client(&self, client: ClientKey) -> Option<PartyKey> {
        Some(self.clients.get(client)?.peer.host)
    }
}

/// What the report of a callback needs of it.
struct Of {
    client: ClientKey,
    session: Option<SessionKey>,
    conn: Option<ConnId>,
    op: CbOp,
    attempts: u32,
    since: Mono,
}

impl Of {
    fn call(call: &Call, conn: Option<ConnId>) -> Of {
        Of {
            client: call.client,
            session: Some(call.session),
            conn,
            op: call.op.op(),
            attempts: call.attempts,
            since: call.slowness.accepted(),
        }
    }

    fn path_call(call: &PathCall, conn: Option<ConnId>) -> Of {
        Of {
            client: call.client,
            session: None,
            conn,
            op: call.op.op(),
            attempts: call.attempts,
            since: call.slowness.accepted(),
        }
    }
}

fn ended_as(end: CallbackEnd) -> SlowCallbackEnd {
    match end {
        CallbackEnd::Done { .. } => SlowCallbackEnd::Answered,
        CallbackEnd::Failed(CallbackFailed::NoPath) => SlowCallbackEnd::NoPath,
        CallbackEnd::Failed(CallbackFailed::TimedOut) => SlowCallbackEnd::TimedOut,
        CallbackEnd::Failed(CallbackFailed::Refused) => SlowCallbackEnd::Refused,
        CallbackEnd::Failed(CallbackFailed::Cancelled) => SlowCallbackEnd::Cancelled,
    }
}
