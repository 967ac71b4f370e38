//! Plays inputs to the server, and holds all that it shows against the model.

use std::collections::BTreeSet;
use std::time::Duration;

use nfs4_engine::{Admin, BindingPolicy, ClientGone, Config, ConnId, Event, SessionGone};
use nfs4_tests::sim::{Client, Pace, Sim};

use super::model::{Conn, Counted, Model, SLOTS};
use super::request::{Sent, Work};

/// One input. Numbers that are too large count round.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Nothing, so that a failing case becomes shorter.
    Rest,
    /// A connection is opened.
    Connect,
    /// A connection is lost.
    Drop { conn: u8 },
    /// EXCHANGE_ID, by the same incarnation or a new one.
    Introduce { peer: u8, conn: u8, reboot: bool },
    /// CREATE_SESSION under the next `csa_sequence`, or another.
    Create {
        peer: u8,
        conn: u8,
        back: bool,
        sequence: Sequence,
    },
    /// BIND_CONN_TO_SESSION.
    Bind { session: u8, conn: u8, dir: u8 },
    /// The next request on a slot.
    Send {
        session: u8,
        slot: u8,
        conn: u8,
        work: Work,
        keep: bool,
    },
    /// Another request under the last seqid of a slot.
    Mistake {
        session: u8,
        slot: u8,
        conn: u8,
        work: Work,
    },
    /// One of the last requests again: a retry, a duplicate, or one that was overtaken.
    Again { back: u8, conn: u8 },
    /// The file system answers one of the requests that it has.
    Answer { which: u8 },
    /// A connection is to drain.
    Drain { conn: u8 },
    /// A connection is not to drain.
    StopDraining { conn: u8 },
    /// DESTROY_SESSION alone.
    DestroySession { session: u8, conn: u8 },
    /// DESTROY_CLIENTID.
    DestroyClient { peer: u8, conn: u8 },
    /// The clock jumps.
    Jump { seconds: u8 },
    /// Timers run.
    Timers,
}

/// Which `csa_sequence`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sequence {
    Next,
    Last,
    Wrong,
}

/// What a case has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    Bind,
    Move,
    Drop,
    Replay,
    Drain,
    Expiry,
}

/// A server and its model.
pub(super) struct Play {
    pub(super) sim: Sim,
    pub(super) model: Model,
    pub(super) peers: Vec<Client>,
    /// The record that each peer knows of.
    pub(super) records: Vec<usize>,
    pub(super) sent: Vec<Sent>,
    /// Numbers of the requests that wait for a file system, in its order.
    pub(super) held: Vec<usize>,
    pub(super) seen: BTreeSet<Seen>,
}

impl Play {
    /// Two clients with a session each.
    pub(super) fn new(policy: BindingPolicy, limit: u8) -> Play {
        let config = Config {
            binding_policy: policy,
            max_connections_per_session: limit.into(),
            sessions_per_client: 3,
            ..Sim::config()
        };
        let lease = config.lease;
        let mut sim = Sim::with(config);
        sim.set_pace(Pace::Held);
        let peers: Vec<Client> = (0..PEERS)
            .map(|number| Client::stranger(&mut sim, &format!("peer {number}")))
            .collect();
        let conns = peers.iter().map(|peer| Conn {
            id: peer.conn,
            drain: None,
        });
        let model = Model {
            policy,
            limit: limit.into(),
            lease,
            now: Duration::ZERO,
            records: Vec::new(),
            sessions: Vec::new(),
            conns: conns.collect(),
            told: Vec::new(),
            counted: Counted::default(),
        };
        let mut play = Play {
            sim,
            model,
            peers,
            records: vec![0; PEERS],
            sent: Vec::new(),
            held: Vec::new(),
            seen: BTreeSet::new(),
        };
        for peer in 0..PEERS {
            let conn = play.model.conns[peer].id;
            play.introduce(peer, conn, false);
            play.create(peer, conn, peer == 0, Sequence::Next);
            play.compare();
        }
        play
    }

