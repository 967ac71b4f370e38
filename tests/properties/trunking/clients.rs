//! Calls without SEQUENCE.

use nfs4_engine::{BindingPolicy, ClientGone, ConnId, Direction, SessionGone};
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, SESSION_ATTRS};

use super::model::{Record, SLOTS, Session, Slot};
use super::play::{Asked, MOST_SESSIONS, PEERS, Play, Seen, Sequence, Server};
use super::request::{MOST_OPERATIONS, MOST_REQUEST};

impl<S: Server> Play<S> {
    pub(super) fn introduce(&mut self, peer: u8, reboot: bool) -> Asked {
        let peer = usize::from(peer) % PEERS;
        if reboot {
            self.peers[peer].reboot();
        }
        let client = self.peers[peer].clone();
        Asked::Introduce { peer, client }
    }

    pub(super) fn create(&mut self, peer: u8, back: bool, sequence: Sequence) -> Asked {
        let record = self.records[usize::from(peer) % PEERS];
        let created = self.model.records[record].created;
        let sequence = match sequence {
            Sequence::Next => created + 1,
            Sequence::Last => created,
            Sequence::Wrong => created + 9,
        };
        let flags = if back {
            CREATE_SESSION4_FLAG_CONN_BACK_CHAN
        } else {
            0
        };
        Asked::Create {
            record,
            sequence,
            flags,
        }
    }

    pub(super) fn bind(&mut self, session: usize, dir: u8) -> Asked {
        let dir = match dir % 4 {
            0 => ChannelDirFromClient::Fore,
            1 => ChannelDirFromClient::Back,
            2 => ChannelDirFromClient::ForeOrBoth,
            _ => ChannelDirFromClient::BackOrBoth,
        };
        Asked::Bind { session, dir }
    }

    /// The call under a transaction id.
    pub(super) fn record(&self, asked: &Asked, xid: u32) -> Vec<u8> {
        let session_id = |at: usize| self.model.sessions[at].id;
        let anyone = &self.peers[0];
        match asked {
            Asked::Introduce { client, .. } => {
                client.record(xid, b"", |c| c.exchange_id(client.introduction()))
            }
            Asked::Create {
                record,
                sequence,
                flags,
            } => {
                let record = &self.model.records[*record];
                let peer = &self.peers[record.peer];
                let mut args = args::CreateSession {
                    sequence: *sequence,
                    flags: *flags,
                    fore_chan_attrs: args::ChannelAttrs {
                        maxrequestsize: MOST_REQUEST,
                        maxrequests: SLOTS as u32,
                        maxoperations: MOST_OPERATIONS,
                        ..SESSION_ATTRS
                    },
                    ..peer.session_args()
                };
                args.clientid.0 = record.id;
                peer.record(xid, b"", |c| c.create_session(args))
            }
            Asked::Bind { session, dir } => {
                let args = args::BindConnToSession {
                    sessid: session_id(*session),
                    dir: *dir,
                    use_conn_in_rdma_mode: false,
                };
                anyone.record(xid, b"", |c| c.bind_conn_to_session(args))
            }
            Asked::DestroySession { session } => {
                let sessionid = session_id(*session);
                let args = args::DestroySession { sessionid };
                anyone.record(xid, b"", |c| c.destroy_session(args))
            }
            Asked::DestroyClient { record } => {
                let record = &self.model.records[*record];
                let peer = &self.peers[record.peer];
                let mut args = args::DestroyClientId { clientid: peer.id };
                args.clientid.0 = record.id;
                peer.record(xid, b"", |c| c.destroy_clientid(args))
            }
            Asked::Request(number) => self.sent[*number].under(xid),
        }
    }

    pub(super) fn introduced(&mut self, peer: usize, client: &Client, reply: &Reply) {
        assert_eq!(reply.status(), Status::OK, "{reply:?}");
        let ok = ok!(reply, ExchangeId);
        let confirmed = self.model.record_of(peer, true);
        if let Some(at) = confirmed {
            if self.model.is_expired(at) {
                self.seen.insert(Seen::Expiry);
                self.model.remove(at, ClientGone::LeaseExpired);
            } else if self.model.records[at].verifier == client.verifier {
                let record = &self.model.records[at];
                assert_eq!(ok.clientid.0, record.id);
                assert_eq!(ok.sequenceid, record.created + 1);
                self.records[peer] = at;
                return;
            }
        }
        if let Some(at) = self.model.record_of(peer, false) {
            self.model.remove(at, ClientGone::Replaced);
        }
        self.records[peer] = self.model.records.len();
        self.model.records.push(Record {
            id: ok.clientid.0,
            peer,
            verifier: client.verifier,
            alive: true,
            confirmed: false,
            renewed: self.model.now,
            running: 0,
            reclaimed: false,
            opens: 0,
            created: ok.sequenceid - 1,
            create_reply: None,
        });
    }

