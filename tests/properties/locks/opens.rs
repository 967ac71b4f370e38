//! OPEN, CLOSE and OPEN_DOWNGRADE, and the files that they are about.

use nfs4_engine::fs::{Creation, FsError, FsOp};
use nfs4_proto::nfs4::args::{self, CreateHow, OpenFlag};
use nfs4_proto::nfs4::attr::SettableAttrs;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Fattr, Reply, open_args};

use super::model::{File, Share};
use super::peer::{Held, OWNERS, Opened, Sent, UIDS, next};
use super::play::{How, NAMES, Play, Seen, is_refusal};

/// An OPEN that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    peer: usize,
    opened: Opened,
    share: Share,
    how: How,
    mode: u32,
    sent: Sent,
    /// The file system is not asked to make the file.
    barred: bool,
    /// The file is being cut.
    pub(super) cuts: bool,
}

/// What a file system has done for an OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It has refused.
    Failed(Status),
    /// It has not found the file, and was not to make it.
    Absent,
    Made,
    Found,
    Cut,
}

impl Flight {
    /// Whether the file system holds the file then.
    pub(super) fn is_held(&self, done: Done) -> bool {
        match done {
            Done::Made | Done::Found | Done::Cut => true,
            // It was asked for the file that must not be there, not to make it.
            Done::Failed(status) => self.barred && status == Status::EXIST,
            Done::Absent => false,
        }
    }
}

/// What should come of an OPEN that the engine hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Fails(Status),
    /// It fails for want of room.
    Refused,
    /// It opens the file, or has it cut first.
    Opens {
        cuts: bool,
    },
    /// It opens the file if there is room, and may have it cut first.
    MayOpen {
        cuts: bool,
    },
}

impl Play {
    pub(super) fn open(&mut self, peer: usize, opened: Opened, share: Share, how: How, mode: u32) {
        let (owner, file) = opened;
        if self.peers[peer].is_busy(owner) {
            return;
        }
        let attrs = Fattr::new(&SettableAttrs {
            mode: Some(mode),
            size: (how == How::Cut).then_some(0),
            ..SettableAttrs::default()
        });
        let seqid = self.peers[peer].seqid(owner);
        let args = args::Open {
            seqid,
            share_access: share.access,
            share_deny: share.deny,
            owner: self.peers[peer].owner(OWNERS[owner]),
            openhow: match how {
                How::NoCreate => OpenFlag::NoCreate,
                How::Unchecked | How::Cut => OpenFlag::Create(CreateHow::Unchecked(attrs.raw())),
                How::Guarded => OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
            },
            ..open_args(b"", NAMES[file])
        };
        let sent =
            self.peers[peer].send(&mut self.sim, owner, |c| c.putrootfh().open(args).getfh());
        self.sim.run();
        let held = self.sim.held();
        assert_eq!(held.len(), self.flights.len() + 1, "the file is looked for");
        let barred = match &held[self.flights.len()].op {
            FsOp::Open { how: asked, .. } => how != How::NoCreate && asked.create == Creation::No,
            other => panic!("{other:?}"),
        };
        if barred {
            self.assert_much_state();
        }
        self.flights.push(Flight {
            peer,
            opened,
            share,
            how,
            mode,
            sent,
            barred,
            cuts: false,
        });
    }

    /// The file system answers; it fails to cut a file.
    pub(super) fn answer(&mut self, which: usize, fails: bool) {
        if !fails || !self.flights[which].cuts {
            self.execute(which);
            self.deliver(self.executed.len() - 1);
            return;
        }
        let flight = self.flights.remove(which);
        self.unclaim(&flight);
        self.sim.refuse(which, FsError::NoSpace);
        let reply = self.reply(&flight);
        assert_eq!(reply.last(), (Op::Open, Status::NOSPC), "{flight:?}");
        self.seen.insert(Seen::CutFailed);
    }

    /// The file system executes a request, and the engine does not hear of it yet.
    pub(super) fn execute(&mut self, which: usize) {
        let flight = self.flights.remove(which);
        let file = &mut self.files[flight.opened.1];
        let done = if flight.cuts {
            Done::Cut
        } else if file.made.is_some() {
            found(file, &flight)
        } else if flight.how == How::NoCreate {
            Done::Failed(Status::NOENT)
        } else if flight.barred {
            Done::Absent
        } else {
            file.made = Some((flight.mode, UIDS[flight.peer]));
            self.seen.insert(Seen::Created);
            Done::Made
        };
        self.sim.execute(which);
        self.executed.push((flight, done));
    }

