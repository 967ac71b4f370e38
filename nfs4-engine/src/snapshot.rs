//! Views of the tables, for people: page by page, so that no look holds the engine for long.
//!
//! With the feature `serde` they can be serialised: ids as hexadecimal digits, times as RFC 3339
//! has them, and every field always there.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::SessionId;

use crate::client::Client;
use crate::connection::Binding;
use crate::direction::Direction;
use crate::engine::Engine;
use crate::ids::ConnId;
use crate::keys::ClientKey;
use crate::metrics::SessionLoad;
use crate::session::table::Session;
use crate::slab::{Entry, Key, Place};
use crate::time::{Now, Wall};
use crate::traffic::Traffic;

mod exports;
mod grace;
#[cfg(feature = "serde")]
mod json;

pub use self::exports::ExportView;
pub use self::grace::{GraceView, MissingClient};

/// Where a page ends and the next begins; the default is the start of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cursor(u32);

/// Some entries of a table.
///
/// What is there from the first page to the last is in exactly one of them; what comes or goes
/// meanwhile is in one or in none. A page can be short, or empty, and yet not the last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where to continue; none if this was the last.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub next: Option<Cursor>,
}

/// A client record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClientView {
    /// What the wire calls it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "json::client"))]
    pub client_id: u64,
    /// Where its last EXCHANGE_ID came from.
    pub address: Option<Box<str>>,
    /// The minor version that it speaks.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "nfs_version", serialize_with = "json::version")
    )]
    pub minor: u32,
    /// Whether its lease still runs.
    pub lease_status: LeaseStatus,
    /// When its lease was last renewed.
    pub last_renewal: Wall,
    /// When its lease expired, if it has.
    pub expired_at: Option<Wall>,
    /// Whether the client has confirmed the record, in 4.1 with its first CREATE_SESSION.
    pub confirmed: bool,
    /// `co_ownerid`. Bytes that are not UTF-8 are escaped when it is serialised.
    #[cfg_attr(feature = "serde", serde(serialize_with = "json::owner"))]
    pub owner: Box<[u8]>,
    /// Number of times that this client took its owner name back from another client.
    pub comebacks: u32,
    /// The name of its implementation.
    pub impl_name: Option<Box<str>>,
    /// The domain of its implementer.
    pub impl_domain: Option<Box<str>>,
    /// Sessions that it has.
    pub sessions: u32,
    /// Files that its owners have open.
    pub opens: u32,
    /// Lock stateids that it has.
    pub locks: u32,
    /// Files that are delegated to it.
    pub delegations: u32,
    /// What it has done since the record was made: in minor version 0 COMPOUNDs that use its state or its
    /// client id, later those of its sessions.
    pub traffic: Traffic,
}

/// Whether a lease still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum LeaseStatus {
    /// The lease runs.
    Active,
    /// The lease has run out, and the client's state is removed next.
    Expired,
    /// The lease has run out, and the client's state is kept until another client needs it.
    Courtesy,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SessionView {
    /// What the wire calls it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "json::session"))]
    pub session_id: SessionId,
    /// Its client.
    #[cfg_attr(feature = "serde", serde(serialize_with = "json::client"))]
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

/// A connection as one of a session's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionView {
    /// Its number.
    pub connection_id: ConnId,
    /// Which channels of the session it serves.
    pub direction: Direction,
    /// What it runs over.
    pub conn_type: ConnectionType,
    /// Where it comes from.
    pub peer: Option<Box<str>>,
    /// When it was bound to the session.
    pub bound_at: Wall,
    /// When a request of the session last came by it.
    pub last_activity: Wall,
    /// Whether it takes no new work any more.
    pub draining: bool,
}

/// A connection, whether it is bound to a session or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its number.
    pub connection_id: ConnId,
    /// What it runs over.
    pub conn_type: ConnectionType,
    /// Where it comes from.
    pub peer: Option<Box<str>>,
    /// When it was opened.
    pub opened_at: Wall,
    /// Whether it takes no new work any more.
    pub draining: bool,
    /// The client of minor version 0 that it is used for: that to which the server made it for callbacks, or that
    /// at its host which its requests concerned last.
    #[cfg_attr(feature = "serde", serde(serialize_with = "json::optional_client"))]
    pub client_id: Option<u64>,
    /// The sessions that it is bound to.
    pub sessions: Vec<BoundSession>,
}

/// A session that a connection is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BoundSession {
    /// The session.
    #[cfg_attr(feature = "serde", serde(serialize_with = "json::session"))]
    pub session_id: SessionId,
    /// Its client.
    #[cfg_attr(feature = "serde", serde(serialize_with = "json::client"))]
    pub client_id: u64,
    /// Which channels of the session it serves.
    pub direction: Direction,
}

/// What a connection runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum ConnectionType {
    /// TCP.
    Tcp,
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

impl Cursor {
    /// The place with this number, as [`Cursor::number`] returned it.
    pub const fn at(number: u32) -> Cursor {
        Cursor(number)
    }

    /// Its number, for a program that keeps it as text.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl Engine {
    /// At most `max` client records, confirmed or not, from a place on.
    pub fn clients(&self, now: Now, from: Cursor, max: usize) -> Page<ClientView> {
        let places = self.runner.core.clients.places_from(from.0);
        page(places, max, names_of, |key, client| {
            self.client(now, key, client)
        })
    }

    /// At most `max` sessions from a place on.
    pub fn sessions(&self, from: Cursor, max: usize) -> Page<SessionView> {
        let places = self.runner.core.sessions.places_from(from.0);
        let cost = |session: &Session| 1 + session.bindings.len();
        page(places, max, cost, |_, session| self.session(session))
    }

