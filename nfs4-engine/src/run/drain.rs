//! Draining: a connection gets no new work, finishes what it has begun, and is closed.

use alloc::vec::Vec;

use crate::action::{Action, Outbox};
use crate::ids::ConnId;
use crate::run::Runner;
use crate::state::table::WALKED_AT_ONCE;
use crate::timer::Due;

impl Runner {
    /// Lets a connection finish what it has begun and then closes it, at the latest after
    /// [`Config::drain_deadline`](crate::Config::drain_deadline).
    pub(crate) fn drain(&mut self, conn: ConnId, out: &mut Outbox) {
        let now = out.now;
        let deadline = now.mono.after(self.core.config.drain_deadline);
        if !self.core.connections.start_draining(conn, deadline) {
            return;
        }
        self.core.set_timer(deadline, Due::Drain(conn));
        if !self.count_waiting_compounds(conn, &mut { WALKED_AT_ONCE }, out) {
            self.core.set_timer(now.mono, Due::Drain(conn));
        }
    }

    /// Checks a draining connection: whether its time is over, and which requests it waits for; `false`
    /// if there was more to do than `budget` allows.
    pub(crate) fn on_drain_timer(
        &mut self,
        conn: ConnId,
        budget: &mut usize,
        out: &mut Outbox,
    ) -> bool {
        if self.core.connections.is_drain_over(conn, out.now.mono) {
            out.push(Action::Close { conn });
            return true;
        }
        self.count_waiting_compounds(conn, budget, out)
    }

    /// Searches on for the requests that a draining connection waits for, over `budget` places of the
    /// parked COMPOUNDs, which can be those of all peers. `true` once all are found; if there is none, the
    /// connection is closed. A request that is parked meanwhile
    /// counts itself.
    fn count_waiting_compounds(
        &mut self,
        conn: ConnId,
        budget: &mut usize,
        out: &mut Outbox,
    ) -> bool {
        let Some(from) = self.core.connections.search_from(conn) else {
            return true;
        };
        let mut found = Vec::new();
        let mut next = None;
        for (key, run) in self.parked.places_from(from) {
            if *budget == 0 {
                next = Some(key.index);
                break;
            }
            *budget -= 1;
            if run.is_some_and(|run| run.conn == conn) {
                found.push(key);
            }
        }
        for key in found {
            if let Some(run) = self.parked.get_mut(key) {
                self.core.connections.wait_for(conn, &mut run.awaited);
            }
        }
        if self.core.connections.continue_search_from(conn, next) {
            out.push(Action::Close { conn });
        }
        next.is_none()
    }

    /// Lets a connection take new work again, callbacks too.
    pub(crate) fn stop_draining(&mut self, conn: ConnId, out: &mut Outbox) {
        self.core.connections.stop_draining(conn);
        let connection = self.core.connections.get(conn);
        let sessions = connection.map(|connection| connection.sessions.clone());
        for session in sessions.into_iter().flatten() {
            self.core.resume_callbacks(session, out);
        }
    }
}
