//! What the server shows, against the model.

use nfs4_engine::{ConnId, Direction, Engine, Event, Unbound};
use nfs4_proto::nfs4::SessionId;

use super::model::Answer;
use super::play::{Play, Seen, Server};
use super::request::Work;

impl<S: Server> Play<S> {
    /// Everything that the server shows is as the model has it.
    pub(super) fn compare(&mut self) {
        self.compare_told();
        let model = &mut self.model;
        for session in &mut model.sessions {
            session.kept = session.kept.min(session.bindings.len());
        }
        let mut expected = Vec::new();
        for session in model.sessions.iter().filter(|session| session.alive) {
            let most = model.limit.max(session.kept);
            assert!(session.bindings.len() <= most, "over the limit");
            let deaf = !session.bindings.is_empty() && !session.has_fore_besides(&[]);
            assert!(!deaf || session.lost_fore, "callbacks only");
            let bindings = session.bindings.iter();
            expected.extend(bindings.map(|bound| (session.id, bound.conn, bound.direction)));
        }
        let mut found = self.server.look(Engine::bindings);
        let by_id = |bound: &(SessionId, ConnId, Direction)| (bound.0.0, bound.1);
        expected.sort_by_key(by_id);
        found.sort_by_key(by_id);
        assert_eq!(found, expected, "bindings");
        let tables = self.server.tables();
        assert_eq!(tables.connections, model.conns.len(), "connections");
        let alive = model.records.iter().filter(|record| record.alive);
        assert_eq!(tables.clients, alive.clone().count(), "clients");
        let opens: usize = alive.map(|record| record.opens).sum();
        assert_eq!(tables.opens, opens, "opens");
        let sessions = model.sessions.iter().filter(|session| session.alive);
        assert_eq!(tables.sessions, sessions.clone().count(), "sessions");
        assert_eq!(tables.parked, self.held.len(), "parked");
        self.compare_numbers(tables.cached_bytes);
    }

    fn compare_numbers(&mut self, cached_bytes: usize) {
        let counted = self.server.counted();
        assert_eq!(counted, self.model.counted, "metrics");
        let sessions = self.model.sessions.iter().filter(|session| session.alive);
        let mut bytes = 0;
        for slot in sessions.flat_map(|session| &session.slots) {
            let last = slot.last.and_then(|number| self.sent.get(number));
            let alone = last.is_some_and(|sent| sent.work == Work::Nothing);
            match &slot.answer {
                // A SEQUENCE alone is repeated from the slot itself.
                Answer::Kept(_) if alone => {}
                Answer::Kept(Some(body)) => bytes += body.len() + 4 - REPLY_HEAD,
                // Unknown until it is repeated.
                Answer::Kept(None) => return,
                // What was kept before stays until the slot's next reply takes its place.
                Answer::None if slot.running => return,
                Answer::None | Answer::Dropped => {}
            }
        }
        assert_eq!(cached_bytes, bytes, "cached bytes");
    }

    fn compare_told(&mut self) {
        let expected = std::mem::take(&mut self.model.told);
        let moved = |event: &Event| {
            let reason = Unbound::Explicit;
            matches!(event, Event::Unbound { reason: found, .. } if *found == reason)
        };
        if expected.iter().any(moved) {
            self.seen.insert(Seen::Move);
        }
        let Some(told) = self.server.take_told() else {
            return;
        };
        let of_tables = |event: &&Event| {
            matches!(
                event,
                Event::Bound { .. }
                    | Event::Unbound { .. }
                    | Event::SessionDestroyed { .. }
                    | Event::ClientGone { .. }
            )
        };
        let told = told.iter().filter(of_tables);
        let mut told: Vec<String> = told.map(|event| format!("{event:?}")).collect();
        let mut expected: Vec<String> = expected.iter().map(|e| format!("{e:?}")).collect();
        told.sort();
        expected.sort();
        assert_eq!(told, expected, "what was told");
    }
}

/// RPC header of a reply, which is not kept.
const REPLY_HEAD: usize = 24;
