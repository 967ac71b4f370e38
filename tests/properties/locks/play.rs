//! Plays what clients do, and holds each answer against the model.

use std::collections::BTreeSet;
use std::time::Duration;

use nfs4_engine::{Admin, Config};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Client, Pace, Sim};

use super::model::{BYTES, File, Share};
use super::opens::{Done, Flight};
use super::peer::{LOCKERS, OWNERS, Peer, UIDS, Wire};

/// One input. Numbers that are too large count round.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// OPEN by an owner of a peer; the file system answers at once, or when that is a step.
    Open {
        by: (u8, u8),
        file: u8,
        share: (u8, u8),
        how: How,
        mode: u8,
        at_once: bool,
    },
    /// The file system executes what it was asked for one of the OPENs.
    Execute {
        which: u8,
    },
    /// The engine hears of what was executed.
    Deliver {
        which: u8,
    },
    /// Both at once, or the file system fails to cut a file.
    Answer {
        which: u8,
        fails: bool,
    },
    Close {
        which: u8,
    },
    /// OPEN_DOWNGRADE
    Narrow {
        which: u8,
        share: (u8, u8),
    },
    Lock {
        which: u8,
        locker: u8,
        write: bool,
        range: (u8, u8),
    },
    /// LOCKU
    Unlock {
        which: u8,
        range: (u8, u8),
    },
    /// LOCKT
    Test {
        by: (u8, u8),
        file: u8,
        write: bool,
        range: (u8, u8),
    },
    /// A process that is no client locks bytes.
    LockLocally {
        file: u8,
        write: bool,
        range: (u8, u8),
    },
    /// All processes unlock a file.
    UnlockLocally {
        file: u8,
    },
    /// REMOVE of a file without opens.
    Remove {
        file: u8,
    },
    /// FREE_STATEID or RELEASE_LOCKOWNER
    Free {
        which: u8,
    },
    /// The administrator ends a session; the client goes on with another.
    EndSession {
        peer: u8,
    },
    /// Time goes on; one of the clients, or none, is silent.
    Wait {
        seconds: u8,
        silent: u8,
    },
}

/// What an OPEN does if the file is there, and if it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    NoCreate,
    Unchecked,
    Guarded,
    /// UNCHECKED, of length zero.
    Cut,
}

/// What a case has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    Created,
    /// The engine heard of an OPEN some time after the file system has executed it.
    Late,
    Widened,
    Cut,
    CutFailed,
    ShareDenied,
    Access,
    /// There was no room, and the file was not made.
    NoRoom,
    /// An OPEN was answered whose session was gone.
    Orphan,
    Narrowed,
    /// To a share that no OPEN had asked for.
    Union,
    LockDenied,
    /// A lock owner has two stateids of a file.
    TwoStateids,
    /// Bytes that were locked under one open are locked under another.
    TakenOver,
    /// An open was closed, and its lock-owner has more locked under another.
    ClosedBeside,
    Freed,
    LocksHeld,
    Expired,
    /// A process got a lock, or was denied one; and a client was denied one for a process.
    LocalLock,
    LocalDenied,
    DeniedLocally,
}

pub(super) struct Play {
    pub(super) sim: Sim,
    pub(super) peers: Vec<Peer>,
    /// Locks nothing, and looks what others have locked.
    pub(super) observer: Client,
    pub(super) files: [File; NAMES.len()],
    /// Of files that were opened since they were made.
    pub(super) handles: [Vec<u8>; NAMES.len()],
    /// In the order of the requests that the simulation holds.
    pub(super) flights: Vec<Flight>,
    /// Those for which the file system has done something that the engine has not heard of.
    pub(super) executed: Vec<(Flight, Done)>,
    pub(super) seen: BTreeSet<Seen>,
    /// Processes that are no clients lock, too.
    pub(super) beside_processes: bool,
}

impl Play {
    pub(super) fn new() -> Play {
        Play::on(Sim::with(settings()), false)
    }

    /// On a file system that processes use, too.
    pub(super) fn beside_processes() -> Play {
        Play::on(Sim::with_local_locks(settings()), true)
    }

