//! Clients of a server that dies again and again, while its writes to stable storage are late, fail, fail although
//! they were carried out, or are durable without the server having heard of it: a client finds again what it had when it comes in time,
//! and never what another client has had since. [RFC 8881 §8.4.3]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nfs4_engine::stable::StableError;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, OpenClaim};
use nfs4_proto::nfs4::basic::{DelegationType, StableHow, Stateid};
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, making_args, open_args};
use proptest::prelude::*;

use crate::runner::{Property, cases};

/// One thing that happens. What a request waits for in stable storage ends as `store` says.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A client wants a file for itself.
    Open {
        client: u8,
        file: u8,
        store: Outcome,
    },
    /// A client closes a file.
    Close { client: u8, file: u8 },
    /// A client shows that it is there, and reclaims if it has to; it may put off the end of that.
    Contact {
        client: u8,
        completes: bool,
        store: Outcome,
    },
    /// A client starts anew.
    Reboot { client: u8, store: Outcome },
    /// Quarters of a lease go by.
    Wait { quarters: u8 },
    /// A write that no request waits for ends.
    Store { store: Outcome },
    /// The server dies.
    Crash,
}

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Fails,
    /// It is carried out, and the server hears that it has failed.
    Doubtful,
    /// The server dies before it is durable.
    Lost,
    /// The server dies before it hears that it is durable.
    Unheard,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Reclaimed,
    NotReclaimed,
    DiedInGrace,
    WriteFailed,
    WriteDoubtful,
    DiedInWrite,
    Taken,
}

/// What a client believes to have.
#[derive(Clone, Debug)]
struct Belief {
    fh: Vec<u8>,
    stateid: Stateid,
    /// The grant that it believes in.
    grant: u64,
    /// The server that has granted it, or given it back, and has not forgotten the client since.
    boot: Option<u32>,
    /// It must be able to reclaim it, if it comes in time.
    is_due: bool,
}

struct Peer {
    client: Client,
    beliefs: BTreeMap<u8, Belief>,
    /// The server that it has a session with, and whether it has completed its reclaims there.
    boot: Option<u32>,
    completed: bool,
    /// It has lost something: the server may give it back less than it could.
    has_freed: bool,
    /// When the server last heard of it.
    last: Duration,
}

struct World {
    sim: Sim,
    boot: u32,
    peers: Vec<Peer>,
    /// The last grant of each file.
    grants: [u64; FILES as usize],
    next: u64,
    seen: BTreeSet<Seen>,
}

/// The server has died before it answered.
struct Died;

impl World {
    fn new() -> World {
        let config = Sim::config().with(|config| config.lease = LEASE);
        let mut sim = Sim::durable(config);
        let peers = (0..CLIENTS)
            .map(|number| Peer {
                client: Client::stranger(&mut sim, &format!("client {number}")),
                beliefs: BTreeMap::new(),
                boot: None,
                completed: false,
                has_freed: false,
                last: Duration::ZERO,
            })
            .collect();
        sim.hold_stores(true);
        World {
            sim,
            boot: 0,
            peers,
            grants: [0; FILES as usize],
            next: 0,
            seen: BTreeSet::new(),
        }
    }

    fn takes_reclaims(&self) -> bool {
        let shown = self.sim.engine().grace(self.sim.clock());
        shown.active && shown.remaining > Duration::ZERO && shown.known > 0
    }

    fn crash(&mut self) {
        let grace = self.takes_reclaims();
        if grace {
            self.seen.insert(Seen::DiedInGrace);
        }
        let (now, boot) = (self.sim.now(), self.boot);
        for peer in &mut self.peers {
            let lives = peer.boot == Some(boot) && now - peer.last < LEASE;
            // The server has forgotten a client that has completed its reclaims and fallen silent.
            let gone = peer.boot == Some(boot) && peer.completed && !lives;
            for belief in peer.beliefs.values_mut() {
                let held = belief.boot == Some(boot) && lives && peer.completed;
                belief.is_due = held && !peer.has_freed || grace && belief.is_due && !gone;
            }
        }
        self.sim.restart();
        self.boot += 1;
    }

