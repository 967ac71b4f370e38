//! A client whose lease has expired loses what another client's request conflicts with, once nothing of a
//! client with a lease is in the way, and nothing else. [RFC 8881 §8.4.2.4]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nfs4_proto::nfs4::args::{self, CreateHow, Locker, OpenFlag, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, Stateid};
use nfs4_proto::nfs4::consts::{
    OPEN4_SHARE_ACCESS_WANT_NO_DELEG, SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED,
    SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED,
};
use nfs4_proto::nfs4::{FattrRaw, Status};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Sim, open_args};
use proptest::prelude::*;

use crate::runner::{Property, cases};

/// One thing that happens. Numbers that are too large count round.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// OPEN of a file that the client does not have open.
    Open {
        by: u8,
        file: u8,
        share: (u8, u8),
    },
    Close {
        by: u8,
        file: u8,
    },
    /// LOCK by the lock-owner of the client, which has one.
    Lock {
        by: u8,
        file: u8,
        write: bool,
        range: (u8, u8),
    },
    /// LOCKT
    Test {
        by: u8,
        file: u8,
        write: bool,
        range: (u8, u8),
    },
    /// READ or WRITE with the anonymous stateid.
    Access {
        by: u8,
        file: u8,
        write: bool,
    },
    /// A client says that it is there, and asks what it has lost.
    Renew {
        by: u8,
    },
    /// Time goes on; these clients renew their leases meanwhile.
    Wait {
        leases: u8,
        speak: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// A client came back with all that it had.
    Kept,
    LostOpen,
    LostLock,
    LostAll,
    /// A request was denied by a client with a lease, and one without kept what was in the way too.
    Spared,
}

/// What a client has of a file.
#[derive(Clone, Debug)]
struct Opened {
    stateid: Stateid,
    share: (u32, u32),
    /// The lock stateid, and the locked bytes: for writing, or not.
    locked: Option<(Stateid, BTreeMap<u8, bool>)>,
}

struct Peer {
    client: Client,
    heard: Duration,
    files: [Option<Opened>; FILES.len()],
    lost: Vec<Stateid>,
}

struct Play {
    sim: Sim,
    peers: Vec<Peer>,
    handles: Vec<Vec<u8>>,
    seen: BTreeSet<Seen>,
}

impl Play {
    fn new() -> Play {
        let mut sim = Sim::new();
        let mut handles = Vec::new();
        let mut maker = Client::mounted(&mut sim, "maker");
        for name in FILES {
            let args = opening(name, (3, 0));
            let reply = maker.call(&mut sim, |c| c.putrootfh().open(args).getfh());
            let reply = reply.all_ok();
            let close = args::Close {
                seqid: 0,
                open_stateid: ok!(reply, Open).stateid,
            };
            let object = ok!(reply, GetFh).object.to_vec();
            maker
                .call(&mut sim, |c| {
                    c.putfh(args::PutFh { object: &object }).close(close)
                })
                .all_ok();
            handles.push(object);
        }
        let peers = (0..PEERS).map(|peer| Peer {
            client: Client::mounted(&mut sim, &format!("peer {peer}")),
            heard: sim.now(),
            files: [const { None }; FILES.len()],
            lost: Vec::new(),
        });
        let peers = peers.collect();
        Play {
            sim,
            peers,
            handles,
            seen: BTreeSet::new(),
        }
    }

    fn is_live(&self, peer: usize) -> bool {
        self.sim.now() <= self.peers[peer].heard + self.sim.settings().lease
    }

