//! Plays inputs to a server, and holds all that it shows against the model.

use std::collections::BTreeSet;
use std::time::Duration;

use nfs4_engine::snapshot::Cursor;
use nfs4_engine::{
    Admin, AdminFault, BindingPolicy, Change, ClientGone, Config, ConnId, Engine, Event,
    SessionGone, TableLengths,
};
use nfs4_proto::nfs4::SessionId;
use nfs4_proto::nfs4::args::ChannelDirFromClient;
use nfs4_tests::sim::{Client, Fs, Reply, Sim};

use super::counted::Counted;
use super::model::{Conn, Model};
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
    /// The administrator destroys a session.
    EndSession { session: u8 },
    /// The administrator evicts a client.
    Evict { peer: u8 },
    /// Sessions may have another number of connections.
    Limit { limit: u8 },
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
    /// A session or a client that the administrator has ended.
    Admin,
    /// Calls that were handled under one hold of the lock.
    Batch,
    /// A call that was read in parts.
    Cut,
    /// The lock was taken between a connection's calls and the answers to them.
    Between,
    /// A file system's answer for a connection that is gone.
    Late,
    /// A file system's answer for a session that is gone.
    Orphan,
}

/// What the model is held against.
pub(super) trait Server {
    fn start(config: Config) -> Self;

    fn connect(&mut self) -> ConnId;

    fn admin(&mut self, admin: Admin);

    /// Time goes on, and no timer runs.
    fn jump(&mut self, span: Duration);

    /// Lets the timers run that are due.
    fn run_timers(&mut self);

    fn fs(&self) -> &Fs;

    fn look<R>(&self, read: impl FnOnce(&Engine) -> R) -> R;

    /// What was counted since the start.
    fn counted(&mut self) -> Counted;

    /// What was told since this was last called, where that can be heard.
    fn take_told(&mut self) -> Option<Vec<Event>>;

    fn tables(&self) -> TableLengths {
        self.look(Engine::table_lengths)
    }

    fn sessions(&self) -> Vec<SessionId> {
        let mut ids = Vec::new();
        let mut next = Some(Cursor::default());
        while let Some(from) = next {
            let page = self.look(|engine| engine.sessions(from, 64));
            ids.extend(page.items.iter().map(|session| session.session_id));
            next = page.next;
        }
        ids
    }
}

/// A server and its model.
pub(super) struct Play<S> {
    pub(super) server: S,
    pub(super) model: Model,
    pub(super) peers: Vec<Client>,
    /// The record that each peer knows of.
    pub(super) records: Vec<usize>,
    pub(super) sent: Vec<Sent>,
    /// Numbers of the requests that wait for a file system, the oldest first.
    pub(super) held: Vec<usize>,
    pub(super) seen: BTreeSet<Seen>,
    /// The server has handled nothing after the call that is looked at.
    pub(super) is_latest: bool,
    drain_deadline: Duration,
    xid: u32,
}

/// A call on its way to the server.
pub(super) struct Call {
    pub(super) conn: ConnId,
    pub(super) xid: u32,
    pub(super) record: Vec<u8>,
    pub(super) asked: Asked,
}

/// What a call asks for.
pub(super) enum Asked {
    /// EXCHANGE_ID, as this incarnation.
    Introduce { peer: usize, client: Client },
    /// CREATE_SESSION of a record.
    Create {
        record: usize,
        sequence: u32,
        flags: u32,
    },
    /// BIND_CONN_TO_SESSION.
    Bind {
        session: usize,
        dir: ChannelDirFromClient,
    },
    /// DESTROY_SESSION alone.
    DestroySession { session: usize },
    /// DESTROY_CLIENTID.
    DestroyClient { record: usize },
    /// The request of this number.
    Request(usize),
}

impl<S: Server> Play<S> {
    /// Two clients, each on a connection, that the server has not heard of.
    pub(super) fn start(policy: BindingPolicy, limit: u8) -> Play<S> {
        let config = Sim::config().with(|config| {
            // These clients lose all with their leases; `courtesy` is about those that do not.
            config.courtesy = Duration::ZERO;
            config.binding_policy = policy;
            config.max_connections_per_session = limit.into();
            config.sessions_per_client = MOST_SESSIONS as u32;
        });
        let (lease, drain_deadline) = (config.lease, config.drain_deadline);
        let mut server = S::start(config);
        let peers: Vec<Client> = (0..PEERS)
            .map(|number| Client::on(server.connect(), &format!("peer {number}")))
            .collect();
        let model = Model {
            policy,
            limit: limit.into(),
            lease,
            now: Duration::ZERO,
            records: Vec::new(),
            sessions: Vec::new(),
            conns: peers.iter().map(|peer| Conn::new(peer.conn)).collect(),
            told: Vec::new(),
            counted: Counted::default(),
        };
        Play {
            server,
            model,
            peers,
            records: vec![0; PEERS],
            sent: Vec::new(),
            held: Vec::new(),
            seen: BTreeSet::new(),
            is_latest: true,
            drain_deadline,
            xid: 0,
        }
    }

