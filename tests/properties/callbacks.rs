//! Whatever becomes of connections and answers: a client executes a callback once, and gets it by
//! the backchannel of the session that it is for. [RFC 8881 §2.10.6, §20.9]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nfs4_engine::{Admin, ConnId};
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::basic::{SessionId, Stateid};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_proto::rpc::Fault;
use nfs4_tests::sim::{Callback, Client, Sim};
use proptest::prelude::*;

use crate::runner::{Property, cases};

#[test]
fn a_callback_is_executed_once_and_comes_by_its_session() {
    let property = Property {
        name: "callbacks",
        cases: cases(),
        to_be_seen: &ALL_SEEN,
    };
    let steps = prop::collection::vec(step(), 60..160);
    property.holds(steps, |steps| {
        let mut play = Play::new();
        for step in steps {
            play.step(step);
        }
        play.sim.assert_nothing_is_left();
        play.seen
    });
}

/// One input. Numbers that are too large count round.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A request whose long reply is kept: memory runs short, and slots are recalled.
    Fill { peer: u8, slot: u8 },
    /// One whose reply is short.
    Spare { peer: u8, slot: u8 },
    /// Time goes on.
    Wait { seconds: u8 },
    /// A client does something with a callback that it has got.
    Answer { which: u8, how: How },
    /// BIND_CONN_TO_SESSION, by a new connection or an old one.
    Bind { peer: u8, conn: u8, back: bool },
    /// A connection is lost.
    Drop { conn: u8 },
    /// A client ends its half of a connection.
    EndHalf { conn: u8 },
    /// A connection is to drain, or not any more.
    Drain { conn: u8, drain: bool },
}

/// What a client does with a callback.
#[derive(Clone, Copy, Debug)]
enum How {
    /// Carries it out and says so.
    Execute,
    /// Carries it out, and the answer is lost.
    Swallow,
    /// Says that it cannot now.
    Delay,
    /// Never sees it.
    Lose,
    /// Takes no callbacks by that connection.
    Refuse,
}

/// What a case has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Executed,
    /// One that was executed came again.
    Repeated,
    /// One that was not executed came again.
    Again,
    /// One came by another connection than before.
    Moved,
}

/// What a client knows of a slot of a backchannel.
#[derive(Clone, Default)]
struct Slot {
    /// The last callback that it has executed.
    executed: u32,
    body: Vec<u8>,
    /// It has said so.
    told: bool,
    /// What came under the next seqid, and by which connection, as long as it was not refused.
    next: Option<(Vec<u8>, ConnId)>,
}

struct Play {
    sim: Sim,
    peers: Vec<Client>,
    conns: Vec<ConnId>,
    slots: BTreeMap<(SessionId, u32), Slot>,
    /// Callbacks with which nothing was done.
    inbox: Vec<Callback>,
    seen: BTreeSet<Seen>,
}

impl Play {
    /// Two clients with a session each and little memory for their replies.
    fn new() -> Play {
        let config =
            Sim::config().with(|config| config.max_reply_cache = 3 * 16 * u64::from(LARGE));
        let mut sim = Sim::with(config);
        let peers: Vec<Client> = (0..PEERS).map(|peer| mounted(&mut sim, peer)).collect();
        Play {
            conns: peers.iter().map(|peer| peer.conn).collect(),
            sim,
            peers,
            slots: BTreeMap::new(),
            inbox: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Fill { peer, slot } => self.request(peer, slot, true),
            Step::Spare { peer, slot } => self.request(peer, slot, false),
            Step::Wait { seconds } => self.sim.sleep(Duration::from_secs(seconds.into())),
            Step::Answer { which, how } => {
                if let Some(which) = usize::from(which).checked_rem(self.inbox.len()) {
                    let callback = self.inbox.remove(which);
                    self.answer(&callback, how);
                }
            }
            Step::Bind { peer, conn, back } => self.bind(peer, conn, back),
            Step::Drop { conn } => {
                if let Some(conn) = self.conn(conn) {
                    self.sim.kill(conn);
                }
            }
            Step::EndHalf { conn } => {
                if let Some(conn) = self.conn(conn) {
                    self.sim.end_half(conn);
                    // It sends nothing more there.
                    self.conns.retain(|other| *other != conn);
                    self.inbox.retain(|callback| callback.conn != conn);
                    for peer in self.peers.iter_mut().filter(|peer| peer.conn == conn) {
                        peer.conn = self.sim.connect();
                        self.conns.push(peer.conn);
                    }
                }
            }
            Step::Drain { conn, drain } => {
                if let Some(conn) = self.conn(conn) {
                    self.sim.admin(if drain {
                        Admin::Drain { conn }
                    } else {
                        Admin::StopDraining { conn }
                    });
                }
            }
        }
        self.sim.settle();
        self.conns.retain(|conn| self.sim.network().is_alive(*conn));
        for callback in self.sim.take_callbacks() {
            self.take(callback);
        }
        self.inbox
            .retain(|callback| self.sim.network().is_alive(callback.conn));
    }

