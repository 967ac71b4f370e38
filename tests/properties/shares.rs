//! Whatever greedy peers do, under however many names and principals: no peer gets DELAY, and a peer
//! that has nothing yet finds room for all that it needs.

mod step;

use std::collections::BTreeSet;
use std::time::Duration;

use nfs4_engine::ConnId;
use nfs4_proto::nfs4::args::{self, CreateHow, Locker, OpenFlag, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, Stateid};
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fattr, Reply, Sim, open_args};
use proptest::prelude::*;

use crate::runner::{Property, cases};
use step::{Step, What, step};

#[test]
fn a_new_peer_finds_room_whatever_greedy_peers_do() {
    let property = Property {
        name: "shares",
        cases: (cases() / 8).max(1),
        to_be_seen: &ALL_SEEN,
    };
    let steps = prop::collection::vec(step(), 30..60);
    property.holds(steps, |steps| {
        let mut play = Play::new();
        for step in steps {
            play.step(step);
        }
        play.end()
    });
}

/// What a case has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    NoClient,
    NoClient40,
    NoSession,
    NoOpen,
    NoOpen40,
    NoLock,
    Newcomer,
}

/// A principal at a host, and all clients that it is.
struct Peer {
    conn: ConnId,
    uid: u32,
    clients: Vec<Member>,
    clients40: Vec<Client40>,
}

struct Member {
    client: Client,
    /// The file that all have open, by its first owner.
    shared: Option<(Vec<u8>, Stateid)>,
}

struct Play {
    sim: Sim,
    peers: Vec<Peer>,
    /// Numbers what must differ.
    next: u32,
    newcomers: u8,
    seen: BTreeSet<Seen>,
}

