//! Calls without SEQUENCE.

use nfs4_engine::{BindingPolicy, ClientGone, ConnId, Direction, SessionGone};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Reply, SESSION_ATTRS};

use super::model::{Record, SLOTS, Session, Slot};
use super::play::{Play, Seen, Sequence};
use super::request::{MOST_OPERATIONS, MOST_REQUEST};

impl Play {
    /// A call without SEQUENCE.
    fn ask(
        &mut self,
        peer: usize,
        conn: ConnId,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let xid = self.sim.xid();
        let record = self.peers[peer].record(xid, b"", build);
        self.sim.send(conn, record);
        self.sim.settle();
        let reply = self.sim.take_reply(xid).expect("it is answered at once");
        assert_eq!(reply.conn, conn, "by the connection that asked");
        reply
    }

    pub(super) fn introduce(&mut self, peer: usize, conn: ConnId, reboot: bool) {
        if reboot {
            self.peers[peer].reboot();
        }
        let client = self.peers[peer].clone();
        let reply = self
            .ask(peer, conn, |c| c.exchange_id(client.introduction()))
            .all_ok();
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
            opens: 0,
            created: ok.sequenceid - 1,
            create_reply: None,
        });
    }

    pub(super) fn create(&mut self, peer: usize, conn: ConnId, back: bool, sequence: Sequence) {
        let at = self.records[peer];
        let record = &self.model.records[at];
        let sequence = match sequence {
            Sequence::Next => record.created + 1,
            Sequence::Last => record.created,
            Sequence::Wrong => record.created + 9,
        };
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
        } else if self.model.sessions_of(at).len() >= 3 {
            Status::NOSPC
        } else {
            Status::OK
        };
        let mut args = self.peers[peer].session_args();
        args.clientid.0 = record.id;
        args.sequence = sequence;
        args.flags = if back {
            CREATE_SESSION4_FLAG_CONN_BACK_CHAN
        } else {
            0
        };
        args.fore_chan_attrs = args::ChannelAttrs {
            maxrequestsize: MOST_REQUEST,
            maxrequests: SLOTS as u32,
            maxoperations: MOST_OPERATIONS,
            ..SESSION_ATTRS
        };
        let reply = self.ask(peer, conn, |c| c.create_session(args));
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
            return;
        }
        let ok = ok!(reply, CreateSession);
        assert_eq!(ok.flags, args.flags, "the flags say what the tables hold");
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
            lost_fore: false,
            last_used: now,
            running: 0,
            slots: std::array::from_fn(|_| Slot::default()),
        });
        let direction = if back {
            Direction::Both
        } else {
            Direction::Fore
        };
        let session = self.model.sessions.len() - 1;
        self.model.associate(session, conn, direction);
    }

    pub(super) fn bind(&mut self, at: usize, conn: ConnId, dir: u8) {
        let (dir, direction) = match dir % 4 {
            0 => (ChannelDirFromClient::Fore, Direction::Fore),
            1 => (ChannelDirFromClient::Back, Direction::Back),
            2 => (ChannelDirFromClient::ForeOrBoth, Direction::Both),
            _ => (ChannelDirFromClient::BackOrBoth, Direction::Both),
        };
        let sessid = self.model.sessions[at].id;
        let args = args::BindConnToSession {
            sessid,
            dir,
            use_conn_in_rdma_mode: false,
        };
        let expected = self.model.bind(at, conn, direction);
        let reply = self.ask(0, conn, |c| c.bind_conn_to_session(args));
        assert!(
            reply.is_only(Op::BindConnToSession, expected),
            "{:?}, not {expected}",
            reply.statuses()
        );
        if expected != Status::OK {
            return;
        }
        self.seen.insert(Seen::Bind);
        if self.model.policy == BindingPolicy::Exclusive {
            let bindings = self.sim.bindings();
            let own: Vec<_> = bindings.iter().filter(|bound| bound.1 == conn).collect();
            assert_eq!(own, [&(sessid, conn, direction)], "exactly that binding");
        }
    }

    pub(super) fn destroy_session(&mut self, at: usize, conn: ConnId) {
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
        let args = args::DestroySession {
            sessionid: session.id,
        };
        let reply = self.ask(0, conn, |c| c.destroy_session(args));
        assert!(
            reply.is_only(Op::DestroySession, expected),
            "{:?}, not {expected}",
            reply.statuses()
        );
        if expected == Status::OK {
            self.model.destroy(at, SessionGone::Request);
        }
    }

    pub(super) fn destroy_client(&mut self, peer: usize, conn: ConnId) {
        let at = self.records[peer];
        let record = &self.model.records[at];
        let expected = if !record.alive || self.model.is_expired(at) {
            Status::STALE_CLIENTID
        } else if !self.model.sessions_of(at).is_empty() || record.opens > 0 {
            Status::CLIENTID_BUSY
        } else {
            Status::OK
        };
        let mut args = args::DestroyClientId {
            clientid: self.peers[peer].id,
        };
        args.clientid.0 = record.id;
        let reply = self.ask(peer, conn, |c| c.destroy_clientid(args));
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
