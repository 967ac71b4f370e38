//! Random requests for clients, sessions and connections, in any order and with any numbers: the
//! tables agree, every status is one that the operation may return, and nothing is left. The
//! engine's own assertions and invariants check the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use nfs4_engine::{Admin, BindingPolicy, Change, ConnId};
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{
    self, CallbackSecParms, ChannelAttrs, ChannelDirFromClient, ClientOwner, StateProtect,
};
use nfs4_proto::nfs4::basic::{ClientId, SessionId, Verifier};
use nfs4_proto::nfs4::consts::EXCHGID4_FLAG_UPD_CONFIRMED_REC_A;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_proto::xdr::{Encode, List, Writer};
use nfs4_tests::sim::{Client, Pace, Reply, Rng, SESSION_ATTRS, Sim};

/// What was seen in replies and may be asked for again.
struct RandomClients {
    rng: Rng,
    sim: Sim,
    conns: Vec<ConnId>,
    clients: Vec<(ClientId, u32)>,
    sessions: Vec<(SessionId, [u32; 9])>,
    /// What is wanting: a client that is known, and a session.
    wanting: Option<Op>,
    answered: BTreeMap<Op, BTreeMap<Status, u32>>,
}

impl RandomClients {
    fn new(seed: u64) -> RandomClients {
        let config = Sim::config().with(|config| {
            config.binding_policy =
                [BindingPolicy::Exclusive, BindingPolicy::Shared][seed as usize % 2];
            config.max_connections_per_session = 3;
            config.max_clients = 8;
            config.max_sessions = 9;
            config.sessions_per_client = 4;
            config.max_reply_cache = 8_192;
            config.max_cached_reply = 4_096;
            config.slow_request = Duration::from_millis(500);
        });
        let mut sim = Sim::with(config);
        RandomClients {
            rng: Rng::new(seed),
            conns: (0..4).map(|_| sim.connect()).collect(),
            sim,
            clients: vec![(ClientId(7), 1)],
            sessions: vec![(SessionId([7; 16]), [1; 9])],
            wanting: None,
            answered: BTreeMap::new(),
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.index(from.len())]
    }

    /// Mostly what is said first, and now and then anything else.
    fn mostly<T: Copy>(&mut self, usual: T, others: &[T]) -> T {
        if self.rng.below(8) > 0 {
            usual
        } else {
            self.pick(others)
        }
    }

    /// Mostly one of those seen last.
    fn recent(&mut self, len: usize) -> usize {
        let back = self.rng.index(len.min(4)).min(self.rng.index(len.min(4)));
        len - 1 - back
    }

    fn step(&mut self) {
        match self.rng.below(40) {
            0 => {
                let at = self.rng.index(self.conns.len());
                self.sim.kill(self.conns[at]);
                self.sim.run();
                self.conns[at] = self.sim.connect();
            }
            1 | 2 => {
                let admin = self.administer();
                if self.sim.engine().check_admin(&admin).is_ok() {
                    self.sim.admin(admin);
                }
            }
            3 => {
                let lease = self.sim.settings().lease;
                let tenths = self.pick(&[0, 0, 1, 2, 5, 6, 11]);
                let span = lease * tenths / 10 + Duration::from_secs(1);
                if self.rng.below(2) == 0 {
                    self.sim.sleep(span);
                } else {
                    self.sim.jump(span);
                }
            }
            4 => {
                let pace = self.pick(&[Pace::Delayed, Pace::Held]);
                self.sim.set_pace(pace);
            }
            5 | 6 if !self.sim.held().is_empty() => {
                let at = self.rng.index(self.sim.held().len());
                if self.rng.below(2) == 0 {
                    self.sim.complete(at);
                } else {
                    self.sim.execute(at);
                }
            }
            7 if self.sim.executed() > 0 => {
                let at = self.rng.index(self.sim.executed());
                self.sim.deliver(at);
                self.sim.run();
            }
            _ => self.call(),
        }
        for reply in self.sim.take_replies() {
            self.hear(&reply);
        }
        // A closed connection is replaced by a new one.
        for at in 0..self.conns.len() {
            if !self.sim.network().is_alive(self.conns[at]) {
                self.conns[at] = self.sim.connect();
            }
        }
    }

