//! What the tables should hold: the bindings, and what each slot has seen.

use std::time::Duration;

use nfs4_engine::{BindingPolicy, ClientGone, ConnId, Direction, Event, SessionGone, Unbound};
use nfs4_proto::nfs4::{SessionId, Status, Verifier};

use super::counted::Counted;

/// The server as it should be. What is gone keeps its place and is not alive.
pub(super) struct Model {
    pub(super) policy: BindingPolicy,
    /// Bindings of a session, at most.
    pub(super) limit: usize,
    pub(super) lease: Duration,
    pub(super) now: Duration,
    pub(super) records: Vec<Record>,
    pub(super) sessions: Vec<Session>,
    pub(super) conns: Vec<Conn>,
    /// What the server should have told since the last comparison.
    pub(super) told: Vec<Event>,
    pub(super) counted: Counted,
}

/// A client record.
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) peer: usize,
    pub(super) verifier: Verifier,
    pub(super) alive: bool,
    pub(super) confirmed: bool,
    pub(super) renewed: Duration,
    pub(super) running: usize,
    /// It has said that it reclaims no more.
    pub(super) reclaimed: bool,
    pub(super) opens: usize,
    /// `csa_sequence` of the last CREATE_SESSION, and its reply.
    pub(super) created: u32,
    pub(super) create_reply: Option<Vec<u8>>,
}

/// A session.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) record: usize,
    pub(super) alive: bool,
    pub(super) bindings: Vec<Binding>,
    /// How many of them it may keep since the limit became lower.
    pub(super) kept: usize,
    /// Its connections for requests have closed or were bound elsewhere.
    pub(super) lost_fore: bool,
    pub(super) last_used: Duration,
    pub(super) running: usize,
    pub(super) slots: [Slot; SLOTS],
}

/// A connection bound to a session.
#[derive(Clone, Copy)]
pub(super) struct Binding {
    pub(super) conn: ConnId,
    pub(super) direction: Direction,
    pub(super) active: Duration,
}

/// A slot: its last request.
#[derive(Clone, Default)]
pub(super) struct Slot {
    pub(super) seqid: u32,
    pub(super) running: bool,
    /// The number of the last request.
    pub(super) last: Option<usize>,
    pub(super) answer: Answer,
}

/// What is known of the answer to the last request of a slot.
#[derive(Clone, Default)]
pub(super) enum Answer {
    #[default]
    None,
    /// It is kept; the bytes are not known if it was lost on its way.
    Kept(Option<Vec<u8>>),
    /// It is not kept.
    Dropped,
}

/// An open connection.
pub(super) struct Conn {
    pub(super) id: ConnId,
    /// When it is closed, if it drains.
    pub(super) drain: Option<Duration>,
    /// The server wants it closed.
    pub(super) closing: bool,
}

impl Model {
    pub(super) fn is_expired(&self, record: usize) -> bool {
        let record = &self.records[record];
        record.running == 0 && self.now > record.renewed + self.lease
    }

    pub(super) fn is_draining(&self, conn: ConnId) -> bool {
        let mut conns = self.conns.iter();
        conns.any(|found| found.id == conn && found.drain.is_some())
    }

    /// Sessions may have so many bindings from now on, and keep what they have.
    pub(super) fn limit(&mut self, limit: usize) {
        self.limit = limit;
        for session in &mut self.sessions {
            session.kept = session.bindings.len();
        }
    }

    /// What the server should tell, and count.
    fn tell(&mut self, event: Event) {
        self.counted.event(&event);
        self.told.push(event);
    }

    pub(super) fn is_open(&self, conn: ConnId) -> bool {
        self.conns.iter().any(|found| found.id == conn)
    }

    pub(super) fn conn_mut(&mut self, conn: ConnId) -> &mut Conn {
        let found = self.conns.iter_mut().find(|found| found.id == conn);
        found.expect("only open connections are looked for")
    }

    /// The live record of a peer that is confirmed, or the one that is not.
    pub(super) fn record_of(&self, peer: usize, confirmed: bool) -> Option<usize> {
        self.records
            .iter()
            .position(|record| record.alive && record.peer == peer && record.confirmed == confirmed)
    }

    pub(super) fn sessions_of(&self, record: usize) -> Vec<usize> {
        let sessions = self.sessions.iter().enumerate();
        sessions
            .filter(|(_, session)| session.alive && session.record == record)
            .map(|(at, _)| at)
            .collect()
    }

    /// What BIND_CONN_TO_SESSION should do.
    pub(super) fn bind(&mut self, at: usize, conn: ConnId, direction: Direction) -> Status {
        let session = &self.sessions[at];
        if self.is_draining(conn) {
            return Status::DELAY;
        }
        if !session.alive || self.is_expired(session.record) {
            return Status::BADSESSION;
        }
        if !direction.is_fore() && !session.has_fore_besides(&[conn]) {
            return Status::INVAL;
        }
        if session.binding(conn).is_some() {
            let now = self.now;
            let id = session.id;
            if let Some(binding) = self.sessions[at].binding_mut(conn) {
                binding.direction = direction;
                binding.active = now;
            }
            self.tell(Event::Bound {
                conn,
                session: id,
                direction,
            });
        } else if !self.add(at, conn, direction) {
            return Status::RESOURCE;
        }
        if self.policy == BindingPolicy::Exclusive {
            for other in 0..self.sessions.len() {
                if other != at {
                    self.unbind(other, conn, Unbound::Explicit);
                }
            }
        }
        Status::OK
    }