    /// A callback arrives: its seqid is that of the next, or it is the last one again.
    fn take(&mut self, callback: Callback) {
        let sequence = callback.sequence();
        let (seqid, body) = (sequence.sequenceid, callback.body().to_vec());
        let slot = self.slots.entry((sequence.sessionid, sequence.slotid));
        let slot = slot.or_default();
        if seqid == slot.executed {
            assert!(!slot.told, "it was told that this is done: {callback:?}");
            assert_eq!(body, slot.body, "another callback under an old seqid");
            self.seen.insert(Seen::Repeated);
        } else {
            assert_eq!(seqid, slot.executed + 1, "{callback:?}");
            let known = slot.executed == 0 || slot.told;
            assert!(known, "what became of the last one is not known");
            if let Some((before, conn)) = &slot.next {
                assert_eq!(body, *before, "another callback under one seqid");
                self.seen.insert(Seen::Again);
                if *conn != callback.conn {
                    self.seen.insert(Seen::Moved);
                }
            }
            slot.next = Some((body, callback.conn));
        }
        self.inbox.push(callback);
    }

    fn answer(&mut self, callback: &Callback, how: How) {
        let sequence = callback.sequence();
        let slot = self.slots.get_mut(&(sequence.sessionid, sequence.slotid));
        let slot = slot.expect("it was made when the callback came");
        let is_new = sequence.sequenceid == slot.executed + 1;
        if !is_new && sequence.sequenceid != slot.executed {
            // It was executed, and another one since.
            return;
        }
        let answer = match how {
            How::Lose => return,
            How::Refuse => callback.fault(Fault::ProgUnavail),
            How::Delay if is_new => callback.refused(Status::DELAY),
            How::Delay | How::Execute | How::Swallow if is_new => {
                slot.executed = sequence.sequenceid;
                slot.body = callback.body().to_vec();
                slot.told = false;
                self.seen.insert(Seen::Executed);
                callback.ok()
            }
            How::Delay | How::Execute | How::Swallow => {
                callback.refused(Status::RETRY_UNCACHED_REP)
            }
        };
        if matches!(how, How::Swallow) {
            return;
        }
        slot.told |= sequence.sequenceid == slot.executed && !matches!(how, How::Refuse);
        // Neither is it under way any more, nor can it have been executed by what was answered.
        slot.next = None;
        self.sim.send(callback.conn, answer);
    }

    /// The next request on a slot. What becomes of it does not matter here.
    fn request(&mut self, peer: u8, slot: u8, long: bool) {
        let peer = usize::from(peer) % PEERS;
        let slot = u32::from(slot) % USED;
        let client = &self.peers[peer];
        if !self.sim.network().is_alive(client.conn) {
            let conn = self.sim.connect();
            self.conns.push(conn);
            self.peers[peer].conn = conn;
        }
        let client = &self.peers[peer];
        let look = args::Lookup {
            objname: NAMES[peer],
        };
        let request = client.request(&mut self.sim, slot, true, |c| {
            if long {
                c.putrootfh().lookup(look).read(READ)
            } else {
                c
            }
        });
        request.send(&mut self.sim, client.conn);
        self.sim.settle();
        let reply = self.sim.take_reply(request.xid());
        let first = reply.map(|reply| reply.statuses()[0]);
        match first {
            Some((Op::Sequence, Status::OK)) => self.peers[peer].advance(slot),
            // The session has gone: the client comes again.
            Some((Op::Sequence, Status::BADSESSION)) => {
                let conn = self.peers[peer].conn;
                self.peers[peer] = fresh(&mut self.sim, peer, conn);
            }
            _ => {}
        }
    }