    /// A client record; none if there is no such client.
    pub fn client_view(&self, now: Now, client_id: u64) -> Option<ClientView> {
        let clients = &self.runner.core.clients;
        let key = clients.by_id(client_id)?;
        let client = clients.get(key)?;
        Some(self.client(now, key, client))
    }

    /// A session; none if there is no such session.
    pub fn session_view(&self, id: &SessionId) -> Option<SessionView> {
        let (_, session) = self.runner.core.sessions.find(id)?;
        Some(self.session(session))
    }

    /// A connection; none if it is closed. A driver knows which connections there are.
    pub fn connection_view(&self, conn: ConnId) -> Option<ConnectionInfo> {
        let core = &self.runner.core;
        let found = core.connections.get(conn)?;
        let client = found.client().and_then(|key| core.clients.get(key));
        // A stateid does not prove its sender: another host may have learned it.
        let is_called = found.serves().is_some();
        let client = client.filter(|client| is_called || client.peer.host == found.host.host);
        let bound = found.sessions.iter().filter_map(|key| {
            let session = core.sessions.get(*key)?;
            Some(BoundSession {
                session_id: session.id,
                client_id: core.clients.get(session.client)?.id,
                direction: session.bindings.find(conn)?.direction,
            })
        });
        Some(ConnectionInfo {
            connection_id: conn,
            conn_type: ConnectionType::Tcp,
            peer: Some(found.peer.as_str().into()),
            opened_at: found.opened,
            draining: core.connections.is_draining(conn),
            client_id: client.map(|client| client.id),
            sessions: bound.collect(),
        })
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

    fn client(&self, now: Now, key: ClientKey, client: &Client) -> ClientView {
        let core = &self.runner.core;
        let lease = core.lease_of(client);
        let expired = core.is_expired(key, now.mono);
        let end = lease.renewed().after(core.lease_length(key));
        let about = &client.about;
        ClientView {
            client_id: client.id,
            address: about.address.clone(),
            minor: about.minor,
            lease_status: match (expired, core.is_lost(key, now.mono)) {
                (false, _) => LeaseStatus::Active,
                (true, false) => LeaseStatus::Courtesy,
                (true, true) => LeaseStatus::Expired,
            },
            last_renewal: now.wall.before(now.mono.since(lease.renewed())),
            expired_at: expired.then(|| now.wall.before(now.mono.since(end))),
            confirmed: client.confirmed,
            owner: client.owner.clone(),
            comebacks: client.comebacks,
            impl_name: about.impl_name.clone(),
            impl_domain: about.impl_domain.clone(),
            sessions: count_of(client.sessions.len()),
            opens: count_of(client.opens.len()),
            locks: self.runner.core.states.locks_of_client(key),
            delegations: count_of(client.delegations.len()) - client.revoked,
            traffic: self.traffic(client),
        }
    }

    /// What a client has done, in all its sessions.
    fn traffic(&self, client: &Client) -> Traffic {
        let mut traffic = client.traffic;
        let sessions = client.sessions.iter();
        for session in sessions.filter_map(|key| self.runner.core.sessions.get(*key)) {
            traffic.add(session.traffic);
        }
        traffic.into()
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

    fn connection(&self, binding: &Binding) -> ConnectionView {
        let connections = &self.runner.core.connections;
        let found = connections.get(binding.conn);
        ConnectionView {
            connection_id: binding.conn,
            direction: binding.direction,
            conn_type: ConnectionType::Tcp,
            peer: found.map(|connection| connection.peer.as_str().into()),
            bound_at: binding.bound_at,
            last_activity: binding.last_activity.wall,
            draining: connections.is_draining(binding.conn),
        }
    }
}

/// A page of at most `max` entries, and at least one, within a cost.
fn page<'a, T: Entry + 'a, V>(
    places: impl Iterator<Item = Place<'a, T>>,
    max: usize,
    cost: impl Fn(&T) -> usize,
    view: impl Fn(Key<T::Kind>, &T) -> V,
) -> Page<V> {
    let mut items = Vec::new();
    let mut spent = 0;
    for (key, value) in places {
        if spent >= PAGE || items.len() >= max.max(1) {
            let next = Some(Cursor(key.index));
            return Page { items, next };
        }
        match value {
            Some(value) => {
                spent += ENTRY * cost(value);
                items.push(view(key, value));
            }
            None => spent += 1,
        }
    }
    Page { items, next: None }
}

/// A client, and what it calls itself: it may have chosen kilobytes.
fn names_of(client: &Client) -> usize {
    let about = &client.about;
    let names = [&about.impl_name, &about.impl_domain];
    let names = names.map(|name| name.as_ref().map_or(0, |name| name.len()));
    1 + client.sessions.len() + (client.owner.len() + names.iter().sum::<usize>()) / COPIED
}

/// An owner as people read it: as it is if it is text that can be shown, and escaped if not.
pub fn owner_text(owner: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(owner) {
        Ok(text) if !text.contains(char::is_control) => Cow::Borrowed(text),
        _ => Cow::Owned(owner.escape_ascii().to_string()),
    }
}

fn count_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

// The cost of a page is measured in checks of empty places: 200 µs must not be exceeded, with
// every place in another cache line.
const PAGE: usize = 4_096;
/// A view, or a connection within one: some strings are copied.
const ENTRY: usize = 16;
/// Number of bytes that take about as long to copy.
const COPIED: usize = 1_024;
/// Places of sessions that are checked together for their loads.
const LOADS: usize = 1_024;