    /// The oldest write that waits ends; the server dies if that says so.
    fn store(&mut self, outcome: Outcome) -> Result<(), Died> {
        match outcome {
            Outcome::Done => self.sim.store_next(Ok(())),
            Outcome::Fails => {
                self.seen.insert(Seen::WriteFailed);
                self.sim.store_next(Err(StableError::Failed));
            }
            Outcome::Doubtful => {
                self.seen.insert(Seen::WriteDoubtful);
                self.sim.store_in_doubt();
            }
            Outcome::Lost | Outcome::Unheard => {
                self.seen.insert(Seen::DiedInWrite);
                if outcome == Outcome::Unheard {
                    self.sim.store_silently();
                }
                self.crash();
                return Err(Died);
            }
        }
        Ok(())
    }

    /// The reply to a record. What it waits for ends as `first` says, and well after that.
    fn exchange(&mut self, number: usize, record: Vec<u8>, first: Outcome) -> Result<Reply, Died> {
        let xid = u32::from_be_bytes(record[4..8].try_into().expect("four bytes"));
        let conn = self.peers[number].client.conn;
        self.sim.send(conn, record);
        self.sim.run();
        let mut outcome = first;
        loop {
            if let Some(reply) = self.sim.take_reply(xid) {
                return Ok(reply);
            }
            self.store(outcome)?;
            outcome = Outcome::Done;
        }
    }