    /// The first calls of a peer, which give it a session.
    pub(super) fn first_calls(peer: usize) -> [Step; 2] {
        let peer = peer as u8;
        let conn = peer;
        [
            Step::Introduce {
                peer,
                conn,
                reboot: false,
            },
            Step::Create {
                peer,
                conn,
                back: peer == 0,
                sequence: Sequence::Next,
            },
        ]
    }

    /// The call of an input that is one.
    pub(super) fn call(&mut self, step: Step) -> Option<Call> {
        let (conn, asked) = match step {
            Step::Introduce { peer, conn, reboot } => (conn, self.introduce(peer, reboot)),
            Step::Create {
                peer,
                conn,
                back,
                sequence,
            } => (conn, self.create(peer, back, sequence)),
            Step::Bind { session, conn, dir } => (conn, self.bind(self.session(session), dir)),
            Step::Send {
                session,
                slot,
                conn,
                work,
                keep,
            } => (conn, self.request((session, slot), 1, work, keep)),
            Step::Mistake {
                session,
                slot,
                conn,
                work,
            } => (conn, self.request((session, slot), 0, work, true)),
            Step::Again { back, conn } => {
                let last = self.sent.len().checked_sub(1)?;
                let number = last - usize::from(back) % self.sent.len();
                (conn, Asked::Request(number))
            }
            Step::DestroySession { session, conn } => {
                let session = self.session(session);
                (conn, Asked::DestroySession { session })
            }
            Step::DestroyClient { peer, conn } => {
                let record = self.records[usize::from(peer) % PEERS];
                (conn, Asked::DestroyClient { record })
            }
            Step::Rest
            | Step::Connect
            | Step::Drop { .. }
            | Step::Answer { .. }
            | Step::Drain { .. }
            | Step::StopDraining { .. }
            | Step::EndSession { .. }
            | Step::Evict { .. }
            | Step::Limit { .. }
            | Step::Jump { .. }
            | Step::Timers => return None,
        };
        self.xid += 1;
        Some(Call {
            conn: self.conn(conn),
            xid: self.xid,
            record: self.record(&asked, self.xid),
            asked,
        })
    }

    /// The server has handled a call, and answered it or not.
    pub(super) fn handled(&mut self, call: &Call, reply: Option<Reply>) {
        let Call { conn, xid, .. } = *call;
        if let Some(reply) = &reply {
            assert_eq!(reply.conn, conn, "by the connection that asked");
        }
        if let Asked::Request(number) = call.asked {
            self.delivered(number, conn, xid, reply);
            return;
        }
        let reply = reply.expect("it is answered at once");
        match &call.asked {
            Asked::Introduce { peer, client } => self.introduced(*peer, client, &reply),
            Asked::Create {
                record,
                sequence,
                flags,
            } => self.created(*record, conn, (*sequence, *flags), &reply),
            Asked::Bind { session, dir } => self.bound(*session, conn, *dir, &reply),
            Asked::DestroySession { session } => self.session_destroyed(*session, conn, &reply),
            Asked::DestroyClient { record } => self.client_destroyed(*record, &reply),
            Asked::Request(_) => unreachable!("it was looked at above"),
        }
    }

    /// An input that neither is a call nor loses a connection nor answers a request.
    pub(super) fn happen(&mut self, step: Step) {
        match step {
            Step::Connect => self.connect(),
            Step::Drain { conn } => self.drain(self.conn(conn)),
            Step::StopDraining { conn } => {
                let conn = self.conn(conn);
                self.server.admin(Admin::StopDraining { conn });
                self.model.conn_mut(conn).drain = None;
            }
            Step::EndSession { session } => self.end_session(self.session(session)),
            Step::Evict { peer } => self.evict(self.records[usize::from(peer) % PEERS]),
            Step::Limit { limit } => {
                self.server
                    .admin(Admin::Configure(Box::new(Change::default().with(
                        |change| change.max_connections_per_session = Some(limit.into()),
                    ))));
                self.model.limit(limit.into());
            }
            Step::Jump { seconds } => {
                let span = Duration::from_secs(seconds.into());
                self.server.jump(span);
                self.model.now += span;
            }
            Step::Timers => self.timers(),
            _ => {}
        }
    }