    /// What CREATE_SESSION and SEQUENCE should do.
    pub(super) fn associate(&mut self, at: usize, conn: ConnId, direction: Direction) {
        if self.sessions[at].binding(conn).is_none() && !self.add(at, conn, direction) {
            self.counted.unbound += 1;
        }
    }

    fn add(&mut self, at: usize, conn: ConnId, direction: Direction) -> bool {
        while self.sessions[at].bindings.len() >= self.limit {
            let session = &self.sessions[at];
            // A silent connection gives way, unless callbacks alone would be left.
            let replaced = session.bindings.len() == self.limit && direction.is_fore();
            let gives_way = |binding: &&Binding| {
                self.now > binding.active + self.lease
                    && (replaced || session.has_fore_besides(&[conn, binding.conn]))
            };
            let Some(silent) = session.bindings.iter().find(gives_way) else {
                return false;
            };
            let silent = silent.conn;
            self.unbind(at, silent, Unbound::Reaper);
        }
        let bound = &mut self.sessions[at];
        bound.bindings.push(Binding {
            conn,
            direction,
            active: self.now,
        });
        let session = bound.id;
        self.tell(Event::Bound {
            conn,
            session,
            direction,
        });
        true
    }

    pub(super) fn unbind(&mut self, at: usize, conn: ConnId, reason: Unbound) -> bool {
        let session = &mut self.sessions[at];
        let Some(place) = session.bindings.iter().position(|b| b.conn == conn) else {
            return false;
        };
        let gone = session.bindings.remove(place);
        let elsewhere = matches!(reason, Unbound::Disconnect | Unbound::Explicit);
        if gone.direction.is_fore() && !session.has_fore_besides(&[]) {
            session.lost_fore = elsewhere;
        }
        let session = session.id;
        self.tell(Event::Unbound {
            conn,
            session,
            reason,
        });
        true
    }

    /// A connection has closed; whether it was bound.
    pub(super) fn close(&mut self, conn: ConnId) -> bool {
        self.conns.retain(|found| found.id != conn);
        let mut bound = false;
        for at in 0..self.sessions.len() {
            bound |= self.unbind(at, conn, Unbound::Disconnect);
        }
        bound
    }

    pub(super) fn destroy(&mut self, at: usize, reason: SessionGone) {
        let session = &mut self.sessions[at];
        session.alive = false;
        let unbound = match reason {
            SessionGone::LeaseExpired => Unbound::Reaper,
            SessionGone::Request | SessionGone::Replaced | SessionGone::Evicted => {
                Unbound::SessionDestroyed
            }
            other => unreachable!("{other:?} is not known here"),
        };
        let session_id = session.id;
        let bindings = std::mem::take(&mut session.bindings);
        for binding in bindings {
            self.tell(Event::Unbound {
                conn: binding.conn,
                session: session_id,
                reason: unbound,
            });
        }
        self.tell(Event::SessionDestroyed {
            session: session_id,
            reason,
        });
    }

    pub(super) fn remove(&mut self, record: usize, reason: ClientGone) {
        let session_reason = match reason {
            ClientGone::LeaseExpired => SessionGone::LeaseExpired,
            ClientGone::Request => SessionGone::Request,
            ClientGone::Replaced => SessionGone::Replaced,
            ClientGone::Evicted => SessionGone::Evicted,
            other => unreachable!("{other:?}: there is room for all of them"),
        };
        for session in self.sessions_of(record) {
            self.destroy(session, session_reason);
        }
        let record = &mut self.records[record];
        record.alive = false;
        record.opens = 0;
        if record.confirmed {
            let client = record.id;
            self.tell(Event::ClientGone { client, reason });
        }
    }
}

impl Session {
    pub(super) fn binding(&self, conn: ConnId) -> Option<&Binding> {
        self.bindings.iter().find(|binding| binding.conn == conn)
    }

    pub(super) fn binding_mut(&mut self, conn: ConnId) -> Option<&mut Binding> {
        let mut bindings = self.bindings.iter_mut();
        bindings.find(|binding| binding.conn == conn)
    }

    /// Whether requests may come by a connection that is not one of these.
    pub(super) fn has_fore_besides(&self, conns: &[ConnId]) -> bool {
        let mut bindings = self.bindings.iter();
        bindings.any(|binding| binding.direction.is_fore() && !conns.contains(&binding.conn))
    }
}

impl Conn {
    pub(super) fn new(id: ConnId) -> Conn {
        Conn {
            id,
            drain: None,
            closing: false,
        }
    }
}

pub(super) const SLOTS: usize = 3;