    /// A random request of the administrator.
    fn administer(&mut self) -> Admin {
        let conn = self.pick(&self.conns.clone());
        let client = self.recent(self.clients.len());
        let session = self.recent(self.sessions.len());
        match self.rng.below(12) {
            0..4 => Admin::Drain { conn },
            4..8 => Admin::StopDraining { conn },
            8 => Admin::EvictClient {
                client: self.clients[client].0.0,
            },
            9 => Admin::DestroySession {
                session: self.sessions[session].0,
            },
            _ => Admin::Configure(Box::new(Change::default().with(|change| {
                change.lease = Some(self.pick(&LEASES));
                change.fore_slots = Some(self.pick(&[1, 8, 64]));
                change.max_connections_per_session = Some(self.pick(&[1, 2, 3, 0]));
                change.binding_policy =
                    Some(self.pick(&[BindingPolicy::Exclusive, BindingPolicy::Shared]));
            }))),
        }
    }

    fn call(&mut self) {
        let conn = self.pick(&self.conns.clone());
        let mut who = Client::on(conn, "");
        who.uid = self.mostly(1_000, &[2_000]);
        who.minor = self.pick(&[1, 1, 2]);
        let tag = vec![b't'; self.mostly(0, &[5, 1_024])];
        let wanting = self.wanting.filter(|_| self.rng.below(6) > 0);
        let sequence = match wanting {
            None if self.rng.below(8) > 0 => Some(self.sequence()),
            _ => None,
        };
        let most = if sequence.is_some() {
            3
        } else {
            self.mostly(1, &[2])
        };
        let mut operations: Vec<_> = wanting.map(|op| self.operation(op)).into_iter().collect();
        if wanting.is_none() {
            for _ in 0..self.rng.below(most + 1) {
                let op = self.pick(OPERATIONS);
                operations.push(self.operation(op));
            }
        }
        let record = who.record(self.sim.xid(), &tag, |c| {
            if let Some(sequence) = sequence {
                c.sequence(sequence);
            }
            for (op, args) in &operations {
                c.raw(op.number(), args);
            }
            c
        });
        self.sim.send(conn, record.clone());
        if self.rng.below(6) == 0 {
            // The same by another connection, perhaps before the first is answered.
            let other = self.pick(&self.conns.clone());
            let mut again = record;
            again[4..8].copy_from_slice(&self.sim.xid().to_be_bytes());
            self.sim.send(other, again);
        }
        self.sim.run();
    }

    fn sequence(&mut self) -> args::Sequence {
        let at = self.recent(self.sessions.len());
        let (sessionid, slots) = self.sessions[at];
        let slotid = self.mostly(0, &[1, 1, 7, 7, 8, u32::MAX]);
        let next = slots[slotid.min(8) as usize];
        args::Sequence {
            sessionid,
            sequenceid: next.wrapping_sub(self.mostly(0, &[1, 1, 2, u32::MAX])),
            slotid,
            highest_slotid: self.mostly(7, &[0, 1, u32::MAX]),
            cachethis: self.rng.below(2) == 0,
        }
    }

