//! Views of sessions.

use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::SessionId;

use super::connections::ConnectionView;
use super::count_of;
use super::page::{Cursor, Page, page};
use crate::direction::Direction;
use crate::engine::Engine;
use crate::metrics::SessionLoad;
use crate::session::table::Session;
use crate::time::Wall;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SessionView {
    /// What the wire calls it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::json::session"))]
    pub session_id: SessionId,
    /// Its client.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::json::client"))]
    pub client_id: u64,
    /// When it was made.
    pub created_at: Wall,
    /// Slots of its fore channel.
    pub fore_slots: u32,
    /// Slots whose request is being executed.
    pub slots_in_use: u32,
    /// `csr_flags` as it was made. [RFC 8881 §18.36]
    pub flags: u32,
    /// Slots of its backchannel that are used, at most.
    pub back_slots: u32,
    /// Whether callbacks can be made.
    pub back_channel: BackChannelState,
    /// Requests that were answered from its replay cache.
    pub replay_hits: u64,
    /// Its callbacks.
    pub callbacks: CallbacksView,
    /// The connections bound to it.
    pub connections: Vec<ConnectionView>,
    /// Number of they are.
    pub connection_summary: ConnectionSummary,
}

/// The callbacks of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CallbacksView {
    /// Callbacks that were accepted and have not ended.
    pub outstanding: u32,
    /// Callbacks that failed, those not included that ended with a session.
    pub failed: u64,
}

/// Whether the server can call a client by a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum BackChannelState {
    /// The client has asked for no backchannel, or offered nothing to secure it with.
    None,
    /// A connection is there that callbacks may leave by.
    Ok,
    /// No connection is there that they may leave by.
    Down,
    /// There will be no more callbacks by this session, whatever is bound to it.
    Fault,
}

/// Number of connections a session has, by what they serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionSummary {
    /// The fore channel alone.
    pub fore: u32,
    /// The backchannel alone.
    pub back: u32,
    /// Both channels.
    pub both: u32,
    /// All together.
    pub total: u32,
}

impl Engine {
    /// At most `max` sessions from a place on.
    pub fn sessions(&self, from: Cursor, max: usize) -> Page<SessionView> {
        let places = self.runner.core.sessions.places_from(from.0);
        let cost = |session: &Session| 1 + session.bindings.len();
        page(places, max, cost, |_, session| self.session(session))
    }

    /// A session; none if there is no such session.
    pub fn session_view(&self, id: &SessionId) -> Option<SessionView> {
        let (_, session) = self.runner.core.sessions.find(id)?;
        Some(self.session(session))
    }

    /// The sessions of a client; none if there is no such client.
    pub fn sessions_of(&self, client_id: u64) -> Option<Vec<SessionView>> {
        let client = self
            .runner
            .core
            .clients
            .get(self.runner.core.clients.by_id(client_id)?)?;
        let sessions = client.sessions.iter();
        let found = sessions.filter_map(|key| self.runner.core.sessions.get(*key));
        Some(found.map(|session| self.session(session)).collect())
    }

    /// Appends how busy some sessions are; where to continue, if that is not all.
    pub fn session_loads(&self, from: Cursor, loads: &mut Vec<SessionLoad>) -> Option<Cursor> {
        let places = self.runner.core.sessions.places_from(from.0);
        for (count, (key, session)) in places.enumerate() {
            if count == LOADS {
                return Some(Cursor(key.index));
            }
            loads.extend(session.map(|session| SessionLoad {
                session: session.id,
                slots_in_use: session.running,
                connections: count_of(session.bindings.len()),
            }));
        }
        None
    }

    fn session(&self, session: &Session) -> SessionView {
        let client = self.runner.core.clients.get(session.client);
        let bindings = session.bindings.iter();
        let connections: Vec<_> = bindings.map(|binding| self.connection(binding)).collect();
        let mut summary = ConnectionSummary::default();
        for connection in &connections {
            summary.total += 1;
            match connection.direction {
                Direction::Fore => summary.fore += 1,
                Direction::Back => summary.back += 1,
                Direction::Both => summary.both += 1,
            }
        }
        SessionView {
            session_id: session.id,
            client_id: client.map_or(0, |client| client.id),
            created_at: session.created.wall,
            fore_slots: session.fore.slots,
            back_slots: session.back.slots(),
            slots_in_use: session.running,
            flags: session.flags,
            back_channel: match &session.back {
                back if back.has_fault() => BackChannelState::Fault,
                back if !back.can_call() => BackChannelState::None,
                _ if session.bindings.has_back() => BackChannelState::Ok,
                back if back.wanted => BackChannelState::Down,
                _ => BackChannelState::None,
            },
            replay_hits: session.replay_hits,
            callbacks: CallbacksView {
                outstanding: count_of(session.back.outstanding()),
                failed: session.back.failures,
            },
            connections,
            connection_summary: summary,
        }
    }
}

/// Places of sessions that are checked together for their loads.
const LOADS: usize = 1_024;
