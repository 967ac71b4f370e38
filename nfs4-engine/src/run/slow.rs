//! The search for what takes long, and the report of requests that do.

use alloc::string::String;
use core::time::Duration;

use crate::action::Outbox;
use crate::compound::Compound;
use crate::compound::wait::Wait;
use crate::core::Core;
use crate::event::Event;
use crate::keys::{ClientKey, CompoundKey};
use crate::run::Runner;
use crate::slow::SlowRequest;
use crate::slow_log::{PAUSE, Reported, Search, Slow, Waiting};
use crate::time::Mono;

impl Runner {
    /// Looks at a few of all that wait, and sets the timer for the next ones.
    pub(crate) fn on_slow_timer(&mut self, out: &mut Outbox) {
        let now = out.now.mono;
        self.report_slow_requests(out);
        self.core.report_slow_calls(out);
        self.core.report_slow_path_calls(out);
        if let Some(event) = self.core.slow.summary(now) {
            out.event(event);
        }
        let (core, slow) = (&self.core, &self.core.slow);
        let next = if slow.search.is_done() {
            let calls = core.callbacks.calls.len() + core.callbacks.path_calls.len();
            let waits = self.parked.len() + calls > 0 || slow.owes_summary();
            let next = waits.then(|| slow.next_search(now));
            self.core.slow.search = Search::new();
            next
        } else {
            Some(now.after(PAUSE))
        };
        match next {
            Some(next) => self.core.search_slow_at(next),
            None => self.core.slow.armed = false,
        }
    }

    fn report_slow_requests(&mut self, out: &mut Outbox) {
        let (now, slow) = (out.now.mono, &mut self.core.slow);
        let (parked, threshold) = (&self.parked, slow.threshold);
        let found = slow
            .search
            .walk(Waiting::Compounds, parked, threshold, now, |run| {
                run.unreported_since()
            });
        for key in found {
            self.report_waiting(key, now, out);
        }
    }

    fn report_waiting(&mut self, key: CompoundKey, now: Mono, out: &mut Outbox) {
        let Some(run) = self.parked.get_mut(key) else {
            return;
        };
        let host = self.core.peer_of(run).map(|peer| peer.host);
        run.reported = self.core.slow.admits(Slow::Request, host, now);
        if run.reported == Reported::Yes {
            let wait = run.waits(now);
            self.core.tell_slow_request(run, wait, false, out);
        }
    }
}

impl Core {
    /// A request that has waited is about to be answered.
    #[inline]
    pub(crate) fn slow_request_ends(&mut self, run: &Compound, out: &mut Outbox) {
        if out.now.mono.nanos_since(run.arrived) >= self.slow.threshold_nanos {
            self.report_answered(run, out);
        }
    }

    #[cold]
    fn report_answered(&mut self, run: &Compound, out: &mut Outbox) {
        let reported = match run.reported {
            Reported::No => {
                let host = self.peer_of(run).map(|peer| peer.host);
                self.slow.admits(Slow::Request, host, out.now.mono)
            }
            // What was reported as waiting is not left without its end.
            Reported::Yes | Reported::Counted => run.reported,
        };
        if reported == Reported::Yes {
            self.tell_slow_request(run, run.longest, true, out);
        }
    }

    fn tell_slow_request(&self, run: &Compound, wait: Wait, answered: bool, out: &mut Outbox) {
        let client = client_of(run).and_then(|key| self.clients.get(key));
        let address = client.and_then(|client| client.about.address.as_deref());
        let connection = self.connections.get(run.conn);
        let peer = connection.map(|found| found.peer.as_str()).or(address);
        out.event(Event::SlowRequest(SlowRequest {
            request: run.id(),
            client: client.map(|client| client.id),
            peer: peer.map_or_else(String::new, String::from),
            op: wait.op,
            waits_for: wait.waits_for,
            waited: Duration::from_nanos(wait.nanos),
            took: out.now.mono.since(run.arrived),
            answered,
        }));
    }
}

fn client_of(run: &Compound) -> Option<ClientKey> {
    let sequenced = run.sequenced.as_ref();
    sequenced.map(|scope| scope.client).or(run.leased_by)
}
