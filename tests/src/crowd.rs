//! Very many clients with a connection and sessions each, set up through the public door: for
//! benches that ask what each of them costs.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::{Config, ConnId, Engine};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::{ClientId, SessionId};
use nfs4_proto::rpc::Mark;

use crate::hot::{HotEngine, call, introduction, read, session_args};
use crate::sim::Rng;

/// A server, its clients, and their sessions in an order that chance has chosen.
pub struct Crowd {
    hot: HotEngine,
    /// The connection of each client.
    conns: Vec<ConnId>,
    clients: Vec<(ClientId, u32)>,
    sessions: Vec<Member>,
    /// Whose turn it is.
    next: usize,
    /// SEQUENCE alone, with its record mark: session, seqid and transaction id are written into it.
    template: Vec<u8>,
    session_at: usize,
    xid: u32,
}

/// A session, and the last sequence id of its first slot.
#[derive(Clone, Copy)]
struct Member {
    conn: ConnId,
    id: SessionId,
    seqid: u32,
}

/// A call of a member, as it lies in a read buffer.
pub struct Arrived {
    conn: ConnId,
    record: Bytes,
}

impl Crowd {
    /// A server without clients, with room for as many as can be.
    pub fn new(room: usize) -> Crowd {
        let config = Config::default().with(|config| {
            config.max_clients = 1 << 16;
            config.max_sessions = 1 << 20;
        });
        let mut template = call();
        template.sequence(args::Sequence {
            sessionid: SessionId([0; 16]),
            sequenceid: 0,
            slotid: 0,
            highest_slotid: 0,
            cachethis: false,
        });
        Crowd {
            hot: HotEngine::empty(config),
            conns: Vec::with_capacity(room),
            clients: Vec::with_capacity(room),
            sessions: Vec::with_capacity(room),
            next: 0,
            template: template.finish(),
            // After the operation's number.
            session_at: call().finish().len() + 4,
            xid: 0,
        }
    }

    /// A server with so many sessions, two of each client if they are many, each used once.
    pub fn of_sessions(count: usize) -> Crowd {
        let mut crowd = Crowd::new(count);
        let clients = count.div_ceil(2).max(1);
        crowd.connect(clients);
        crowd.introduce();
        crowd.create_sessions();
        crowd.sessions.truncate(count);
        if count > clients {
            crowd.create_sessions();
        }
        crowd.shuffle();
        let calls = crowd.read(count);
        crowd.answer(calls);
        crowd
    }

    /// The engine, to be looked at.
    pub fn engine(&self) -> &Engine {
        self.hot.engine()
    }

    /// So many connections are opened.
    pub fn connect(&mut self, count: usize) {
        let mut conn = self.conns.last().map_or(ConnId::FIRST, |conn| conn.next());
        for _ in 0..count {
            self.hot.open(conn);
            self.conns.push(conn);
            conn = conn.next();
        }
    }

    /// Each connection brings a client.
    pub fn introduce(&mut self) {
        for at in 0..self.conns.len() {
            let owner = format!("Linux NFSv4.2 client-{at:08}.example.org");
            let mut exchange = call();
            exchange.exchange_id(introduction(owner.as_bytes()));
            let reply = self.ask(self.conns[at], &mut exchange);
            let made = read(&reply).exchange_id().expect("a client");
            self.clients.push((made.clientid, made.sequenceid));
        }
    }

    /// Each client makes a session.
    pub fn create_sessions(&mut self) {
        for at in 0..self.clients.len() {
            if self.sessions.len() == self.sessions.capacity() {
                return;
            }
            let (conn, (id, sequence)) = (self.conns[at], self.clients[at]);
            self.clients[at].1 += 1;
            let mut create = call();
            create.create_session(session_args(id, sequence));
            let reply = self.ask(conn, &mut create);
            let made = read(&reply).create_session().expect("a session");
            self.sessions.push(Member {
                conn,
                id: made.sessionid,
                seqid: 0,
            });
        }
    }

    /// Puts the sessions into an order in which no two neighbours were made together.
    pub fn shuffle(&mut self) {
        let mut rng = Rng::new(1);
        for at in (1..self.sessions.len()).rev() {
            self.sessions.swap(at, rng.index(at + 1));
        }
    }

    /// The next `count` calls, each of the session whose turn it is.
    pub fn read(&mut self, count: usize) -> Vec<Arrived> {
        let mut stream = Vec::with_capacity(count * self.template.len());
        let mut conns = Vec::with_capacity(count);
        for _ in 0..count {
            let member = &mut self.sessions[self.next];
            self.next += 1;
            member.seqid += 1;
            self.xid = self.xid.wrapping_add(1);
            let record = &mut self.template;
            let mut patch = |at: usize, bytes: &[u8]| {
                record[at..][..bytes.len()].copy_from_slice(bytes);
            };
            patch(Mark::LEN, &self.xid.to_be_bytes());
            patch(self.session_at, &member.id.0);
            patch(self.session_at + 16, &member.seqid.to_be_bytes());
            stream.extend_from_slice(&self.template[Mark::LEN..]);
            conns.push(member.conn);
            self.next %= self.sessions.len();
        }
        let length = self.template.len() - Mark::LEN;
        let stream = Bytes::from_owner(stream);
        let cut = |(at, conn): (usize, ConnId)| Arrived {
            conn,
            record: stream.slice(at * length..(at + 1) * length),
        };
        conns.into_iter().enumerate().map(cut).collect()
    }

    /// Answers calls one by one: RPC header, engine, reply bytes, metrics.
    #[inline(never)]
    pub fn answer(&mut self, calls: Vec<Arrived>) {
        self.answer_after(calls, || {});
    }

    /// As [`Crowd::answer`]; before each call something else is done.
    pub fn answer_after(&mut self, calls: Vec<Arrived>, mut before: impl FnMut()) {
        for Arrived { conn, record } in calls {
            before();
            self.hot.answer_one(conn, record);
        }
    }

    /// The reply to the last call, with its record mark.
    pub fn reply(&self) -> &[u8] {
        self.hot.reply()
    }

    fn ask(&mut self, conn: ConnId, call: &mut CompoundBuilder) -> Vec<u8> {
        let mut record = Bytes::from_owner(call.finish());
        let record = record.split_off(Mark::LEN);
        self.hot.answer_one(conn, record);
        self.reply()[Mark::LEN..].to_vec()
    }
}