    fn operation(&mut self, op: Op) -> (Op, Vec<u8>) {
        let mut w = Writer::new();
        let session = self.recent(self.sessions.len());
        let sessionid = self.sessions[session].0;
        let client = self.recent(self.clients.len());
        let (clientid, next) = self.clients[client];
        match op {
            Op::ExchangeId => self.exchange_id(&mut w),
            Op::CreateSession => self.create_session(clientid, next, &mut w),
            Op::DestroySession => args::DestroySession { sessionid }.encode(&mut w),
            Op::DestroyClientId => args::DestroyClientId { clientid }.encode(&mut w),
            Op::BindConnToSession => args::BindConnToSession {
                sessid: sessionid,
                dir: self.pick(&[
                    ChannelDirFromClient::Fore,
                    ChannelDirFromClient::Back,
                    ChannelDirFromClient::ForeOrBoth,
                    ChannelDirFromClient::BackOrBoth,
                ]),
                use_conn_in_rdma_mode: false,
            }
            .encode(&mut w),
            Op::BackchannelCtl => args::BackchannelCtl {
                cb_program: 5,
                sec_parms: List::new(&[CallbackSecParms::None]),
            }
            .encode(&mut w),
            Op::ReclaimComplete => args::ReclaimComplete {
                one_fs: self.rng.below(4) == 0,
            }
            .encode(&mut w),
            Op::Sequence => self.sequence().encode(&mut w),
            Op::Lookup => args::Lookup { objname: b"absent" }.encode(&mut w),
            Op::Renew => w.u64(clientid.0),
            _ => {}
        }
        let mut args = w.into_vec();
        if self.rng.below(30) == 0 && !args.is_empty() {
            let at = self.rng.index(args.len());
            args[at] ^= 1 << self.rng.below(8);
        }
        (op, args)
    }

