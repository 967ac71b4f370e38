//! What must hold after each step, and at the end.

use std::time::Duration;

use nfs4_engine::{ConnId, TableLengths};

use super::callback::Callback;

use super::world::{Pace, Sim};

impl Sim {
    /// All connections close, all leases run out, and courtesy to clients ends: nothing may be left.
    ///
    /// # Panics
    /// If something is.
    #[track_caller]
    pub fn assert_nothing_is_left(&mut self) {
        self.set_pace(Pace::Delayed);
        self.complete_all();
        self.run();
        for conn in self.network.alive() {
            self.kill(conn);
        }
        self.run();
        // Once for what was active now, and once for the timers to find that out.
        let (lease, courtesy) = (self.engine.config().lease, self.engine.config().courtesy);
        self.sleep(2 * lease + courtesy + Duration::from_secs(1));
        let mut but_reminders = self.tables();
        but_reminders.timers = 0;
        assert_eq!(
            but_reminders,
            TableLengths::default(),
            "a table is not empty"
        );
        // A reminder of what has gone stays until it is due.
        self.sleep(lease);
        assert_eq!(
            self.tables(),
            TableLengths::default(),
            "a table is not empty"
        );
        for fs in &self.fs {
            assert_eq!(fs.held(), 0, "files are still held");
            assert!(fs.has_no_locks(), "locks are still counted");
        }
        assert_eq!(self.engine.next_timeout(), None, "a timer is still set");
    }

    /// A callback leaves by a connection that serves the backchannel of its session.
    pub(super) fn check_callback(&self, conn: ConnId, record: &[u8]) {
        let callback = Callback::new(conn, record);
        if callback.is_by_path() {
            assert!(self.is_dialled(conn), "to no connection: {callback:?}");
            return;
        }
        let is_back = self.bound.is_back(callback.sequence().sessionid, conn);
        assert!(
            is_back,
            "not by the back channel of its session: {callback:?}"
        );
    }

    pub(super) fn assert_open(&self, conn: ConnId) {
        let is_open = self.known.contains(&conn);
        assert!(is_open, "an action for {conn}, which is closed");
    }

    /// Holds the tables against what must always be true of them.
    pub(super) fn check(&mut self) {
        if self.stopwatch.is_running() {
            return;
        }
        self.checks += 1;
        let tables = self.tables();
        let long =
            tables.opens + tables.locks + tables.owners + tables.clients + tables.kept_replies
                > LONG_TABLES;
        if long && !self.checks.is_multiple_of(SELDOM) {
            return;
        }
        let holds = self.engine.check_invariants(&self.known);
        assert_eq!(holds, Ok(()), "at {}", self.now);
        self.excess.check(&self.engine);
    }
}

/// Tables with more entries are checked seldom: a check walks through all of them.
const LONG_TABLES: usize = 200;
/// After so many inputs.
const SELDOM: u64 = 64;