    pub(super) fn created(
        &mut self,
        at: usize,
        conn: ConnId,
        (sequence, flags): (u32, u32),
        reply: &Reply,
    ) {
        let record = &self.model.records[at];
        let peer = record.peer;
        let replay = record.create_reply.clone();
        let replay = replay.filter(|_| sequence == record.created);
        let expected = if self.model.is_draining(conn) {
            Status::DELAY
        } else if !record.alive || self.model.is_expired(at) {
            Status::STALE_CLIENTID
        } else if replay.is_some() {
            Status::OK
        } else if sequence != record.created + 1 {
            Status::SEQ_MISORDERED
        } else if self.model.sessions_of(at).len() >= MOST_SESSIONS {
            Status::NOSPC
        } else {
            Status::OK
        };
        assert!(
            reply.is_only(Op::CreateSession, expected),
            "{:?}, not {expected}",
            reply.statuses()
        );
        if expected != Status::OK {
            return;
        }
        if let Some(replay) = replay {
            assert_eq!(replay, reply.body(), "another answer");
            // The client takes this connection for one of the session now.
            let made = ok!(reply, CreateSession);
            let mut sessions = self.model.sessions.iter();
            let found = sessions.position(|session| session.id == made.sessionid && session.alive);
            if let Some(session) = found {
                let direction = direction_of(made.flags);
                self.model.associate(session, conn, direction);
            }
            return;
        }
        let ok = ok!(reply, CreateSession);
        assert_eq!(ok.flags, flags, "the flags say what the tables hold");
        if !self.model.records[at].confirmed
            && let Some(old) = self.model.record_of(peer, true)
        {
            self.model.remove(old, ClientGone::Replaced);
        }
        let now = self.model.now;
        let record = &mut self.model.records[at];
        record.confirmed = true;
        record.renewed = now;
        record.created = sequence;
        record.create_reply = Some(reply.body().to_vec());
        self.model.sessions.push(Session {
            id: ok.sessionid,
            record: at,
            alive: true,
            bindings: Vec::new(),
            kept: 0,
            lost_fore: false,
            last_used: now,
            running: 0,
            slots: std::array::from_fn(|_| Slot::default()),
        });
        let session = self.model.sessions.len() - 1;
        self.model.associate(session, conn, direction_of(flags));
    }

    pub(super) fn bound(
        &mut self,
        at: usize,
        conn: ConnId,
        dir: ChannelDirFromClient,
        reply: &Reply,
    ) {
        let direction = match dir {
            ChannelDirFromClient::Fore => Direction::Fore,
            ChannelDirFromClient::Back => Direction::Back,
            ChannelDirFromClient::ForeOrBoth | ChannelDirFromClient::BackOrBoth => Direction::Both,
        };
        let expected = self.model.bind(at, conn, direction);
        assert!(
            reply.is_only(Op::BindConnToSession, expected),
            "{:?}, not {expected}",
            reply.statuses()
        );
        if expected != Status::OK {
            return;
        }
        self.seen.insert(Seen::Bind);
        if self.model.policy == BindingPolicy::Exclusive && self.is_latest {
            let session = self.model.sessions[at].id;
            let bindings = self.server.look(nfs4_engine::Engine::bindings);
            let own: Vec<_> = bindings.iter().filter(|bound| bound.1 == conn).collect();
            assert_eq!(own, [&(session, conn, direction)], "exactly that binding");
        }
    }

    pub(super) fn session_destroyed(&mut self, at: usize, conn: ConnId, reply: &Reply) {
        let session = &self.model.sessions[at];
        let expected = if !session.alive || self.model.is_expired(session.record) {
            Status::BADSESSION
        } else if session.binding(conn).is_none() {
            Status::CONN_NOT_BOUND_TO_SESSION
        } else if session.running > 0 {
            Status::DELAY
        } else {
            Status::OK
        };
        assert!(
            reply.is_only(Op::DestroySession, expected),
            "{:?}, not {expected}",
            reply.statuses()
        );
        if expected == Status::OK {
            self.model.destroy(at, SessionGone::Request);
        }
    }

    pub(super) fn client_destroyed(&mut self, at: usize, reply: &Reply) {
        let record = &self.model.records[at];
        let expected = if !record.alive || self.model.is_expired(at) {
            Status::STALE_CLIENTID
        } else if !self.model.sessions_of(at).is_empty() || record.opens > 0 {
            Status::CLIENTID_BUSY
        } else {
            Status::OK
        };
        assert!(
            reply.is_only(Op::DestroyClientId, expected),
            "{:?}, not {expected}",
            reply.statuses()
        );
        if expected == Status::OK {
            self.model.remove(at, ClientGone::Request);
        }
    }
}

/// How CREATE_SESSION binds its connection.
fn direction_of(flags: u32) -> Direction {
    if flags & CREATE_SESSION4_FLAG_CONN_BACK_CHAN != 0 {
        Direction::Both
    } else {
        Direction::Fore
    }
}
