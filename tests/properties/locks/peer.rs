//! A client of any minor version, and what it knows of its opens and locks.

use std::collections::BTreeMap;
use std::time::Duration;

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, ExistLockOwner, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, Owner, SessionId, Stateid};
use nfs4_proto::nfs4::consts::OPEN4_RESULT_CONFIRM;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Reply, Sim};

/// One of its opens: the owner, and the file.
pub(super) type Opened = (usize, usize);
/// What one of its lock owners has under an open.
pub(super) type Held = (usize, Opened);

pub(super) struct Peer {
    pub(super) wire: Wire,
    /// When its lease was last renewed.
    pub(super) heard: Duration,
    pub(super) opens: BTreeMap<Opened, Stateid>,
    pub(super) locks: BTreeMap<Held, Stateid>,
}

/// How it talks to the server.
pub(super) enum Wire {
    /// Slot 0 is for what is answered at once.
    Later { client: Client, busy: [bool; SLOTS] },
    V40 {
        client: Client40,
        /// Whether a request of the open owner is under way.
        busy: [bool; OWNERS.len()],
        /// The next seqid of each lock owner.
        seqids: [u32; LOCKERS.len()],
    },
}

/// A request that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) xid: u32,
    slot: u32,
    /// None in minor version 0.
    session: Option<SessionId>,
}

impl Peer {
    /// The peer of this number: of minor version 1, 2 or 0.
    pub(super) fn new(sim: &mut Sim, number: usize) -> Peer {
        let name = format!("peer {number}");
        let uid = UIDS[number];
        let wire = if number == 2 {
            let mut client = Client40::stranger(sim, &name);
            client.uid = uid;
            client.mount(sim);
            Wire::V40 {
                client,
                busy: [false; OWNERS.len()],
                seqids: [1; LOCKERS.len()],
            }
        } else {
            let mut client = Client::stranger(sim, &name);
            client.uid = uid;
            client.minor = number as u32 + 1;
            client.mount(sim);
            Wire::Later {
                client,
                busy: [false; SLOTS],
            }
        };
        Peer {
            wire,
            heard: sim.now(),
            opens: BTreeMap::new(),
            locks: BTreeMap::new(),
        }
    }

    pub(super) fn is_v40(&self) -> bool {
        matches!(self.wire, Wire::V40 { .. })
    }

    /// Whether the owner cannot ask for anything now.
    pub(super) fn is_busy(&self, owner: usize) -> bool {
        match &self.wire {
            Wire::Later { busy, .. } => busy.iter().skip(1).all(|busy| *busy),
            Wire::V40 { busy, .. } => busy[owner],
        }
    }

    /// Whether what is of minor version 0 and goes by the owner's seqid must wait.
    pub(super) fn must_wait(&self, owner: usize) -> bool {
        self.is_v40() && self.is_busy(owner)
    }

