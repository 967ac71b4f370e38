//! Clients with files, what they know of their delegations, and what must be true of that.

use std::collections::BTreeSet;
use std::time::Duration;

use nfs4_engine::Admin;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::any::CbArgOp;
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_proto::nfs4::consts::{
    OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_ACCESS_READ, SEQ4_STATUS_RECALLABLE_STATE_REVOKED,
};
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Callback, Reply, Sim, open_args};

use super::flight::{self, Flights};
use super::peer::{Delegation, Peer};
use super::{How, Seen, Step};
use crate::reachable_client::make_shared_file;

pub(super) struct Play {
    pub(super) sim: Sim,
    pub(super) peers: Vec<Peer>,
    pub(super) handles: Vec<Vec<u8>>,
    pub(super) flights: Flights,
    /// Callbacks that are not answered, each with the peer that has it.
    inbox: Vec<(usize, Callback)>,
    pub(super) seen: BTreeSet<Seen>,
}

impl Play {
    /// Clients that can be called back, and files that they may all write.
    pub(super) fn new() -> Play {
        // These clients lose all with their leases; `courtesy` is about those that do not.
        let mut sim = Sim::without_courtesy();
        let peers = (0..PEERS).map(|peer| Peer::new(&mut sim, peer, 0));
        let mut peers: Vec<Peer> = peers.collect();
        let maker = &mut peers[0].client;
        let handles = FILES.map(|name| make_shared_file(&mut sim, maker, name));
        Play {
            sim,
            peers,
            handles: handles.to_vec(),
            flights: Flights::default(),
            inbox: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Open { peer, file, write } => self.open(peer, file, write),
            Step::Close { peer, file } => self.close(peer, file),
            Step::Write { peer, file } => self.write(peer, file),
            Step::Send { peer, file, work } => self.send(peer, file, work),
            Step::Execute { which } => self.execute(which),
            Step::Deliver { which } => self.deliver(which),
            Step::Return { peer, file } => self.give_back(peer, file),
            Step::Answer { which, how } => self.answer(which, how),
            Step::Test { peer } => self.test(usize::from(peer) % PEERS),
            Step::Free { peer, file } => self.free(peer, file),
            Step::Evict { peer } => self.evict(usize::from(peer) % PEERS),
            Step::Wait { seconds, silent } => self.wait(seconds, silent),
        }
        self.sim.settle();
        for callback in self.sim.take_callbacks() {
            self.take(callback);
        }
    }

