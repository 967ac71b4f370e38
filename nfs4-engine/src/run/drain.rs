//! Draining: a connection takes no new work, finishes what it has, and is closed.

use crate::action::{Action, Outbox};
use crate::ids::ConnId;
use crate::run::Runner;
use crate::time::Now;
use crate::timer::Due;

impl Runner {
    /// Lets a connection finish what it has begun and then closes it, at the latest when
    /// [`Config::drain_deadline`](crate::Config::drain_deadline) has passed.
    pub(crate) fn drain(&mut self, now: Now, conn: ConnId, out: &mut Outbox) {
        let waiting = self.parked.iter().filter(|run| run.conn == conn).count();
        let deadline = now.mono.after(self.core.config.drain_deadline);
        let connections = &mut self.core.connections;
        if !connections.start_draining(conn, waiting, deadline) {
            return;
        }
        if waiting == 0 {
            out.push(Action::Close { conn });
            return;
        }
        self.core.remind(deadline, Due::Drain(conn));
    }

    /// Lets a connection take new work again, callbacks too.
    pub(crate) fn stop_draining(&mut self, now: Now, conn: ConnId, out: &mut Outbox) {
        self.core.connections.stop_draining(conn);
        let connection = self.core.connections.get(conn);
        let sessions = connection.map(|connection| connection.sessions.clone());
        for session in sessions.into_iter().flatten() {
            self.core.resume_callbacks(session, now, out);
        }
    }
}