    fn bare(
        &mut self,
        number: usize,
        outcome: Outcome,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Result<Reply, Died> {
        let xid = self.sim.xid();
        let record = self.peers[number].client.record(xid, b"", build);
        self.exchange(number, record, outcome)
    }

    fn call(
        &mut self,
        number: usize,
        outcome: Outcome,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Result<Reply, Died> {
        let client = &self.peers[number].client;
        let request = client.request(&mut self.sim, 0, true, build);
        let reply = self.exchange(number, request.record, outcome)?;
        if reply.statuses().first() == Some(&(Op::Sequence, Status::OK)) {
            let peer = &mut self.peers[number];
            peer.client.advance(0);
            peer.last = self.sim.now();
        }
        Ok(reply)
    }

    /// The client has a session, a new one if need be; `false` if it gets none now.
    fn enter(&mut self, number: usize, outcome: Outcome) -> Result<bool, Died> {
        let boot = self.boot;
        if self.peers[number].boot == Some(boot) {
            let reply = self.call(number, outcome, |c| c.putrootfh())?;
            if reply.status() == Status::OK {
                self.free_lost(number, outcome)?;
                return Ok(true);
            }
            assert_eq!(reply.last(), (Op::Sequence, Status::BADSESSION));
        }
        let peer = &mut self.peers[number];
        if peer.boot == Some(boot) {
            // Its lease has expired.
            for belief in peer.beliefs.values_mut() {
                belief.is_due &= !peer.completed;
                belief.boot = None;
            }
        }
        peer.boot = None;
        let conn = self.sim.connect();
        let client = &mut self.peers[number].client;
        client.conn = conn;
        let introduction = client.clone();
        let args = introduction.introduction();
        let reply = self.bare(number, outcome, |c| c.exchange_id(args))?;
        if reply.status() == Status::DELAY {
            return Ok(false);
        }
        let reply = reply.all_ok();
        let ok = ok!(reply, ExchangeId);
        let client = &mut self.peers[number].client;
        (client.id, client.create_sequence) = (ok.clientid, ok.sequenceid);
        let args = client.session_args();
        let reply = self.bare(number, outcome, |c| c.create_session(args))?;
        if reply.status() == Status::DELAY {
            return Ok(false);
        }
        let reply = reply.all_ok();
        let ok = ok!(reply, CreateSession);
        let now = self.sim.now();
        let peer = &mut self.peers[number];
        peer.client.session = ok.sessionid;
        peer.client.slots = vec![1; ok.fore_chan_attrs.maxrequests as usize];
        (peer.boot, peer.completed, peer.last) = (Some(boot), false, now);
        Ok(true)
    }

    /// The client learns what it has lost while it was away.
    fn free_lost(&mut self, number: usize, outcome: Outcome) -> Result<(), Died> {
        let boot = self.boot;
        let beliefs = self.peers[number].beliefs.clone();
        for (file, belief) in beliefs {
            if belief.boot != Some(boot) {
                continue;
            }
            let stateid = Stateid {
                seqid: 0,
                ..belief.stateid
            };
            let put = args::PutFh { object: &belief.fh };
            let write = args::Write {
                stateid,
                offset: 0,
                stable: StableHow::FileSync,
                data: b"x",
            };
            let reply = self.call(number, outcome, |c| c.putfh(put).write(write))?;
            if reply.status() == Status::OK {
                continue;
            }
            assert_eq!(reply.last(), (Op::Write, Status::EXPIRED));
            self.seen.insert(Seen::Taken);
            let peer = &mut self.peers[number];
            peer.beliefs.remove(&file);
            // Whether the server can still tell is not known before another incarnation.
            peer.has_freed = true;
            let free = args::FreeStateid { stateid };
            self.call(number, outcome, |c| c.free_stateid(free))?;
        }
        Ok(())
    }

    /// The client reclaims what it believes to have from earlier, and then completes that.
    fn recover(&mut self, number: usize, completes: bool, outcome: Outcome) -> Result<(), Died> {
        if !self.enter(number, outcome)? || self.peers[number].completed {
            return Ok(());
        }
        let beliefs = self.peers[number].beliefs.clone();
        for (file, belief) in beliefs {
            let can = self.takes_reclaims();
            if belief.boot == Some(self.boot) {
                continue;
            }
            let open = args::Open {
                claim: OpenClaim::Previous(DelegationType::None),
                share_access: ACCESS,
                share_deny: 3,
                ..open_args(b"o", b"")
            };
            let put = args::PutFh { object: &belief.fh };
            let reply = self.call(number, outcome, |c| c.putfh(put).open(open))?;
            let boot = self.boot;
            let own = &mut self.peers[number].beliefs;
            match reply.status() {
                Status::OK => {
                    self.seen.insert(Seen::Reclaimed);
                    assert_eq!(
                        belief.grant,
                        self.grants[usize::from(file)],
                        "client {number} reclaims {file}, which another client has had since"
                    );
                    let mine = own.get_mut(&file).expect("it believes so");
                    (mine.stateid, mine.boot) = (ok!(reply, Open).stateid, Some(boot));
                    // It stays due while no other client can get it.
                    mine.is_due = true;
                }
                status => {
                    assert!(!(can && belief.is_due), "client {number}, {file}: {status}");
                    let refusals = [
                        Status::NO_GRACE,
                        Status::RECLAIM_CONFLICT,
                        Status::RECLAIM_BAD,
                    ];
                    assert!(refusals.contains(&status), "{status}");
                    self.seen.insert(Seen::NotReclaimed);
                    own.remove(&file);
                }
            }
        }
        if completes {
            let done = args::ReclaimComplete { one_fs: false };
            let reply = self.call(number, outcome, |c| c.reclaim_complete(done))?;
            match reply.last() {
                (Op::ReclaimComplete, Status::OK) => self.peers[number].completed = true,
                (Op::ReclaimComplete, Status::DELAY) => {}
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }

    fn open(&mut self, number: usize, file: u8, outcome: Outcome) -> Result<(), Died> {
        self.recover(number, true, outcome)?;
        if self.peers[number].boot != Some(self.boot) {
            return Ok(());
        }
        let name = [b'a' + file];
        let open = args::Open {
            share_access: ACCESS,
            share_deny: 3,
            ..making_args(b"o", &name)
        };
        let reply = self.call(number, outcome, |c| c.putrootfh().open(open).getfh())?;
        match reply.status() {
            Status::OK => {
                let (now, boot) = (self.sim.now(), self.boot);
                for (other, peer) in self.peers.iter().enumerate() {
                    let Some(belief) = peer.beliefs.get(&file).filter(|_| other != number) else {
                        continue;
                    };
                    let lives = peer.boot == Some(boot) && now - peer.last < LEASE;
                    let holds =
                        belief.boot == Some(boot) && lives || belief.is_due && self.in_grace();
                    assert!(!holds, "{file} of client {other} is given to {number}");
                    self.seen.insert(Seen::Taken);
                }
                self.next += 1;
                self.grants[usize::from(file)] = self.next;
                let belief = Belief {
                    fh: ok!(reply, GetFh).object.to_vec(),
                    stateid: ok!(reply, Open).stateid,
                    grant: self.next,
                    boot: Some(boot),
                    is_due: false,
                };
                self.peers[number].beliefs.insert(file, belief);
            }
            Status::SHARE_DENIED | Status::GRACE | Status::DELAY => {}
            other => panic!("{other}"),
        }
        Ok(())
    }

    fn in_grace(&self) -> bool {
        self.sim.engine().grace(self.sim.clock()).active
    }

    fn close(&mut self, number: usize, file: u8) -> Result<(), Died> {
        let peer = &self.peers[number];
        let Some(belief) = peer.beliefs.get(&file).cloned() else {
            return Ok(());
        };
        if peer.boot != Some(self.boot) || belief.boot != Some(self.boot) {
            return Ok(());
        }
        let close = args::Close {
            seqid: 0,
            open_stateid: belief.stateid,
        };
        let put = args::PutFh { object: &belief.fh };
        let reply = self.call(number, Outcome::Done, |c| c.putfh(put).close(close))?;
        let peer = &mut self.peers[number];
        match reply.status() {
            Status::OK => {
                peer.beliefs.remove(&file);
            }
            Status::EXPIRED => {
                self.seen.insert(Seen::Taken);
                peer.beliefs.remove(&file);
                peer.has_freed = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), Died> {
        match step {
            Step::Open {
                client,
                file,
                store,
            } => self.open(usize::from(client % CLIENTS), file % FILES, store),
            Step::Close { client, file } => self.close(usize::from(client % CLIENTS), file % FILES),
            Step::Contact {
                client,
                completes,
                store,
            } => self.recover(usize::from(client % CLIENTS), completes, store),
            Step::Reboot { client, store } => {
                let number = usize::from(client % CLIENTS);
                let peer = &mut self.peers[number];
                peer.client.reboot();
                peer.beliefs.clear();
                (peer.boot, peer.completed) = (None, false);
                self.recover(number, true, store)
            }
            Step::Wait { quarters } => {
                self.sim.sleep(LEASE / 4 * u32::from(quarters));
                Ok(())
            }
            Step::Store { store } if !self.sim.waiting_stores().is_empty() => self.store(store),
            Step::Store { .. } => Ok(()),
            Step::Crash => {
                self.crash();
                Ok(())
            }
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        10 => Just(Outcome::Done),
        2 => Just(Outcome::Fails),
        2 => Just(Outcome::Doubtful),
        2 => Just(Outcome::Lost),
        2 => Just(Outcome::Unheard),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (any::<u8>(), any::<u8>(), outcome())
            .prop_map(|(client, file, store)| Step::Open { client, file, store }),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(client, file)| Step::Close { client, file }),
        5 => (any::<u8>(), prop::bool::weighted(0.7), outcome()).prop_map(
            |(client, completes, store)| Step::Contact { client, completes, store }
        ),
        1 => (any::<u8>(), outcome()).prop_map(|(client, store)| Step::Reboot { client, store }),
        4 => (1..7_u8).prop_map(|quarters| Step::Wait { quarters }),
        3 => outcome().prop_map(|store| Step::Store { store }),
        2 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

#[test]
fn a_client_finds_what_it_had_and_never_what_another_has_had_since() {
    let property = Property {
        name: "recovery",
        cases: cases(),
        to_be_seen: &[
            Seen::Reclaimed,
            Seen::NotReclaimed,
            Seen::DiedInGrace,
            Seen::WriteFailed,
            Seen::WriteDoubtful,
            Seen::DiedInWrite,
            Seen::Taken,
        ],
    };
    property.holds(steps(), |steps| {
        let mut world = World::new();
        for step in steps {
            // A server that has died in a step is another one in the next.
            let _ = world.step(step);
        }
        world.seen
    });
}

const LEASE: Duration = Duration::from_secs(40);
const CLIENTS: u8 = 3;
const FILES: u8 = 2;
const ACCESS: u32 = 3 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