    /// Whether something of a live client conflicts; if not, what expired ones have of it is lost.
    fn contend(
        &mut self,
        by: usize,
        file: usize,
        conflicts: impl Fn(&Opened) -> bool,
        takes: impl Fn(&mut Peer, usize) -> Option<Seen>,
    ) -> bool {
        let others = (0..PEERS).filter(|other| *other != by);
        let in_the_way = |other: &usize| {
            let opened = self.peers[*other].files[file].as_ref();
            opened.is_some_and(&conflicts)
        };
        let (live, away): (Vec<usize>, Vec<usize>) = others
            .filter(in_the_way)
            .partition(|other| self.is_live(*other));
        if !live.is_empty() {
            if !away.is_empty() {
                self.seen.insert(Seen::Spared);
            }
            return true;
        }
        for other in away {
            let seen = takes(&mut self.peers[other], file);
            self.seen.extend(seen);
        }
        false
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Open { by, file, share } => {
                let (by, file) = round(by, file);
                let share = (
                    [1, 2, 3, 3][usize::from(share.0) % 4],
                    u32::from(share.1) % 4,
                );
                if self.peers[by].files[file].is_none() {
                    self.open(by, file, share);
                }
            }
            Step::Close { by, file } => {
                let (by, file) = round(by, file);
                self.renew(by);
                if let Some(opened) = self.peers[by].files[file].take() {
                    let close = args::Close {
                        seqid: 0,
                        open_stateid: opened.stateid,
                    };
                    self.on(by, file, |c| c.close(close)).all_ok();
                }
            }
            Step::Lock {
                by,
                file,
                write,
                range,
            } => {
                let (by, file) = round(by, file);
                self.lock(by, file, write, bytes(range));
            }
            Step::Test {
                by,
                file,
                write,
                range,
            } => {
                let (by, file) = round(by, file);
                self.test(by, file, write, bytes(range));
            }
            Step::Access { by, file, write } => {
                let (by, file) = round(by, file);
                self.access(by, file, write);
            }
            Step::Renew { by } => self.renew(usize::from(by) % PEERS),
            Step::Wait { leases, speak } => {
                for _ in 0..=leases % 3 {
                    self.sim.sleep(self.sim.settings().lease * 2 / 3);
                    for peer in (0..PEERS).filter(|peer| speak >> peer & 1 != 0) {
                        self.renew(peer);
                    }
                }
            }
        }
    }

    /// The client is back if it was away, and learns exactly what it has lost.
    fn renew(&mut self, by: usize) {
        let was_away = !self.is_live(by);
        let peer = &mut self.peers[by];
        peer.heard = self.sim.now();
        let reply = peer.client.call(&mut self.sim, |c| c).all_ok();
        let flags = ok!(reply, Sequence).status_flags & (SOME | ALL);
        let kept: Vec<Stateid> = peer
            .files
            .iter()
            .flatten()
            .flat_map(|opened| {
                let locked = opened.locked.as_ref().map(|(stateid, _)| *stateid);
                [Some(opened.stateid), locked].into_iter().flatten()
            })
            .collect();
        assert_eq!(flags != 0, !peer.lost.is_empty(), "flags {flags}");
        if flags == ALL {
            assert!(kept.is_empty(), "all, and it has {kept:?}");
            self.seen.insert(Seen::LostAll);
        }
        if was_away && peer.lost.is_empty() && !kept.is_empty() {
            self.seen.insert(Seen::Kept);
        }
        for (stateids, expected) in [(&kept, Status::OK), (&peer.lost, Status::EXPIRED)] {
            let args = args::TestStateid {
                stateids: List::new(stateids),
            };
            let reply = peer.client.call(&mut self.sim, |c| c.test_stateid(args));
            let reply = reply.all_ok();
            let codes = ok!(reply, TestStateid).status_codes;
            assert!(codes.iter().all(|code| code == expected), "{reply:?}");
        }
        for stateid in std::mem::take(&mut peer.lost) {
            let free = args::FreeStateid { stateid };
            peer.client
                .call(&mut self.sim, |c| c.free_stateid(free))
                .all_ok();
        }
        let reply = peer.client.call(&mut self.sim, |c| c).all_ok();
        assert_eq!(ok!(reply, Sequence).status_flags & (SOME | ALL), 0);
    }

    fn open(&mut self, by: usize, file: usize, share: (u32, u32)) {
        self.renew(by);
        let denied = self.contend(
            by,
            file,
            |other| other.share.0 & share.1 != 0 || other.share.1 & share.0 != 0,
            lose_open,
        );
        let args = opening(FILES[file], share);
        let peer = &mut self.peers[by];
        let reply = peer
            .client
            .call(&mut self.sim, |c| c.putrootfh().open(args));
        if denied {
            assert_eq!(reply.status(), Status::SHARE_DENIED);
            return;
        }
        let reply = reply.all_ok();
        peer.files[file] = Some(Opened {
            stateid: any_seqid(ok!(reply, Open).stateid),
            share,
            locked: None,
        });
    }

    fn lock(&mut self, by: usize, file: usize, write: bool, range: (u8, u8)) {
        self.renew(by);
        let Some(opened) = &self.peers[by].files[file] else {
            return;
        };
        if opened.share.0 & if write { 2 } else { 1 } == 0 {
            return;
        }
        let (open_stateid, known) = (opened.stateid, opened.locked.is_some());
        let lock = args::Lock {
            locktype: if write {
                LockType::Write
            } else {
                LockType::Read
            },
            reclaim: false,
            offset: range.0.into(),
            length: range.1.into(),
            locker: Locker::New(OpenToLockOwner {
                open_seqid: 0,
                open_stateid,
                lock_seqid: 0,
                lock_owner: OWNER,
            }),
        };
        let denied = self.contend(by, file, locks(write, range), lose_lock);
        let reply = self.on(by, file, |c| c.lock(lock));
        if denied {
            assert_eq!(reply.status(), Status::DENIED);
            return;
        }
        let reply = reply.all_ok();
        let stateid = any_seqid(ok!(reply, Lock).lock_stateid);
        let opened = self.peers[by].files[file].as_mut().expect("it is open");
        let (held, bytes) = opened
            .locked
            .get_or_insert_with(|| (stateid, BTreeMap::new()));
        assert!(!known || *held == stateid, "another stateid");
        bytes.extend((range.0..range.0 + range.1).map(|byte| (byte, write)));
    }

    fn test(&mut self, by: usize, file: usize, write: bool, range: (u8, u8)) {
        self.renew(by);
        let test = args::LockT {
            locktype: if write {
                LockType::Write
            } else {
                LockType::Read
            },
            offset: range.0.into(),
            length: range.1.into(),
            owner: OWNER,
        };
        let denied = (0..PEERS).any(|other| {
            let opened = self.peers[other].files[file].as_ref();
            other != by && self.is_live(other) && opened.is_some_and(locks(write, range))
        });
        let expected = if denied { Status::DENIED } else { Status::OK };
        assert_eq!(self.on(by, file, |c| c.lockt(test)).status(), expected);
    }

    fn access(&mut self, by: usize, file: usize, write: bool) {
        self.renew(by);
        // The opens of the client itself deny too, as it does not say that it has them.
        let bit = if write { 2 } else { 1 };
        let own = self.peers[by].files[file].as_ref();
        let own = own.is_some_and(|opened| opened.share.1 & bit != 0);
        let denied = own || self.contend(by, file, |other| other.share.1 & bit != 0, lose_open);
        let read = args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count: 1,
        };
        let set = args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            stable: nfs4_proto::nfs4::basic::StableHow::FileSync,
            data: b"x",
        };
        let reply = self.on(
            by,
            file,
            |c| if write { c.write(set) } else { c.read(read) },
        );
        let expected = if denied { Status::LOCKED } else { Status::OK };
        assert_eq!(reply.status(), expected);
    }

    fn on(
        &mut self,
        by: usize,
        file: usize,
        build: impl FnOnce(
            &mut nfs4_proto::client::CompoundBuilder,
        ) -> &mut nfs4_proto::client::CompoundBuilder,
    ) -> nfs4_tests::sim::Reply {
        let object = &self.handles[file];
        let client = &mut self.peers[by].client;
        client.call(&mut self.sim, |c| build(c.putfh(args::PutFh { object })))
    }

    fn end(mut self) -> BTreeSet<Seen> {
        for peer in 0..PEERS {
            self.renew(peer);
        }
        self.sim.assert_nothing_is_left();
        self.seen
    }
}