    fn on(mut sim: Sim, beside_processes: bool) -> Play {
        let peers = (0..PEERS).map(|peer| Peer::new(&mut sim, peer)).collect();
        let observer = Client::mounted(&mut sim, "observer");
        sim.set_pace(Pace::Held);
        Play {
            sim,
            peers,
            observer,
            files: Default::default(),
            handles: Default::default(),
            flights: Vec::new(),
            executed: Vec::new(),
            seen: BTreeSet::new(),
            beside_processes,
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Open {
                by: (peer, owner),
                file,
                share,
                how,
                mode,
                at_once,
            } => {
                let peer = usize::from(peer) % PEERS;
                let opened = (usize::from(owner) % OWNERS.len(), file_of(file));
                let mode = MODES[usize::from(mode) % MODES.len()];
                self.open(peer, opened, share_of(share), how, mode);
                if at_once && !self.flights.is_empty() {
                    self.answer(self.flights.len() - 1, false);
                }
            }
            Step::Answer { which, fails } => {
                if let Some(which) = usize::from(which).checked_rem(self.flights.len()) {
                    self.answer(which, fails);
                }
            }
            Step::Execute { which } => {
                if let Some(which) = usize::from(which).checked_rem(self.flights.len()) {
                    self.execute(which);
                }
            }
            Step::Deliver { which } => {
                if let Some(which) = usize::from(which).checked_rem(self.executed.len()) {
                    self.deliver(which);
                    self.seen.insert(Seen::Late);
                }
            }
            Step::Close { which } => self.close(which),
            Step::Narrow { which, share } => self.narrow(which, share_of(share)),
            Step::Lock {
                which,
                locker,
                write,
                range,
            } => self.lock(which, usize::from(locker % 4 == 3), write, range_of(range)),
            Step::Unlock { which, range } => self.unlock(which, range_of(range)),
            Step::Test {
                by,
                file,
                write,
                range,
            } => {
                let by = (usize::from(by.0) % PEERS, usize::from(by.1) % LOCKERS.len());
                self.test(by, file_of(file), write, range_of(range));
            }
            Step::LockLocally { file, write, range } => {
                self.lock_locally(file_of(file), write, range_of(range));
            }
            Step::UnlockLocally { file } => self.unlock_locally(file_of(file)),
            Step::Remove { file } => self.remove(file_of(file)),
            Step::Free { which } => self.free(which),
            Step::EndSession { peer } => self.end_session(usize::from(peer) % PEERS),
            Step::Wait { seconds, silent } => self.wait(seconds, usize::from(silent)),
        }
        self.compare();
    }

    /// The tables hold what the model says.
    fn compare(&self) {
        let tables = self.sim.tables();
        let opens: usize = self.files.iter().map(|file| file.opens.len()).sum();
        let known: usize = self.peers.iter().map(|peer| peer.opens.len()).sum();
        assert_eq!((tables.opens, known), (opens, opens), "opens");
        let locks: usize = self.peers.iter().map(|peer| peer.locks.len()).sum();
        assert_eq!(tables.locks, locks, "lock stateids");
        let cutting = self.flights.iter().filter(|flight| flight.cuts).count();
        let held = usize::try_from(self.sim.fs().held()).expect("few");
        let done = self.executed.iter();
        let done = done.filter(|(flight, done)| flight.is_held(*done)).count();
        let expected = opens + cutting + done;
        assert_eq!(held, expected, "files that are held");
        if self.beside_processes {
            self.compare_locally();
        }
    }

    fn end_session(&mut self, peer: usize) {
        let Wire::Later { client, busy } = &mut self.peers[peer].wire else {
            return;
        };
        let session = client.session;
        self.sim.admin(Admin::DestroySession { session });
        client.create_session(&mut self.sim).all_ok();
        *busy = Default::default();
        self.peers[peer].heard = self.sim.now();
    }

    fn answer_all(&mut self) {
        while !self.executed.is_empty() {
            self.deliver(0);
        }
        while !self.flights.is_empty() {
            self.answer(0, false);
        }
    }

    /// All that is under way is answered, and time goes on.
    fn wait(&mut self, seconds: u8, silent: usize) {
        self.answer_all();
        for _ in 0..seconds / 30 {
            self.sim.sleep(Duration::from_secs(30));
            self.observer
                .call(&mut self.sim, |c| c.putrootfh())
                .all_ok();
            for peer in (0..PEERS).filter(|peer| *peer != silent % (PEERS + 1)) {
                self.expire(peer);
                self.peers[peer].renew(&mut self.sim);
            }
        }
        for peer in 0..PEERS {
            self.expire(peer);
        }
    }