    /// Nothing was executed more often than once.
    pub(super) fn assert_executed_once(&self) {
        for sent in &self.sent {
            if let Some(name) = &sent.name {
                let times = self.server.fs().creations(name);
                let most = u64::from(sent.executed);
                assert!(times <= most, "{name:?} was executed {times} times");
            }
        }
    }

    pub(super) fn conn(&self, pick: u8) -> ConnId {
        let conns = &self.model.conns;
        conns[usize::from(pick) % conns.len()].id
    }

    /// A session, mostly one that is there.
    pub(super) fn session(&self, pick: u8) -> usize {
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

    pub(super) fn connect(&mut self) {
        let id = self.server.connect();
        self.model.conns.push(Conn::new(id));
    }

    /// The server knows that a connection is gone.
    pub(super) fn closed(&mut self, conn: ConnId) {
        if self.model.close(conn) {
            self.seen.insert(Seen::Drop);
        }
    }

    /// Whether a request that came by it waits for a file system.
    pub(super) fn waits(&self, conn: ConnId) -> bool {
        self.held.iter().any(|sent| self.sent[*sent].by == conn)
    }

    /// A draining connection is to be closed, now that nothing of it waits, or in spite of that.
    pub(super) fn close_drained(&mut self, conn: ConnId) {
        self.seen.insert(Seen::Drain);
        self.model.conn_mut(conn).closing = true;
    }

    fn drain(&mut self, conn: ConnId) {
        self.server.admin(Admin::Drain { conn });
        let deadline = self.model.now + self.drain_deadline;
        let waits = self.waits(conn);
        self.model.conn_mut(conn).drain.get_or_insert(deadline);
        if !waits {
            self.close_drained(conn);
        }
    }

    fn end_session(&mut self, at: usize) {
        let found = &self.model.sessions[at];
        let (session, alive) = (found.id, found.alive);
        let admin = Admin::DestroySession { session };
        if alive {
            self.seen.insert(Seen::Admin);
            self.server.admin(admin);
            self.model.destroy(at, SessionGone::Evicted);
        } else {
            let fault = self.server.look(|engine| engine.check_admin(&admin));
            assert_eq!(fault, Err(AdminFault::NoSession(session)));
        }
    }

    fn evict(&mut self, record: usize) {
        let Some(found) = self.model.records.get(record) else {
            return;
        };
        let (client, alive) = (found.id, found.alive);
        let admin = Admin::EvictClient { client };
        if alive {
            self.seen.insert(Seen::Admin);
            self.server.admin(admin);
            self.model.remove(record, ClientGone::Evicted);
        } else {
            let fault = self.server.look(|engine| engine.check_admin(&admin));
            assert_eq!(fault, Err(AdminFault::NoClient(client)));
        }
    }

    /// The reaper passes: it takes what is expired, and may take what is idle.
    fn timers(&mut self) {
        self.server.run_timers();
        let drained = |conn: &&Conn| conn.drain.is_some_and(|end| end <= self.model.now);
        let drained = self.model.conns.iter().filter(drained);
        let drained: Vec<ConnId> = drained.map(|conn| conn.id).collect();
        for record in 0..self.model.records.len() {
            if self.model.records[record].alive && self.model.is_expired(record) {
                if self.model.records[record].confirmed {
                    self.seen.insert(Seen::Expiry);
                }
                self.model.remove(record, ClientGone::LeaseExpired);
            }
        }
        let left = self.server.sessions();
        for at in 0..self.model.sessions.len() {
            let session = &self.model.sessions[at];
            if session.alive && !left.contains(&session.id) {
                let idle = self.model.now > session.last_used + self.model.lease;
                assert!(idle && session.running == 0, "it is in use");
                self.model.destroy(at, SessionGone::LeaseExpired);
            }
        }
        for conn in drained {
            self.close_drained(conn);
        }
    }
}

pub(super) const PEERS: usize = 2;
/// Of one client.
pub(super) const MOST_SESSIONS: usize = 3;