fn lose_open(peer: &mut Peer, file: usize) -> Option<Seen> {
    let opened = peer.files[file].take()?;
    peer.lost.push(opened.stateid);
    peer.lost.extend(opened.locked.map(|(stateid, _)| stateid));
    Some(Seen::LostOpen)
}

fn lose_lock(peer: &mut Peer, file: usize) -> Option<Seen> {
    let (stateid, _) = peer.files[file].as_mut()?.locked.take()?;
    peer.lost.push(stateid);
    Some(Seen::LostLock)
}

/// Whether what is locked of a file conflicts with a lock.
fn locks(write: bool, range: (u8, u8)) -> impl Fn(&Opened) -> bool {
    move |opened| {
        let locked = opened.locked.iter().flat_map(|(_, bytes)| bytes);
        let mut within = locked.filter(|(byte, _)| (range.0..range.0 + range.1).contains(byte));
        within.any(|(_, writes)| write || *writes)
    }
}

fn round(by: u8, file: u8) -> (usize, usize) {
    (usize::from(by) % PEERS, usize::from(file) % FILES.len())
}

/// The first byte and the length.
fn bytes(range: (u8, u8)) -> (u8, u8) {
    (range.0 % 8, 1 + range.1 % 8)
}

fn any_seqid(stateid: Stateid) -> Stateid {
    Stateid {
        seqid: 0,
        ..stateid
    }
}

