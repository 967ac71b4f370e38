//! Connections, and what is under way on them.

use std::collections::BTreeMap;

use nfs4_engine::fs::FsResult;
use nfs4_engine::fs::driver::FsTicket;
use nfs4_engine::{ConnId, DialError, DialId};

use super::fs::Job;
use super::rng::Rng;

/// How long things take, in nanoseconds: anything up to these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// A message in either direction.
    pub message: u64,
    /// Until the server learns that a connection is gone.
    pub notice: u64,
    /// Until the file system begins with a request, and again until its answer is known.
    pub file_system: u64,
}

/// Something that will happen.
pub(super) enum Event {
    /// A record reaches the server.
    ToServer { conn: ConnId, record: Vec<u8> },
    /// A record reaches the client.
    ToClient { conn: ConnId, record: Vec<u8> },
    /// The server learns that a connection is gone.
    Closed { conn: ConnId },
    /// Everything that the server had sent before it closed the connection has arrived.
    Shut { conn: ConnId },
    /// What came of a connection that the server wanted to make.
    Dialed {
        dial: DialId,
        result: Result<ConnId, DialError>,
    },
    /// The file system begins with a request.
    Submit(Box<Job>),
    /// The file system's answer reaches the engine.
    Done {
        ticket: FsTicket,
        result: Box<FsResult>,
    },
}

/// Messages under way, in the order of their arrival.
///
/// A connection keeps the order of its messages, as TCP does; what belongs to different ones
/// overtakes each other. When a connection dies, all that is under way on it is lost. A message
/// comes twice because a client sends it twice, on another connection.
pub struct Network {
    delays: Delays,
    rng: Rng,
    next_conn: ConnId,
    wires: BTreeMap<ConnId, Wire>,
    /// By time, and in the order of sending at the same time.
    events: BTreeMap<(u64, u64), Event>,
    sent: u64,
}

/// A connection that is alive: when its last message arrives at each end.
#[derive(Clone, Copy, Debug, Default)]
struct Wire {
    at_server: u64,
    at_client: u64,
}

impl Network {
    pub(super) fn new(delays: Delays, rng: Rng) -> Network {
        Network {
            delays,
            rng,
            next_conn: ConnId::FIRST,
            wires: BTreeMap::new(),
            events: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Whether a connection can be used.
    pub fn is_alive(&self, conn: ConnId) -> bool {
        self.wires.contains_key(&conn)
    }

    /// How many connections are alive.
    pub fn connections(&self) -> usize {
        self.wires.len()
    }

    /// The connections that are alive.
    pub fn alive(&self) -> Vec<ConnId> {
        self.wires.keys().copied().collect()
    }

    pub(super) fn connect(&mut self) -> ConnId {
        let conn = self.next_conn;
        self.next_conn = conn.next();
        self.wires.insert(conn, Wire::default());
        conn
    }

    /// The connection dies, and with it all that is under way; the server learns of it later.
    pub(super) fn kill(&mut self, conn: ConnId, now: u64) {
        if self.wires.remove(&conn).is_some() {
            let at = now + self.rng.below(self.delays.notice + 1);
            self.push(at, Event::Closed { conn });
        }
    }

    /// The server closes a connection: what it has sent still arrives.
    pub(super) fn close(&mut self, conn: ConnId, now: u64) {
        if let Some(wire) = self.wires.get(&conn) {
            self.push(wire.at_client.max(now), Event::Shut { conn });
        }
    }

    pub(super) fn send_up(&mut self, conn: ConnId, record: Vec<u8>, now: u64) {
        let delay = self.rng.below(self.delays.message + 1);
        let Some(wire) = self.wires.get_mut(&conn) else {
            return;
        };
        wire.at_server = wire.at_server.max(now + delay);
        let at = wire.at_server;
        self.push(at, Event::ToServer { conn, record });
    }

    pub(super) fn send_down(&mut self, conn: ConnId, record: Vec<u8>, now: u64) {
        let delay = self.rng.below(self.delays.message + 1);
        let Some(wire) = self.wires.get_mut(&conn) else {
            return;
        };
        wire.at_client = wire.at_client.max(now + delay);
        let at = wire.at_client;
        self.push(at, Event::ToClient { conn, record });
    }

    pub(super) fn dialed(&mut self, dial: DialId, result: Result<ConnId, DialError>, now: u64) {
        let at = now + self.rng.below(self.delays.message + 1);
        self.push(at, Event::Dialed { dial, result });
    }

    pub(super) fn submit(&mut self, job: Job, now: u64) {
        let at = now + self.rng.below(self.delays.file_system + 1);
        self.push(at, Event::Submit(Box::new(job)));
    }

    pub(super) fn done(&mut self, ticket: FsTicket, result: FsResult, now: u64) {
        let at = now + self.rng.below(self.delays.file_system + 1);
        let result = Box::new(result);
        self.push(at, Event::Done { ticket, result });
    }

    /// When something happens next.
    pub(super) fn next_time(&self) -> Option<u64> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// What happens next, unless it was lost with its connection.
    pub(super) fn pop(&mut self) -> Option<Event> {
        let (_, event) = self.events.pop_first()?;
        match &event {
            Event::ToServer { conn, .. } | Event::ToClient { conn, .. }
                if !self.is_alive(*conn) =>
            {
                None
            }
            Event::ToServer { .. }
            | Event::ToClient { .. }
            | Event::Closed { .. }
            | Event::Shut { .. }
            | Event::Dialed { .. }
            | Event::Submit(_)
            | Event::Done { .. } => Some(event),
        }
    }

    fn push(&mut self, at: u64, event: Event) {
        self.sent += 1;
        self.events.insert((at, self.sent), event);
    }
}
