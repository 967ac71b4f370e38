//! What is counted as it changes is what a walk over the tables counts.

use alloc::format;
use alloc::string::String;

use super::check;
use crate::connection::Connection;
use crate::connection_state::ConnectionState;
use crate::engine::Engine;
use crate::ids::ConnId;

impl Engine {
    /// The connections in each state are as many as are counted.
    pub(super) fn check_levels(&self, open: &[ConnId]) -> Result<(), String> {
        let core = &self.runner.core;
        let mut levels = [0; ConnectionState::ALL.len()];
        for conn in open {
            let connection = core.connections.get(*conn);
            let connection = connection.ok_or_else(|| format!("open, and not there: {conn}"))?;
            let state = self.used_for(*conn, connection);
            if let Some(level) = levels.get_mut(state as usize) {
                *level += 1;
            }
        }
        check(
            core.connections.levels() == levels,
            "numbers of connections by state",
            (core.connections.levels(), levels),
        )
    }

    /// What a connection is used for, by the bindings of its sessions.
    fn used_for(&self, conn: ConnId, connection: &Connection) -> ConnectionState {
        let core = &self.runner.core;
        if core.connections.is_draining(conn) {
            return ConnectionState::Draining;
        }
        if connection.serves().is_some() {
            return ConnectionState::Callback;
        }
        let sessions = connection.sessions.iter();
        let sessions = sessions.filter_map(|key| core.sessions.get(*key));
        let bindings = sessions.filter_map(|session| session.bindings.find(conn));
        let [fore, back] = bindings.fold([false; 2], |[fore, back], binding| {
            let direction = binding.direction;
            [fore | direction.is_fore(), back | direction.is_back()]
        });
        match (fore, back) {
            (true, true) => ConnectionState::Both,
            (true, false) => ConnectionState::Fore,
            (false, true) => ConnectionState::Back,
            (false, false) if connection.is_known() => ConnectionState::Unbound,
            (false, false) => ConnectionState::Stranger,
        }
    }

    /// The clients of each export are as many as their records say.
    pub(super) fn check_visits(&self) -> Result<(), String> {
        let core = &self.runner.core;
        for served in core.exports.all() {
            let (export, path) = (served.number(), &served.export.path);
            let clients = core.clients.entries();
            let visitors = clients.filter(|(_, client)| client.has_visited(export));
            let (counted, visitors) = (core.clients.visitors(export), visitors.count());
            check(
                counted == visitors,
                "clients of an export",
                (path, counted, visitors),
            )?;
        }
        Ok(())
    }
}