    /// The engine hears of a request that was executed.
    pub(super) fn deliver(&mut self, which: usize) {
        let (flight, done) = self.executed.remove(which);
        let expected = self.expected(&flight, done);
        if done == Done::Cut {
            self.unclaim(&flight);
            self.seen.insert(Seen::Cut);
        }
        self.sim.deliver(which);
        self.sim.run();
        let goes_on = self.sim.held().len() > self.flights.len();
        match expected {
            Expected::Opens { cuts } => assert_eq!(goes_on, cuts, "it is cut: {flight:?}"),
            Expected::MayOpen { cuts } => assert!(cuts || !goes_on, "it is cut: {flight:?}"),
            Expected::Fails(_) | Expected::Refused => assert!(!goes_on, "it fails: {flight:?}"),
        }
        if goes_on {
            let needed = flight.share.union(WRITE);
            self.files[flight.opened.1].claims.push(needed);
            let cuts = true;
            self.flights.push(Flight { cuts, ..flight });
            return;
        }
        let reply = self.reply(&flight);
        let is_refused = is_refusal(reply.last());
        match expected {
            Expected::Fails(expected) => {
                assert_eq!(reply.last(), (Op::Open, expected), "{flight:?}");
                match expected {
                    Status::SHARE_DENIED => self.seen.insert(Seen::ShareDenied),
                    Status::ACCESS => self.seen.insert(Seen::Access),
                    _ => false,
                };
            }
            Expected::Refused => {
                assert!(is_refused, "{flight:?}: {reply:?}");
                self.seen.insert(Seen::NoRoom);
            }
            Expected::MayOpen { .. } if is_refused => self.assert_much_state(),
            Expected::Opens { .. } | Expected::MayOpen { .. } => self.opened(&flight, &reply),
        }
    }

    /// What should come of what the file system has done.
    fn expected(&self, flight: &Flight, done: Done) -> Expected {
        let cuts = match done {
            Done::Failed(status) => return Expected::Fails(status),
            Done::Absent => return Expected::Refused,
            // Its share was taken before.
            Done::Cut => return Expected::Opens { cuts: false },
            Done::Made => false,
            Done::Found => flight.how == How::Cut,
        };
        let (owner, file) = flight.opened;
        let file = &self.files[file];
        let needed = if cuts {
            flight.share.union(WRITE)
        } else {
            flight.share
        };
        // Others may have opened what was made before the engine has heard of it.
        if file.denies(needed) {
            return Expected::Fails(Status::SHARE_DENIED);
        }
        let own = file.opens.contains_key(&(flight.peer, owner));
        if own || flight.how != How::NoCreate && !flight.barred {
            Expected::Opens { cuts }
        } else {
            Expected::MayOpen { cuts }
        }
    }

    /// An OPEN that has cut the file has its share by its open, or not at all.
    fn unclaim(&mut self, flight: &Flight) {
        let needed = flight.share.union(WRITE);
        let claims = &mut self.files[flight.opened.1].claims;
        let claim = claims.iter().position(|claim| *claim == needed);
        claims.swap_remove(claim.expect("it was taken"));
    }

    fn reply(&mut self, flight: &Flight) -> Reply {
        let peer = &mut self.peers[flight.peer];
        let answer = peer.answer(&mut self.sim, flight.opened.0, flight.sent);
        let (reply, orphan) = answer.unwrap_or_else(|| panic!("no answer: {flight:?}"));
        if orphan {
            self.seen.insert(Seen::Orphan);
        }
        reply
    }

    /// An OPEN has succeeded.
    fn opened(&mut self, flight: &Flight, reply: &Reply) {
        assert_eq!(reply.status(), Status::OK, "{flight:?}: {reply:?}");
        let (owner, file) = flight.opened;
        let stateid = ok!(reply, Open).stateid;
        let expected = match self.peers[flight.peer].opens.get(&flight.opened) {
            Some(before) => {
                self.seen.insert(Seen::Widened);
                next(*before)
            }
            None => Stateid {
                seqid: 1,
                ..stateid
            },
        };
        assert_eq!(stateid, expected, "{flight:?}");
        self.handles[file] = ok!(reply, GetFh).object.to_vec();
        let open = self.files[file].opens.entry((flight.peer, owner));
        open.or_default().widen(flight.share);
        let peer = &mut self.peers[flight.peer];
        let stateid = peer.confirm(&mut self.sim, flight.opened, reply);
        peer.opens.insert(flight.opened, stateid);
    }