    /// A request of a client; none if its lease has run out, after which it comes again.
    fn call(
        &mut self,
        peer: usize,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Option<Reply> {
        let reply = self.peers[peer].client.call(&mut self.sim, build);
        if reply.statuses()[0] == (Op::Sequence, Status::BADSESSION) {
            self.expired(peer);
            return None;
        }
        self.peers[peer].heard = self.sim.now();
        Some(reply)
    }

    /// A client has learnt that its lease has run out, and comes again.
    pub(super) fn expired(&mut self, peer: usize) {
        assert!(self.is_expired(peer), "its lease runs");
        self.seen.insert(Seen::Expired);
        self.come_again(peer);
    }

    fn come_again(&mut self, peer: usize) {
        let next = self.peers[peer].incarnation + 1;
        self.peers[peer] = Peer::new(&mut self.sim, peer, next);
    }

    /// A lease does not run out while a request is under way.
    fn is_expired(&self, peer: usize) -> bool {
        let is_late = self.sim.now() > self.peers[peer].heard + self.sim.settings().lease;
        is_late && !self.has_flights(peer)
    }

    /// A request about a file.
    fn on(
        &mut self,
        peer: usize,
        file: usize,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Option<Reply> {
        let object = self.handles[file].clone();
        self.call(peer, |c| build(c.putfh(args::PutFh { object: &object })))
    }

    fn open(&mut self, peer: u8, file: u8, write: bool) {
        let (peer, file) = (usize::from(peer) % PEERS, usize::from(file) % FILES.len());
        let args = opening(file, write);
        let reply = self.call(peer, |c| {
            c.putrootfh().open(args).getattr(flight::change_and_size())
        });
        let Some(reply) = reply else {
            return;
        };
        if reply.status() == Status::DELAY {
            self.delayed(peer, file, write);
        } else {
            self.opened(peer, file, write, &reply.all_ok());
        }
    }

    /// A client is told to wait: not without reason.
    pub(super) fn delayed(&mut self, peer: usize, file: usize, write: bool) {
        self.seen.insert(Seen::Delayed);
        assert!(
            self.is_in_the_way(peer, file, write),
            "no delegation is in the way"
        );
    }

    /// A client has a file open, and perhaps delegated; whether it is.
    pub(super) fn opened(&mut self, peer: usize, file: usize, write: bool, reply: &Reply) -> bool {
        let answer = ok!(reply, Open);
        self.no_other_client_gets_a_delegation(peer, file, write);
        let held = &mut self.peers[peer].held[file];
        let writes = write || held.open.is_some_and(|(_, writes)| writes);
        held.open = Some((answer.stateid, writes));
        let (stateid, write) = match answer.delegation {
            OpenDelegation::Read(read) => (read.stateid, false),
            OpenDelegation::Write(write) => (write.stateid, true),
            OpenDelegation::None | OpenDelegation::NoneExt(_) => return false,
        };
        let told = flight::told(reply);
        assert_eq!(told, self.truth(file), "what it comes with is not true");
        let held = &self.peers[peer].held[file];
        let before = held
            .delegation
            .filter(|before| before.stateid.other != stateid.other);
        if let Some(before) = before {
            // There is one for each client and file: this one comes after one that it has lost.
            if !before.lost {
                self.lose(peer, file);
            }
            self.peers[peer].lost.push(before.stateid);
        }
        self.peers[peer].held[file].delegation = Some(Delegation {
            stateid,
            write,
            recalled: None,
            denied: 0,
            lost: false,
        });
        self.seen.insert(if write {
            Seen::WriteGranted
        } else {
            Seen::ReadGranted
        });
        self.no_other_client_gets_a_delegation(peer, file, write);
        for other in self.others(peer) {
            if let Some((_, writes)) = self.peers[other].held[file].open {
                assert!(!write && !writes, "{other} has it open");
            }
        }
        true
    }

    /// The others whose lease runs.
    fn others(&self, peer: usize) -> Vec<usize> {
        (0..PEERS)
            .filter(|other| *other != peer && !self.is_expired(*other))
            .collect()
    }

    fn is_in_the_way(&self, peer: usize, file: usize, write: bool) -> bool {
        self.others(peer).into_iter().any(|other| {
            let delegation = self.peers[other].held[file].delegation;
            delegation.is_some_and(|held| !held.lost && (write || held.write))
        })
    }

    /// A local program reads or writes a file: a holder whose delegation conflicts has lost it.
    pub(super) fn no_other_client_gets_a_delegation(
        &mut self,
        peer: usize,
        file: usize,
        write: bool,
    ) {
        for other in self.others(peer) {
            if let Some(held) = self.peers[other].held[file].delegation
                && (write || held.write)
            {
                self.lose(other, file);
            }
        }
    }

    /// A delegation turns out to be revoked: not without reason.
    fn lose(&mut self, peer: usize, file: usize) {
        let (now, lease) = (self.sim.now(), self.sim.settings().lease);
        let held = self.peers[peer].held[file].delegation.as_mut();
        let held = held.expect("it was granted");
        let late = held.recalled.is_some_and(|at| now >= at + lease);
        assert!(late || held.denied > 1, "revoked without need");
        held.lost = true;
        self.seen.insert(Seen::Revoked);
    }

    fn close(&mut self, peer: u8, file: u8) {
        let (peer, file) = (usize::from(peer) % PEERS, usize::from(file) % FILES.len());
        let Some((open_stateid, _)) = self.peers[peer].held[file].open else {
            return;
        };
        let close = args::Close {
            seqid: 0,
            open_stateid,
        };
        if let Some(reply) = self.on(peer, file, |c| c.close(close)) {
            reply.all_ok();
            self.peers[peer].held[file].open = None;
        }
    }

    fn write(&mut self, peer: u8, file: u8) {
        let (peer, file) = (usize::from(peer) % PEERS, usize::from(file) % FILES.len());
        let write = args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            stable: StableHow::FileSync,
            data: b"data",
        };
        let Some(reply) = self.on(peer, file, |c| c.write(write)) else {
            return;
        };
        if reply.status() == Status::DELAY {
            self.delayed(peer, file, true);
            return;
        }
        reply.all_ok();
        self.no_other_client_gets_a_delegation(peer, file, true);
    }

    fn give_back(&mut self, peer: u8, file: u8) {
        let (peer, file) = (usize::from(peer) % PEERS, usize::from(file) % FILES.len());
        let Some(held) = self.peers[peer].held[file].delegation else {
            return;
        };
        let args = args::DelegReturn {
            deleg_stateid: held.stateid,
        };
        let Some(reply) = self.on(peer, file, |c| c.delegreturn(args)) else {
            return;
        };
        match reply.last() {
            (Op::DelegReturn, Status::OK) => {
                assert!(!held.lost, "what is revoked cannot be given back");
                self.peers[peer].held[file].delegation = None;
                self.seen.insert(Seen::Returned);
            }
            (Op::DelegReturn, Status::DELEG_REVOKED) => self.lose(peer, file),
            other => panic!("{other:?}"),
        }
    }

    /// A callback arrives, by the connection of the client that it is for.
    fn take(&mut self, callback: Callback) {
        let peer = self.peers.iter().position(|peer| {
            peer.client.conn == callback.conn
                && peer.client.session == callback.sequence().sessionid
        });
        let peer = peer.expect("it is for one of them");
        let asked = match callback.ops().get(1) {
            Some(CbArgOp::Recall(recall)) => recall.stateid,
            other => panic!("{other:?}"),
        };
        let now = self.sim.now();
        if let Some(held) = self.delegation(peer, asked) {
            held.recalled.get_or_insert(now);
            self.seen.insert(Seen::Recalled);
        }
        self.inbox.push((peer, callback));
    }

    fn delegation(&mut self, peer: usize, stateid: Stateid) -> Option<&mut Delegation> {
        let held = self.peers[peer].held.iter_mut();
        let mut held = held.filter_map(|held| held.delegation.as_mut());
        held.find(|held| held.stateid.other == stateid.other)
    }

    fn answer(&mut self, which: u8, how: How) {
        let Some(which) = usize::from(which).checked_rem(self.inbox.len()) else {
            return;
        };
        let (peer, callback) = self.inbox.remove(which);
        let ops = callback.ops();
        let Some(CbArgOp::Recall(recall)) = ops.get(1) else {
            unreachable!("nothing else was taken");
        };
        let answer = match how {
            How::Agree => callback.ok(),
            How::Delay => callback.with(Status::DELAY),
            How::Deny => {
                if let Some(held) = self.delegation(peer, recall.stateid) {
                    held.denied += 1;
                }
                callback.with(Status::BAD_STATEID)
            }
        };
        let is_current = self.peers[peer].client.session == callback.sequence().sessionid;
        if is_current && !self.is_expired(peer) {
            self.peers[peer].heard = self.sim.now();
        }
        self.sim.send(callback.conn, answer);
    }

    /// What a client is told of its delegations, and the flag that says that some are lost.
    fn test(&mut self, peer: usize) {
        let held = self.peers[peer].held.iter().enumerate();
        let (files, mut stateids): (Vec<usize>, Vec<Stateid>) = held
            .filter_map(|(file, held)| Some((file, held.delegation?.stateid)))
            .unzip();
        stateids.extend(&self.peers[peer].lost);
        let args = args::TestStateid {
            stateids: List::new(&stateids),
        };
        let Some(reply) = self.call(peer, |c| c.test_stateid(args)) else {
            return;
        };
        let reply = reply.all_ok();
        let flags = ok!(reply, Sequence).status_flags;
        let statuses: Vec<Status> = ok!(reply, TestStateid).status_codes.iter().collect();
        for (file, status) in files.iter().zip(&statuses) {
            let lost = self.peers[peer].held[*file]
                .delegation
                .is_some_and(|held| held.lost);
            match *status {
                Status::OK => assert!(!lost, "it is as if nothing had been"),
                Status::DELEG_REVOKED if !lost => self.lose(peer, *file),
                Status::DELEG_REVOKED => {}
                other => panic!("{other:?}"),
            }
        }
        let revoked = |status: &Status| *status == Status::DELEG_REVOKED;
        assert!(statuses[files.len()..].iter().all(revoked));
        let told = flags & SEQ4_STATUS_RECALLABLE_STATE_REVOKED != 0;
        assert_eq!(told, statuses.iter().any(revoked));
    }

    fn free(&mut self, peer: u8, file: u8) {
        let (peer, file) = (usize::from(peer) % PEERS, usize::from(file) % FILES.len());
        let held = &mut self.peers[peer];
        let stateid = held.lost.pop().or_else(|| {
            let lost = held.held[file].delegation.take_if(|held| held.lost);
            lost.map(|held| held.stateid)
        });
        let Some(stateid) = stateid else {
            return;
        };
        let args = args::FreeStateid { stateid };
        if let Some(reply) = self.call(peer, |c| c.free_stateid(args)) {
            reply.all_ok();
            self.seen.insert(Seen::Freed);
        }
    }

    /// What it had is in no client's way from now on.
    fn evict(&mut self, peer: usize) {
        if self.is_expired(peer) {
            return;
        }
        let held = &self.peers[peer].held;
        if held.iter().any(|held| held.delegation.is_some()) {
            self.seen.insert(Seen::Evicted);
        }
        let client = self.peers[peer].client.id.0;
        self.sim.admin(Admin::EvictClient { client });
        self.come_again(peer);
    }

    /// Time goes on. Callbacks are answered within a second: a path that does not answer is given up,
    /// and then a delegation can be lost without CB_RECALL.
    fn wait(&mut self, seconds: u8, silent: u8) {
        let silent = usize::from(silent) % (PEERS + 1);
        for second in 0..seconds {
            while !self.inbox.is_empty() {
                self.answer(0, How::Agree);
            }
            self.sim.sleep(Duration::from_secs(1));
            for callback in self.sim.take_callbacks() {
                self.take(callback);
            }
            if second % 8 == 7 {
                for peer in (0..PEERS).filter(|peer| *peer != silent) {
                    self.test(peer);
                }
            }
        }
    }

    /// All clients fall silent: nothing of them is left.
    pub(super) fn end(mut self) -> BTreeSet<Seen> {
        self.land_all();
        let lease = self.sim.settings().lease;
        self.sim.sleep(2 * lease + Duration::from_secs(1));
        self.sim.settle();
        let tables = self.sim.tables();
        assert_eq!((tables.clients, tables.opens, tables.files), (0, 0, 0));
        assert_eq!((tables.callbacks, tables.flights), (0, 0));
        self.sim.assert_nothing_is_left();
        self.seen
    }
}

/// The arguments of an OPEN by name.
pub(super) fn opening(file: usize, write: bool) -> args::Open<'static> {
    args::Open {
        share_access: if write {
            OPEN4_SHARE_ACCESS_BOTH
        } else {
            OPEN4_SHARE_ACCESS_READ
        },
        ..open_args(b"owner", FILES[file])
    }
}

pub(super) const PEERS: usize = 3;
pub(super) const FILES: [&[u8]; 2] = [b"f", b"g"];
