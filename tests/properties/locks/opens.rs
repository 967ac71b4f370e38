//! OPEN, CLOSE and OPEN_DOWNGRADE, and the files that they are about.

use nfs4_engine::fs::{Create, FsError, FsOp};
use nfs4_proto::nfs4::args::{self, CreateHow, OpenHow};
use nfs4_proto::nfs4::attr::SetAttrs;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Fattr, Reply, open_args};

use super::model::Share;
use super::peer::{OWNERS, Opened, Sent, UIDS, next};
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

/// What should come of an OPEN when the file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Fails(Status),
    /// It fails for want of room.
    Refused,
    /// It opens the file, or cuts it first.
    Opens {
        made: bool,
        cuts: bool,
    },
    /// It opens the file if there is room, and may cut it first.
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
        let attrs = Fattr::new(&SetAttrs {
            mode: Some(mode),
            size: (how == How::Cut).then_some(0),
            ..SetAttrs::default()
        });
        let seqid = self.peers[peer].seqid(owner);
        let args = args::Open {
            seqid,
            share_access: share.access,
            share_deny: share.deny,
            owner: self.peers[peer].owner(OWNERS[owner]),
            openhow: match how {
                How::NoCreate => OpenHow::NoCreate,
                How::Unchecked | How::Cut => OpenHow::Create(CreateHow::Unchecked(attrs.raw())),
                How::Guarded => OpenHow::Create(CreateHow::Guarded(attrs.raw())),
            },
            ..open_args(b"", NAMES[file])
        };
        let sent =
            self.peers[peer].send(&mut self.sim, owner, |c| c.putrootfh().open(args).getfh());
        self.sim.run();
        let held = self.sim.held();
        assert_eq!(held.len(), self.flights.len() + 1, "the file is looked for");
        let barred = match &held[self.flights.len()].op {
            FsOp::Open { how: asked, .. } => how != How::NoCreate && asked.create == Create::No,
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

    pub(super) fn answer(&mut self, which: usize, fails: bool) {
        let flight = self.flights.remove(which);
        if flight.cuts {
            self.cut(which, flight, fails);
            return;
        }
        let expected = self.expected(&flight);
        self.sim.complete(which);
        let goes_on = self.sim.held().len() > self.flights.len();
        let cuts = match expected {
            Expected::Opens { cuts, .. } => {
                assert_eq!(goes_on, cuts, "it is cut");
                cuts
            }
            Expected::MayOpen { cuts } => {
                assert!(cuts || !goes_on, "it is cut");
                goes_on
            }
            Expected::Fails(_) | Expected::Refused => {
                assert!(!goes_on, "it fails: {flight:?}");
                false
            }
        };
        if cuts {
            let needed = flight.share.union(WRITE);
            self.files[flight.opened.1].claims.push(needed);
            self.flights.push(Flight {
                cuts: true,
                ..flight
            });
            return;
        }
        let reply = self.reply(&flight);
        let status = reply.status();
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
                assert!(is_refusal(status), "{flight:?}: {reply:?}");
                self.seen.insert(Seen::NoRoom);
            }
            Expected::MayOpen { .. } if is_refusal(status) => self.assert_much_state(),
            Expected::Opens { made: true, .. } => {
                let uid = UIDS[flight.peer];
                self.files[flight.opened.1].made = Some((flight.mode, uid));
                self.seen.insert(Seen::Created);
                self.opened(&flight, &reply);
            }
            Expected::Opens { .. } | Expected::MayOpen { .. } => self.opened(&flight, &reply),
        }
    }

    /// What should come of an OPEN that the file system carries out now.
    fn expected(&self, flight: &Flight) -> Expected {
        let (owner, file) = flight.opened;
        let file = &self.files[file];
        let creates = flight.how != How::NoCreate;
        if file.made.is_none() {
            return match (creates, flight.barred) {
                (false, _) => Expected::Fails(Status::NOENT),
                (true, true) => Expected::Refused,
                (true, false) => Expected::Opens {
                    made: true,
                    cuts: false,
                },
            };
        }
        if flight.how == How::Guarded {
            return Expected::Fails(Status::EXIST);
        }
        let cuts = flight.how == How::Cut;
        let Share { access, deny } = flight.share;
        let (reads, writes) = file.rights(UIDS[flight.peer]);
        let needs_write = access & 2 != 0 || deny & 1 != 0 || cuts;
        if access & 1 != 0 && !reads || needs_write && !writes {
            return Expected::Fails(Status::ACCESS);
        }
        let needed = if cuts {
            flight.share.union(WRITE)
        } else {
            flight.share
        };
        if file.denies(needed) {
            return Expected::Fails(Status::SHARE_DENIED);
        }
        let own = file.opens.contains_key(&(flight.peer, owner));
        if own || creates && !flight.barred {
            Expected::Opens { made: false, cuts }
        } else {
            Expected::MayOpen { cuts }
        }
    }

    /// The file system has cut a file, or failed to.
    fn cut(&mut self, which: usize, flight: Flight, fails: bool) {
        let needed = flight.share.union(WRITE);
        let claims = &mut self.files[flight.opened.1].claims;
        let claim = claims.iter().position(|claim| *claim == needed);
        claims.swap_remove(claim.expect("it was taken"));
        if fails {
            self.sim.refuse(which, FsError::NoSpace);
            let reply = self.reply(&flight);
            assert_eq!(reply.last(), (Op::Open, Status::NOSPC), "{flight:?}");
            self.seen.insert(Seen::CutFailed);
        } else {
            self.sim.complete(which);
            let reply = self.reply(&flight);
            self.opened(&flight, &reply);
            self.seen.insert(Seen::Cut);
        }
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

    pub(super) fn close(&mut self, which: u8) {
        let locked = self.which_lock(which).filter(|_| which.is_multiple_of(2));
        let locked = locked.map(|(peer, (_, opened))| (peer, opened));
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
        let is_used = !found.opens.is_empty() || !found.claims.is_empty();
        if found.made.is_none() || is_used {
            return;
        }
        found.made = None;
        let remove = args::Remove {
            target: NAMES[file],
        };
        let peer = &mut self.peers[0];
        peer.look(&mut self.sim, |c| c.putrootfh().remove(remove))
            .all_ok();
    }
}

const WRITE: Share = Share { access: 2, deny: 0 };