    /// An owner as it is sent.
    pub(super) fn owner<'a>(&self, owner: &'a [u8]) -> Owner<'a> {
        let clientid = match &self.wire {
            Wire::Later { .. } => ClientId(0),
            Wire::V40 { client, .. } => client.id,
        };
        Owner { clientid, owner }
    }

    /// The seqid of an open owner's next request.
    pub(super) fn seqid(&mut self, owner: usize) -> u32 {
        match &mut self.wire {
            Wire::Later { .. } => 0,
            Wire::V40 { client, .. } => client.seqid(OWNERS[owner]),
        }
    }

    /// A request that its owner's seqid was spent on was answered; some answers do not count.
    /// [RFC 7530 §9.1.7]
    pub(super) fn spent(&mut self, owner: usize, status: Status) {
        if let Wire::V40 { client, .. } = &mut self.wire
            && status == Status::RESOURCE
        {
            let seqid = client.seqids.get_mut(OWNERS[owner]);
            *seqid.expect("it was spent") -= 1;
        }
    }

    /// Sends an OPEN, and does not wait for the answer.
    pub(super) fn send(
        &mut self,
        sim: &mut Sim,
        owner: usize,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Sent {
        match &mut self.wire {
            Wire::Later { client, busy } => {
                let slot = (1..SLOTS).find(|slot| !busy[*slot]);
                let slot = slot.expect("it is not busy");
                busy[slot] = true;
                let request = client.request(sim, slot as u32, true, build);
                request.send(sim, client.conn);
                Sent {
                    xid: request.xid(),
                    slot: slot as u32,
                    session: Some(client.session),
                }
            }
            Wire::V40 { client, busy, .. } => {
                busy[owner] = true;
                let xid = sim.xid();
                let record = client.record(xid, build);
                sim.send(client.conn, record);
                Sent {
                    xid,
                    slot: 0,
                    session: None,
                }
            }
        }
    }

    /// The answer to what was sent, if it has come; also says whether its session has gone.
    pub(super) fn answer(
        &mut self,
        sim: &mut Sim,
        owner: usize,
        sent: Sent,
    ) -> Option<(Reply, bool)> {
        let reply = sim.take_reply(sent.xid)?;
        let orphan = match &mut self.wire {
            Wire::Later { client, busy } if sent.session == Some(client.session) => {
                busy[sent.slot as usize] = false;
                client.advance(sent.slot);
                false
            }
            Wire::Later { .. } => true,
            Wire::V40 { busy, .. } => {
                busy[owner] = false;
                self.spent(owner, reply.status());
                false
            }
        };
        self.heard = sim.now();
        Some((reply, orphan))
    }

    /// A request that is answered at once.
    #[track_caller]
    pub(super) fn ask(
        &mut self,
        sim: &mut Sim,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let reply = match &mut self.wire {
            Wire::Later { client, .. } => client.call(sim, build),
            Wire::V40 { client, .. } => client.call(sim, build),
        };
        self.heard = sim.now();
        reply
    }

    /// As [`Peer::ask`], of what asks the file system.
    #[track_caller]
    pub(super) fn look(
        &mut self,
        sim: &mut Sim,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let (xid, record, conn) = match &mut self.wire {
            Wire::Later { client, .. } => {
                let request = client.request(sim, 0, true, build);
                client.advance(0);
                (request.xid(), request.record, client.conn)
            }
            Wire::V40 { client, .. } => {
                let xid = sim.xid();
                (xid, client.record(xid, build), client.conn)
            }
        };
        let held = sim.held().len();
        sim.send(conn, record);
        sim.run();
        while sim.held().len() > held {
            sim.complete(held);
        }
        self.heard = sim.now();
        sim.take_reply(xid).expect("it is answered")
    }

    /// Nothing but that it is alive.
    pub(super) fn renew(&mut self, sim: &mut Sim) {
        match &mut self.wire {
            Wire::Later { client, .. } => client.call(sim, |c| c.putrootfh()).all_ok(),
            Wire::V40 { client, .. } => client.renew(sim).all_ok(),
        };
        self.heard = sim.now();
    }

    /// Confirms an open, if that is wanted; its stateid.
    pub(super) fn confirm(&mut self, sim: &mut Sim, opened: Opened, reply: &Reply) -> Stateid {
        let open = ok!(reply, Open);
        if open.rflags & OPEN4_RESULT_CONFIRM == 0 {
            return open.stateid;
        }
        let confirm = args::OpenConfirm {
            open_stateid: open.stateid,
            seqid: self.seqid(opened.0),
        };
        let object = ok!(reply, GetFh).object.to_vec();
        let put = args::PutFh { object: &object };
        let reply = self
            .ask(sim, |c| c.putfh(put).open_confirm(confirm))
            .all_ok();
        let confirmed = ok!(reply, OpenConfirm).open_stateid;
        let next = Stateid {
            seqid: open.stateid.seqid + 1,
            ..open.stateid
        };
        assert_eq!(confirmed, next);
        // As if it had not been wanted.
        confirmed
    }

    /// The locker, as LOCK names it. Seqids are spent.
    pub(super) fn locker(&mut self, held: Held, anew: bool) -> Locker<'static> {
        let (locker, opened) = held;
        let known = self.locks.get(&held).copied();
        let known = known.filter(|_| !anew || self.is_v40());
        let open_seqid = if known.is_none() {
            self.seqid(opened.0)
        } else {
            0
        };
        let lock_seqid = self.lock_seqid(locker);
        match known {
            Some(lock_stateid) => Locker::Existing(ExistLockOwner {
                lock_stateid,
                lock_seqid,
            }),
            None => Locker::New(OpenToLockOwner {
                open_seqid,
                open_stateid: self.opens[&opened],
                lock_seqid,
                lock_owner: self.owner(LOCKERS[locker]),
            }),
        }
    }

    /// The seqid of a lock owner's next request.
    pub(super) fn lock_seqid(&mut self, locker: usize) -> u32 {
        match &mut self.wire {
            Wire::Later { .. } => 0,
            Wire::V40 { seqids, .. } => {
                seqids[locker] += 1;
                seqids[locker] - 1
            }
        }
    }

    /// The seqids that LOCK or LOCKU has spent do not count after some answers.
    pub(super) fn lock_spent(&mut self, held: Held, by_open: bool, status: Status) {
        if by_open {
            self.spent(held.1.0, status);
        }
        if let Wire::V40 { seqids, .. } = &mut self.wire
            && status == Status::RESOURCE
        {
            seqids[held.0] -= 1;
        }
    }

    /// Says that it is done with what a lock owner has under an open; in minor version 0, with the
    /// lock owner.
    pub(super) fn free(&mut self, sim: &mut Sim, held: Held) -> Status {
        let stateid = self.locks[&held];
        let release = args::ReleaseLockOwner {
            lock_owner: self.owner(LOCKERS[held.0]),
        };
        let is_v40 = self.is_v40();
        let reply = self.ask(sim, |c| {
            if is_v40 {
                c.release_lockowner(release)
            } else {
                c.free_stateid(args::FreeStateid { stateid })
            }
        });
        let (op, status) = reply.last();
        assert!(matches!(op, Op::FreeStateid | Op::ReleaseLockOwner));
        status
    }
}

/// The stateid after this one.
pub(super) fn next(stateid: Stateid) -> Stateid {
    Stateid {
        seqid: stateid.seqid + 1,
        ..stateid
    }
}

pub(super) const OWNERS: [&[u8]; 2] = [b"one", b"two"];
pub(super) const LOCKERS: [&[u8]; 2] = [b"x", b"y"];
/// The user that each peer calls as.
pub(super) const UIDS: [u32; 3] = [1000, 1000, 2000];
/// Slots that it uses.
const SLOTS: usize = 5;
