//! The bindings, as the engine reports them.

use std::collections::BTreeMap;

use nfs4_engine::{ConnId, Direction, Event};
use nfs4_proto::nfs4::SessionId;

/// The bindings that the engine has told of, up to the action that is looked at: what it does later
/// in the same turn does not count.
#[derive(Debug, Default)]
pub(super) struct Bound(BTreeMap<(SessionId, ConnId), Direction>);

impl Bound {
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::Bound {
                conn,
                session,
                direction,
            } => {
                self.0.insert((*session, *conn), *direction);
            }
            Event::Unbound { conn, session, .. } => {
                self.0.remove(&(*session, *conn));
            }
            // One that served only callbacks is unbound.
            Event::BackChannelLost { conn, session, .. } => {
                if let Some(direction) = self.0.get_mut(&(*session, *conn)) {
                    *direction = Direction::Fore;
                }
            }
            _ => {}
        }
    }

    /// Whether callbacks of a session may leave by a connection.
    pub(super) fn is_back(&self, session: SessionId, conn: ConnId) -> bool {
        let direction = self.0.get(&(session, conn));
        direction.is_some_and(|direction| direction.is_back())
    }
}