    fn bind(&mut self, peer: u8, conn: u8, back: bool) {
        let conn = match self.conn(conn) {
            Some(conn) if conn.get().is_multiple_of(2) => conn,
            _ => {
                let conn = self.sim.connect();
                self.conns.push(conn);
                conn
            }
        };
        let client = &self.peers[usize::from(peer) % PEERS];
        let args = args::BindConnToSession {
            sessid: client.session,
            dir: if back {
                ChannelDirFromClient::Back
            } else {
                ChannelDirFromClient::ForeOrBoth
            },
            use_conn_in_rdma_mode: false,
        };
        let record = client.record(self.sim.xid(), b"", |c| c.bind_conn_to_session(args));
        self.sim.send(conn, record);
        self.sim.settle();
        self.sim.take_replies();
    }

    fn conn(&self, pick: u8) -> Option<ConnId> {
        let at = usize::from(pick).checked_rem(self.conns.len())?;
        Some(self.conns[at])
    }
}

/// A client with a session that has a backchannel, and with a file to read.
fn mounted(sim: &mut Sim, peer: usize) -> Client {
    let conn = sim.connect();
    let mut client = fresh(sim, peer, conn);
    let done = args::ReclaimComplete { one_fs: false };
    client.call(sim, |c| c.reclaim_complete(done)).all_ok();
    client.make_file(sim, NAMES[peer], LARGE);
    client
}

/// A client with a new session that has a backchannel.
fn fresh(sim: &mut Sim, peer: usize, conn: ConnId) -> Client {
    let mut client = Client::on(conn, &format!("peer {peer}"));
    client.exchange_id(sim).all_ok();
    let mut args = client.session_args();
    args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    args.fore_chan_attrs.maxrequests = 64;
    args.fore_chan_attrs.maxresponsesize_cached = LARGE + 1_000;
    client.create_session_with(sim, args).all_ok();
    client
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    let how = prop_oneof![
        6 => Just(How::Execute),
        3 => Just(How::Swallow),
        2 => Just(How::Delay),
        2 => Just(How::Lose),
        1 => Just(How::Refuse),
    ];
    prop_oneof![
        10 => (byte(), byte()).prop_map(|(peer, slot)| Step::Fill { peer, slot }),
        2 => (byte(), byte()).prop_map(|(peer, slot)| Step::Spare { peer, slot }),
        6 => (0..12_u8).prop_map(|seconds| Step::Wait { seconds }),
        8 => (byte(), how).prop_map(|(which, how)| Step::Answer { which, how }),
        4 => (byte(), byte(), any::<bool>())
            .prop_map(|(peer, conn, back)| Step::Bind { peer, conn, back }),
        2 => byte().prop_map(|conn| Step::Drop { conn }),
        1 => byte().prop_map(|conn| Step::EndHalf { conn }),
        1 => (byte(), any::<bool>()).prop_map(|(conn, drain)| Step::Drain { conn, drain }),
    ]
}

const ALL_SEEN: [Seen; 4] = [Seen::Executed, Seen::Repeated, Seen::Again, Seen::Moved];
const PEERS: usize = 2;
/// Slots of the fore channel that are used.
const USED: u32 = 24;
/// A file of each client's own, so that nothing else is recalled.
const NAMES: [&[u8]; PEERS] = [b"f", b"g"];
const LARGE: u32 = 30_000;
const READ: args::Read = args::Read {
    stateid: Stateid::READ_BYPASS,
    offset: 0,
    count: LARGE,
};