impl Play {
    fn new() -> Play {
        let mut sim = Sim::with(Sim::config().with(|config| {
            // These clients lose all with their leases; `courtesy` is about those that do not.
            config.courtesy = Duration::ZERO;
            config.max_clients = 60;
            config.max_sessions = 60;
            config.max_states = 120;
        }));
        let mut peers = Vec::new();
        for host in 0..HOSTS {
            let conn = sim.connect_from(&format!("192.0.2.{}", 100 + host));
            peers.extend((0..PRINCIPALS).map(|uid| Peer {
                conn,
                uid: uid.into(),
                clients: Vec::new(),
                clients40: Vec::new(),
            }));
        }
        let mut maker = Client::mounted(&mut sim, "maker");
        let for_all = Fattr::mode(0o666);
        let making = args::Open {
            openhow: OpenFlag::Create(CreateHow::Unchecked(for_all.raw())),
            ..open_args(b"maker", b"shared")
        };
        let close = args::Close {
            seqid: 0,
            open_stateid: Stateid::CURRENT,
        };
        maker
            .call(&mut sim, |c| c.putrootfh().open(making).close(close))
            .all_ok();
        sim.sleep(2 * sim.settings().lease + Duration::from_secs(1));
        Play {
            sim,
            peers,
            next: 0,
            newcomers: 0,
            seen: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: Step) {
        let host = usize::from(step.host) % usize::from(HOSTS);
        let uid = usize::from(step.uid) % usize::from(PRINCIPALS);
        let peer = host * usize::from(PRINCIPALS) + uid;
        for _ in 0..step.times {
            let goes_on = match step.what {
                What::Mount => self.mount(peer),
                What::Mount40 => self.mount40(peer),
                What::Name => self.say_name(peer),
                What::Session => self.session(peer),
                What::Open => self.open(peer),
                What::Open40 => self.open40(peer),
                What::Lock => self.lock(peer, false),
                What::LockAnew => self.lock(peer, true),
                What::Wait => self.wait(peer),
                What::Close => self.close(peer),
                What::Sleep => self.sleep(peer),
                What::Newcomer => self.newcomer(),
            };
            if !goes_on {
                break;
            }
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// A client that is not mounted.
    fn stranger(&mut self, peer: usize) -> Client {
        let name = format!("{}", self.number());
        Client {
            uid: self.peers[peer].uid,
            ..Client::on(self.peers[peer].conn, &name)
        }
    }

    fn mount(&mut self, peer: usize) -> bool {
        let mut client = self.stranger(peer);
        let reply = client.exchange_id(&mut self.sim);
        if !self.is_ok(&reply, Status::SERVERFAULT, Seen::NoClient) {
            return false;
        }
        let reply = client.create_session(&mut self.sim);
        if !self.is_ok(&reply, Status::NOSPC, Seen::NoSession) {
            return false;
        }
        let done = args::ReclaimComplete { one_fs: false };
        client
            .call(&mut self.sim, |c| c.reclaim_complete(done))
            .all_ok();
        self.peers[peer].clients.push(Member {
            client,
            shared: None,
        });
        true
    }

    fn mount40(&mut self, peer: usize) -> bool {
        let name = format!("{} of 4.0", self.number());
        let mut client = Client40 {
            uid: self.peers[peer].uid,
            ..Client40::by(self.peers[peer].conn, &name)
        };
        let reply = client.introduce(&mut self.sim);
        if !self.is_ok(&reply, Status::RESOURCE, Seen::NoClient40) {
            return false;
        }
        client.confirm(&mut self.sim).all_ok();
        self.peers[peer].clients40.push(client);
        true
    }

    fn say_name(&mut self, peer: usize) -> bool {
        let mut client = self.stranger(peer);
        let reply = client.exchange_id(&mut self.sim);
        self.is_ok(&reply, Status::SERVERFAULT, Seen::NoClient)
    }

    fn session(&mut self, peer: usize) -> bool {
        let Some(at) = self.any(peer) else {
            return false;
        };
        let mut again = self.peers[peer].clients[at].client.clone();
        let reply = again.create_session(&mut self.sim);
        self.peers[peer].clients[at].client.create_sequence = again.create_sequence;
        self.is_ok(&reply, Status::NOSPC, Seen::NoSession)
    }

    fn open(&mut self, peer: usize) -> bool {
        let Some(at) = self.any(peer) else {
            return false;
        };
        let owner = self.number().to_be_bytes();
        let open = args::Open {
            share_access: 3 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
            ..open_args(&owner, b"shared")
        };
        let client = &mut self.peers[peer].clients[at].client;
        let reply = client.call(&mut self.sim, |c| c.putrootfh().open(open).getfh());
        if !self.is_open_ok(&reply) {
            return false;
        }
        let fh = ok!(reply, GetFh).object.to_vec();
        let stateid = ok!(reply, Open).stateid;
        self.peers[peer].clients[at]
            .shared
            .get_or_insert((fh, stateid));
        true
    }

    fn open40(&mut self, peer: usize) -> bool {
        if self.peers[peer].clients40.is_empty() && !self.mount40(peer) {
            return false;
        }
        let owner = self.number().to_be_bytes();
        let Some(client) = self.peers[peer].clients40.last_mut() else {
            return false;
        };
        let open = args::Open {
            openhow: OpenFlag::NoCreate,
            ..client.open_args(&owner, b"shared")
        };
        let reply = client.call(&mut self.sim, |c| c.putrootfh().open(open));
        match reply.status() {
            // Others came and went meanwhile.
            Status::STALE_CLIENTID | Status::EXPIRED => {
                self.peers[peer].clients40.pop();
                false
            }
            _ => self.is_ok(&reply, Status::RESOURCE, Seen::NoOpen40),
        }
    }

    fn lock(&mut self, peer: usize, anew: bool) -> bool {
        // No two lock the same bytes.
        let offset = 2 * u64::from(self.number());
        let owner = if anew { self.next } else { 0 };
        self.lock_at(peer, owner, offset, LockType::Write)
    }

    fn wait(&mut self, peer: usize) -> bool {
        let owner = self.number();
        // Another peer may have it.
        let offset = 2 * u64::from(owner / 2);
        self.lock_at(peer, owner, offset, LockType::WriteWait)
    }

    fn lock_at(&mut self, peer: usize, owner: u32, offset: u64, locktype: LockType) -> bool {
        let Some(at) = self.any(peer) else {
            return false;
        };
        if self.peers[peer].clients[at].shared.is_none() && !self.open(peer) {
            return false;
        }
        let member = &mut self.peers[peer].clients[at];
        let Some((fh, stateid)) = &member.shared else {
            return false;
        };
        let lock = lock_args(&owner.to_be_bytes(), *stateid, offset, locktype, |lock| {
            let put = args::PutFh { object: fh };
            member
                .client
                .call(&mut self.sim, |c| c.putfh(put).lock(lock))
        });
        match lock.status() {
            Status::DENIED => true,
            _ => self.is_ok(&lock, Status::SERVERFAULT, Seen::NoLock),
        }
    }

    fn close(&mut self, peer: usize) -> bool {
        let Some(at) = self.any(peer) else {
            return false;
        };
        let member = self.peers[peer].clients.swap_remove(at);
        let mut client = member.client;
        client.reboot();
        // What it had goes with the new incarnation, in parts if it is much.
        let reply = client.exchange_id(&mut self.sim);
        if self.is_ok(&reply, Status::SERVERFAULT, Seen::NoClient) {
            let mut tries = 1;
            let mut reply = client.create_session(&mut self.sim);
            while reply.last().1 == Status::DELAY && tries < 100 {
                self.sim.settle();
                reply = client.create_session(&mut self.sim);
                tries += 1;
            }
            // What others took meanwhile may have made its share smaller than what it had.
            self.is_ok(&reply, Status::NOSPC, Seen::NoSession);
        }
        false
    }

    fn sleep(&mut self, peer: usize) -> bool {
        let half = self.sim.settings().lease / 2;
        self.sim.sleep(half);
        for at in (0..self.peers[peer].clients.len()).rev() {
            self.renew(peer, at);
        }
        self.sim.sleep(half + Duration::from_secs(1));
        false
    }

    /// A client that is still there, or a new one.
    fn any(&mut self, peer: usize) -> Option<usize> {
        while let Some(at) = self.peers[peer].clients.len().checked_sub(1) {
            if self.renew(peer, at) {
                return Some(at);
            }
        }
        self.mount(peer).then_some(0)
    }

    fn renew(&mut self, peer: usize, at: usize) -> bool {
        let client = &mut self.peers[peer].clients[at].client;
        let reply = client.call(&mut self.sim, |c| c);
        let is_there = reply.status() == Status::OK;
        if !is_there {
            assert!(reply.is_only(Op::Sequence, Status::BADSESSION), "{reply:?}");
            self.peers[peer].clients.remove(at);
        }
        is_there
    }

    /// Whether a request was granted; else it is refused like this.
    #[track_caller]
    fn is_ok(&mut self, reply: &Reply, refused: Status, seen: Seen) -> bool {
        if reply.status() == Status::OK {
            return true;
        }
        assert_eq!(reply.status(), refused, "{reply:?}");
        self.seen.insert(seen);
        false
    }

    #[track_caller]
    fn is_open_ok(&mut self, reply: &Reply) -> bool {
        // The share, or all there is.
        let refused = match reply.status() {
            Status::NOSPC => Status::NOSPC,
            _ => Status::DQUOT,
        };
        self.is_ok(reply, refused, Seen::NoOpen)
    }

    /// One that has nothing yet, from a host that has nothing, mounts, opens the file that all have
    /// open, locks some of it, and leaves.
    fn newcomer(&mut self) -> bool {
        self.newcomers += 1;
        let conn = self
            .sim
            .connect_from(&format!("198.51.100.{}", self.newcomers));
        let mut client = Client::on(conn, &format!("newcomer {}", self.newcomers));
        client.mount(&mut self.sim);
        let open = args::Open {
            share_access: 3 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
            ..open_args(b"newcomer", b"shared")
        };
        let reply = client
            .call(&mut self.sim, |c| c.putrootfh().open(open).getfh())
            .all_ok();
        let fh = ok!(reply, GetFh).object.to_vec();
        let stateid = ok!(reply, Open).stateid;
        let beyond = 1 << 40;
        let write = LockType::Write;
        lock_args(b"newcomer", stateid, beyond, write, |lock| {
            let put = args::PutFh { object: &fh };
            client.call(&mut self.sim, |c| c.putfh(put).lock(lock))
        })
        .all_ok();
        let mut other = Client40::by(conn, "newcomer of 4.0");
        other.mount(&mut self.sim);
        let opened = other.open(&mut self.sim, b"o", b"shared");
        let close = other.close_args(b"o", &opened);
        other
            .on(&mut self.sim, &opened.fh, |c| c.close(close))
            .all_ok();
        self.seen.insert(Seen::Newcomer);
        self.sim.kill(conn);
        self.sim.admin(nfs4_engine::Admin::EvictClient {
            client: client.id.0,
        });
        self.sim
            .admin(nfs4_engine::Admin::EvictClient { client: other.id.0 });
        false
    }

    fn end(mut self) -> BTreeSet<Seen> {
        self.newcomer();
        self.sim.assert_nothing_is_left();
        self.seen
    }
}

/// LOCK of one byte under an open, as if by a new lock owner.
fn lock_args<R>(
    owner: &[u8],
    open_stateid: Stateid,
    offset: u64,
    locktype: LockType,
    with: impl FnOnce(args::Lock<'_>) -> R,
) -> R {
    with(args::Lock {
        locktype,
        reclaim: false,
        offset,
        length: 1,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid: Stateid {
                seqid: 0,
                ..open_stateid
            },
            lock_seqid: 0,
            lock_owner: Owner {
                clientid: ClientId(0),
                owner,
            },
        }),
    })
}

const HOSTS: u8 = 3;
const PRINCIPALS: u8 = 3;
const ALL_SEEN: [Seen; 7] = [
    Seen::NoClient,
    Seen::NoClient40,
    Seen::NoSession,
    Seen::NoOpen,
    Seen::NoOpen40,
    Seen::NoLock,
    Seen::Newcomer,
];