    /// One of the opens, if its owner can go on with it.
    pub(super) fn which_open(&self, which: u8) -> Option<(usize, Opened)> {
        let all = self.peers.iter().enumerate();
        let all = all.flat_map(|(peer, of)| of.opens.keys().map(move |opened| (peer, *opened)));
        let all: Vec<_> = all.collect();
        let (peer, opened) = all[usize::from(which).checked_rem(all.len())?];
        (!self.peers[peer].must_wait(opened.0)).then_some((peer, opened))
    }

    /// An open of a file that one lock owner has locked under two.
    fn locked_twice(&self) -> Option<(usize, Opened)> {
        let mut peers = self.peers.iter().enumerate();
        peers.find_map(|(peer, of)| {
            let mut all = of.locks.keys();
            let (_, opened) = all.find(|(locker, (owner, file))| {
                let holds = self.files[*file].holds((peer, *locker), Some(*owner));
                let twice =
                    |other: &Held| (other.0, other.1.1) == (*locker, *file) && other.1.0 != *owner;
                holds && of.locks.keys().any(twice)
            })?;
            Some((peer, *opened))
        })
    }

    pub(super) fn close(&mut self, which: u8) {
        // Rather one whose lock owner has locked the file under another, too.
        let locked = self.locked_twice().filter(|_| which.is_multiple_of(2));
        let locked = locked.filter(|(peer, opened)| !self.peers[*peer].must_wait(opened.0));
        let Some((peer, opened)) = locked.or_else(|| self.which_open(which)) else {
            return;
        };
        let (owner, file) = opened;
        let of = &mut self.peers[peer];
        let close = args::Close {
            seqid: of.seqid(owner),
            open_stateid: of.opens[&opened],
        };
        let put = args::PutFh {
            object: &self.handles[file],
        };
        of.ask(&mut self.sim, |c| c.putfh(put).close(close))
            .all_ok();
        of.opens.remove(&opened);
        of.locks.retain(|(_, under), _| *under != opened);
        if self.files[file].close((peer, owner)) {
            self.seen.insert(Seen::ClosedBeside);
        }
        self.audit(file);
    }

    pub(super) fn narrow(&mut self, which: u8, share: Share) {
        let Some((peer, opened)) = self.which_open(which) else {
            return;
        };
        let (owner, file) = opened;
        let of = &mut self.peers[peer];
        let narrow = args::OpenDowngrade {
            open_stateid: of.opens[&opened],
            seqid: of.seqid(owner),
            share_access: share.access,
            share_deny: share.deny,
        };
        let put = args::PutFh {
            object: &self.handles[file],
        };
        let reply = of.ask(&mut self.sim, |c| c.putfh(put).open_downgrade(narrow));
        of.spent(owner, reply.status());
        let open = self.files[file].opens.get_mut(&(peer, owner));
        let open = open.expect("it is open");
        if open.leaves(share) {
            let stateid = ok!(reply.all_ok(), OpenDowngrade).open_stateid;
            assert_eq!(stateid, next(of.opens[&opened]));
            of.opens.insert(opened, stateid);
            self.seen.insert(if open.has(share) {
                Seen::Narrowed
            } else {
                Seen::Union
            });
            open.narrow(share);
        } else {
            assert_eq!(reply.last(), (Op::OpenDowngrade, Status::INVAL));
        }
    }

    pub(super) fn remove(&mut self, file: usize) {
        let found = &mut self.files[file];
        let mut found_by = self.executed.iter().map(|(flight, _)| flight.opened.1);
        let is_used = !found.opens.is_empty()
            || !found.claims.is_empty()
            || found_by.any(|found| found == file);
        if found.made.is_none() || is_used {
            return;
        }
        found.made = None;
        found.local.clear();
        self.handles[file].clear();
        let remove = args::Remove {
            target: NAMES[file],
        };
        let peer = &mut self.peers[0];
        peer.look(&mut self.sim, |c| c.putrootfh().remove(remove))
            .all_ok();
    }
}

/// What a file system says of a file that is there.
fn found(file: &File, flight: &Flight) -> Done {
    if flight.how == How::Guarded {
        return Done::Failed(Status::EXIST);
    }
    let Share { access, deny } = flight.share;
    let (reads, writes) = file.rights(UIDS[flight.peer]);
    let needs_write = access & 2 != 0 || deny & 1 != 0 || flight.how == How::Cut;
    if access & 1 != 0 && !reads || needs_write && !writes {
        return Done::Failed(Status::ACCESS);
    }
    Done::Found
}

const WRITE: Share = Share { access: 2, deny: 0 };