    /// A peer whose lease has run out has lost everything, and comes again.
    fn expire(&mut self, peer: usize) {
        let lease = self.sim.settings().lease;
        if self.sim.now() <= self.peers[peer].heard + lease {
            return;
        }
        for file in &mut self.files {
            file.forget(peer);
        }
        self.peers[peer] = Peer::new(&mut self.sim, peer);
        self.seen.insert(Seen::Expired);
    }

    /// Without much state nothing is refused for want of room.
    #[track_caller]
    pub(super) fn assert_much_state(&self) {
        let files: usize = self.files.iter().map(File::weight).sum();
        let locks: usize = self.peers.iter().map(|peer| peer.locks.len()).sum();
        let weight = files + locks + self.flights.len() + self.executed.len();
        assert!(weight >= MUCH, "there is room for more than {weight}");
    }

    /// All clients fall silent: nothing of them is left.
    pub(super) fn end(mut self) -> BTreeSet<Seen> {
        self.answer_all();
        self.compare();
        for file in 0..NAMES.len() {
            if !self.handles[file].is_empty() {
                self.audit(file);
            }
        }
        self.sim.set_pace(Pace::Delayed);
        // A reminder of a client that has gone may last longer than its lease.
        self.sim.sleep(6 * self.sim.settings().lease);
        self.sim.assert_nothing_is_left();
        self.seen
    }
}

impl Seen {
    /// What is to be seen often; [`Seen::Union`] is what chance seldom comes to.
    pub(super) const OFTEN: [Seen; 17] = [
        Seen::Created,
        Seen::Late,
        Seen::Widened,
        Seen::Cut,
        Seen::CutFailed,
        Seen::ShareDenied,
        Seen::Access,
        Seen::NoRoom,
        Seen::Orphan,
        Seen::Narrowed,
        Seen::LockDenied,
        Seen::TwoStateids,
        Seen::TakenOver,
        Seen::ClosedBeside,
        Seen::Freed,
        Seen::LocksHeld,
        Seen::Expired,
    ];

    /// What is to be seen often beside processes.
    pub(super) const BESIDE_PROCESSES: [Seen; 8] = [
        Seen::LockDenied,
        Seen::TwoStateids,
        Seen::TakenOver,
        Seen::ClosedBeside,
        Seen::Expired,
        Seen::LocalLock,
        Seen::LocalDenied,
        Seen::DeniedLocally,
    ];
}

fn settings() -> Config {
    Sim::config().with(|config| {
        // These clients lose all with their leases; `courtesy` is about those that do not.
        config.courtesy = Duration::ZERO;
        config.max_states = MOST;
        config.delegations = false;
    })
}

/// Mostly the same file, so that much is done with it, and seldom some of which most are not there.
fn file_of(file: u8) -> usize {
    [0, 0, 0, 0, 0, 1, 2, 3][usize::from(file) % 8]
}

/// Mostly nothing is denied.
fn share_of((access, deny): (u8, u8)) -> Share {
    Share {
        access: [3, 3, 1, 2][usize::from(access) % 4],
        deny: u32::from(deny % 24).saturating_sub(20),
    }
}

/// Mostly few bytes.
fn range_of((first, length): (u8, u8)) -> (usize, usize) {
    let first = usize::from(first) % BYTES;
    let more = [0, 0, 1, 2, BYTES][usize::from(length) % 5];
    (first, (first + more).min(BYTES - 1))
}

/// Whether this operation says so that there is no room: an error that ends, for the client need not
/// try again.
pub(super) fn is_refusal((op, status): (Op, Status)) -> bool {
    match op {
        Op::Open => matches!(status, Status::RESOURCE | Status::DQUOT | Status::NOSPC),
        Op::Lock | Op::LockU => matches!(status, Status::RESOURCE | Status::SERVERFAULT),
        _ => false,
    }
}

pub(super) const PEERS: usize = UIDS.len();
pub(super) const NAMES: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
const MODES: [u32; 6] = [0o666, 0o666, 0o666, 0o666, 0o644, 0o444];
/// So much state the server takes at most,
const MOST: u32 = 34;
/// and so much at least, all of it by one principal: this, what its host has and what all have, and
/// three times the one that it is to have more.
const MUCH: usize = (MOST as usize - 3) / 3;