    pub(super) fn step(&mut self, step: Step) {
        if self.model.conns.is_empty() {
            self.connect();
        }
        match step {
            Step::Rest => {}
            Step::Connect => self.connect(),
            Step::Drop { conn } => {
                let conn = self.conn(conn);
                self.lose(conn);
            }
            Step::Introduce { peer, conn, reboot } => {
                self.introduce(usize::from(peer) % PEERS, self.conn(conn), reboot);
            }
            Step::Create {
                peer,
                conn,
                back,
                sequence,
            } => self.create(usize::from(peer) % PEERS, self.conn(conn), back, sequence),
            Step::Bind { session, conn, dir } => {
                self.bind(self.session(session), self.conn(conn), dir);
            }
            Step::Send {
                session,
                slot,
                conn,
                work,
                keep,
            } => {
                let (session, slot) = (self.session(session), usize::from(slot) % SLOTS);
                let seqid = self.model.sessions[session].slots[slot].seqid + 1;
                let number = self.make(session, slot, seqid, work, keep);
                self.deliver(number, self.conn(conn));
            }
            Step::Mistake {
                session,
                slot,
                conn,
                work,
            } => {
                let (session, slot) = (self.session(session), usize::from(slot) % SLOTS);
                let seqid = self.model.sessions[session].slots[slot].seqid;
                let number = self.make(session, slot, seqid, work, true);
                self.deliver(number, self.conn(conn));
            }
            Step::Again { back, conn } => {
                if !self.sent.is_empty() {
                    let back = usize::from(back) % self.sent.len();
                    self.deliver(self.sent.len() - 1 - back, self.conn(conn));
                }
            }
            Step::Answer { which } => {
                if !self.held.is_empty() {
                    self.answer(usize::from(which) % self.held.len());
                }
            }
            Step::Drain { conn } => self.drain(self.conn(conn)),
            Step::StopDraining { conn } => {
                let conn = self.conn(conn);
                self.sim.admin(Admin::StopDraining { conn });
                self.drain_state(conn).drain = None;
            }
            Step::DestroySession { session, conn } => {
                self.destroy_session(self.session(session), self.conn(conn));
            }
            Step::DestroyClient { peer, conn } => {
                self.destroy_client(usize::from(peer) % PEERS, self.conn(conn));
            }
            Step::Jump { seconds } => {
                self.sim.jump(Duration::from_secs(seconds.into()));
                self.model.now = self.sim.now();
            }
            Step::Timers => self.timers(),
        }
        self.compare();
    }

    /// Everything is answered, executed at most once, and nothing is left.
    pub(super) fn finish(&mut self) {
        while !self.held.is_empty() {
            self.answer(0);
            self.compare();
        }
        for sent in &self.sent {
            if let Some(name) = &sent.name {
                let times = self.sim.fs().creations(name);
                let most = u64::from(sent.executed);
                assert!(times <= most, "{name:?} was executed {times} times");
            }
        }
        self.sim.assert_nothing_is_left();
    }

    fn conn(&self, pick: u8) -> ConnId {
        let conns = &self.model.conns;
        conns[usize::from(pick) % conns.len()].id
    }

    /// A session, mostly one that is there.
    fn session(&self, pick: u8) -> usize {
        let sessions = &self.model.sessions;
        let alive: Vec<usize> = (0..sessions.len())
            .filter(|at| sessions[*at].alive)
            .collect();
        if alive.is_empty() || pick > 250 {
            usize::from(pick) % sessions.len()
        } else {
            alive[usize::from(pick) % alive.len()]
        }
    }

    fn drain_state(&mut self, conn: ConnId) -> &mut Conn {
        let found = self.model.conns.iter_mut().find(|found| found.id == conn);
        found.expect("only open connections are picked")
    }

    fn connect(&mut self) {
        let id = self.sim.connect();
        self.model.conns.push(Conn { id, drain: None });
    }

    /// Losing a connection changes bindings only.
    fn lose(&mut self, conn: ConnId) {
        let mut before = self.sim.tables();
        self.sim.kill(conn);
        self.sim.settle();
        before.connections -= 1;
        assert_eq!(self.sim.tables(), before, "a lost connection took more");
        self.closed(conn);
    }

    pub(super) fn closed(&mut self, conn: ConnId) {
        assert!(!self.sim.network().is_alive(conn), "{conn} is not closed");
        if self.model.close(conn) {
            self.seen.insert(Seen::Drop);
        }
    }

    fn drain(&mut self, conn: ConnId) {
        self.sim.admin(Admin::Drain { conn });
        self.sim.settle();
        let deadline = self.model.now + self.sim.settings().drain_deadline;
        self.drain_state(conn).drain.get_or_insert(deadline);
        if !self.waits(conn) {
            self.seen.insert(Seen::Drain);
            self.closed(conn);
        }
    }

    /// Whether a request that came by it waits for a file system.
    pub(super) fn waits(&self, conn: ConnId) -> bool {
        self.held.iter().any(|sent| self.sent[*sent].by == conn)
    }

    /// The reaper passes: it takes what is expired, and may take what is idle.
    fn timers(&mut self) {
        self.sim.run_timers();
        let drained = |conn: &Conn| conn.drain.is_some_and(|end| end <= self.model.now);
        let drained: Vec<ConnId> = self
            .model
            .conns
            .iter()
            .filter(|conn| drained(conn))
            .map(|conn| conn.id)
            .collect();
        for record in 0..self.model.records.len() {
            if self.model.records[record].alive && self.model.is_expired(record) {
                if self.model.records[record].confirmed {
                    self.seen.insert(Seen::Expiry);
                }
                self.model.remove(record, ClientGone::LeaseExpired);
            }
        }
        let told = self.sim.take_events();
        for event in &told {
            let Event::SessionDestroyed { session, reason } = event else {
                continue;
            };
            assert_eq!(*reason, SessionGone::LeaseExpired);
            let at = self.model.sessions.iter().position(|s| s.id == *session);
            let at = at.expect("a session that was made");
            let session = &self.model.sessions[at];
            if session.alive {
                let idle = self.model.now > session.last_used + self.model.lease;
                assert!(idle && session.running == 0, "it is in use");
                self.model.destroy(at, *reason);
            }
        }
        for conn in drained {
            self.seen.insert(Seen::Drain);
            self.closed(conn);
        }
        self.compare_events(&told);
    }
}

const PEERS: usize = 2;