    fn exchange_id(&mut self, w: &mut Writer) {
        let flags = self.mostly(0, &[EXCHGID4_FLAG_UPD_CONFIRMED_REC_A, 4, 8]);
        let owner = self.pick(&[b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", b"i"]);
        args::ExchangeId {
            clientowner: ClientOwner {
                verifier: Verifier([self.mostly(1, &[2, 3]); 8]),
                ownerid: owner,
            },
            flags,
            state_protect: StateProtect::None,
            client_impl_id: None,
        }
        .encode(w);
    }

    fn create_session(&mut self, clientid: ClientId, next: u32, w: &mut Writer) {
        let sequence = next.wrapping_sub(self.mostly(0, &[1, 1, 2, u32::MAX]));
        let mut channel = || {
            let most = self.mostly(1 << 20, &[u32::MAX, 300, 20]);
            ChannelAttrs {
                maxresponsesize: most,
                maxresponsesize_cached: self.mostly(8_192, &[u32::MAX, 100, 0]),
                maxoperations: self.mostly(16, &[u32::MAX, 2, 1]),
                maxrequests: self.mostly(8, &[8, 1, 0]),
                ..SESSION_ATTRS
            }
        };
        args::CreateSession {
            clientid,
            sequence,
            fore_chan_attrs: channel(),
            back_chan_attrs: channel(),
            flags: self.mostly(2, &[0, 0, 7, 8]),
            cb_program: 5,
            sec_parms: List::empty(),
        }
        .encode(w);
    }

    fn hear(&mut self, reply: &Reply) {
        for result in reply.results() {
            self.wanting = match (result.op(), result.status()) {
                (Op::Sequence, Status::BADSESSION) => Some(Op::CreateSession),
                (Op::CreateSession, Status::STALE_CLIENTID) => Some(Op::ExchangeId),
                (Op::ExchangeId, Status::OK) => Some(Op::CreateSession),
                (Op::CreateSession, Status::OK) => None,
                _ => self.wanting,
            };
            let of_op = self.answered.entry(result.op()).or_default();
            *of_op.entry(result.status()).or_default() += 1;
            match result {
                ResOp::ExchangeId(Outcome::Ok(ok)) => {
                    self.clients.push((ok.clientid, ok.sequenceid));
                }
                ResOp::CreateSession(Outcome::Ok(ok)) => {
                    if self.sessions.iter().all(|known| known.0 != ok.sessionid) {
                        self.sessions.push((ok.sessionid, [1; 9]));
                    }
                    for (_, next) in &mut self.clients {
                        if *next == ok.sequence {
                            *next = next.wrapping_add(1);
                        }
                    }
                }
                ResOp::Sequence(Outcome::Ok(ok)) => {
                    let session = self.sessions.iter_mut().find(|s| s.0 == ok.sessionid);
                    let (_, slots) = session.expect("it was made");
                    slots[ok.slotid as usize] = ok.sequenceid.wrapping_add(1);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn the_tables_agree_under_random_requests_and_nothing_is_left() {
    let mut answered = BTreeMap::<Op, BTreeMap<Status, u32>>::new();
    for seed in 0..ROUNDS {
        let mut random = RandomClients::new(seed);
        for _ in 0..STEPS {
            random.step();
        }
        // Some go by a lease that was as long as this when they were told.
        let longest = Change::default().with(|change| change.lease = Some(LEASES[2]));
        random.sim.admin(Admin::Configure(Box::new(longest)));
        random.sim.assert_nothing_is_left();
        for (op, statuses) in random.answered {
            for (status, count) in statuses {
                let of_op = answered.entry(op).or_default();
                *of_op.entry(status).or_default() += count;
            }
        }
    }
    for (op, statuses) in SEEN {
        for status in *statuses {
            let seen = answered.get(op).and_then(|of_op| of_op.get(status));
            assert!(seen.is_some(), "{op} has never answered {status}");
        }
    }
}

const LEASES: [Duration; 3] = [
    Duration::from_secs(30),
    Duration::from_secs(90),
    Duration::from_secs(200),
];
const OPERATIONS: &[Op] = &[
    Op::ExchangeId,
    Op::CreateSession,
    Op::CreateSession,
    Op::CreateSession,
    Op::DestroySession,
    Op::DestroyClientId,
    Op::BindConnToSession,
    Op::BindConnToSession,
    Op::BackchannelCtl,
    Op::ReclaimComplete,
    Op::Sequence,
    Op::PutRootFh,
    Op::PutRootFh,
    Op::Lookup,
    Op::Renew,
];
const ROUNDS: u64 = 40;
const STEPS: usize = 400;
/// What some of it must come to, for it to be worth while.
const SEEN: &[(Op, &[Status])] = &[
    (
        Op::Sequence,
        &[
            Status::OK,
            Status::DELAY,
            Status::BADSESSION,
            Status::BADSLOT,
            Status::SEQ_MISORDERED,
            Status::SEQ_FALSE_RETRY,
            Status::SEQUENCE_POS,
            Status::TOO_MANY_OPS,
            Status::REP_TOO_BIG,
            Status::REP_TOO_BIG_TO_CACHE,
        ],
    ),
    (
        Op::ExchangeId,
        &[
            Status::OK,
            Status::INVAL,
            Status::NOENT,
            Status::CLID_INUSE,
            Status::NOT_ONLY_OP,
        ],
    ),
    (
        Op::CreateSession,
        &[
            Status::OK,
            Status::INVAL,
            Status::TOOSMALL,
            Status::NOSPC,
            Status::CLID_INUSE,
            Status::STALE_CLIENTID,
            Status::SEQ_MISORDERED,
        ],
    ),
    (
        Op::BindConnToSession,
        &[
            Status::OK,
            Status::RESOURCE,
            Status::BADSESSION,
            Status::NOT_ONLY_OP,
        ],
    ),
    (
        Op::DestroySession,
        &[
            Status::OK,
            Status::BADSESSION,
            Status::CONN_NOT_BOUND_TO_SESSION,
            Status::NOT_ONLY_OP,
        ],
    ),
    (
        Op::DestroyClientId,
        &[Status::OK, Status::STALE_CLIENTID, Status::CLIENTID_BUSY],
    ),
    (
        Op::PutRootFh,
        &[
            Status::OK,
            Status::RETRY_UNCACHED_REP,
            Status::OP_NOT_IN_SESSION,
        ],
    ),
    (Op::BackchannelCtl, &[Status::OK, Status::INVAL]),
    (Op::ReclaimComplete, &[Status::OK, Status::COMPLETE_ALREADY]),
];