fn opening(name: &[u8], share: (u32, u32)) -> args::Open<'_> {
    args::Open {
        share_access: share.0 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny: share.1,
        openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
        ..open_args(b"opener", name)
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let by_file = || (any::<u8>(), any::<u8>());
    let range = || (any::<u8>(), any::<u8>());
    let step = prop_oneof![
        4 => (by_file(), any::<u8>(), prop_oneof![5 => Just(0), 1 => 1..4_u8])
            .prop_map(|((by, file), access, deny)| Step::Open { by, file, share: (access, deny) }),
        1 => by_file().prop_map(|(by, file)| Step::Close { by, file }),
        6 => (by_file(), any::<bool>(), range())
            .prop_map(|((by, file), write, range)| Step::Lock { by, file, write, range }),
        1 => (by_file(), any::<bool>(), range())
            .prop_map(|((by, file), write, range)| Step::Test { by, file, write, range }),
        1 => (by_file(), any::<bool>())
            .prop_map(|((by, file), write)| Step::Access { by, file, write }),
        1 => any::<u8>().prop_map(|by| Step::Renew { by }),
        2 => (any::<u8>(), any::<u8>(), any::<u8>())
            .prop_map(|(leases, one, other)| Step::Wait { leases, speak: one & other }),
    ];
    prop::collection::vec(step, 20..80)
}

#[test]
fn an_expired_client_loses_what_others_need_and_nothing_else() {
    let property = Property {
        name: "courtesy",
        cases: cases(),
        to_be_seen: &[
            Seen::Kept,
            Seen::LostOpen,
            Seen::LostLock,
            Seen::LostAll,
            Seen::Spared,
        ],
    };
    property.holds(steps(), |steps| {
        let mut play = Play::new();
        for step in steps {
            play.step(step);
        }
        play.end()
    });
}

const PEERS: usize = 4;
const FILES: [&[u8]; 1] = [b"f"];
const SOME: u32 = SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED;
const ALL: u32 = SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED;
const OWNER: Owner<'static> = Owner {
    clientid: ClientId(0),
    owner: b"locker",
};
