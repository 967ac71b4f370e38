//! The steps, on the server and in the model.

use std::collections::BTreeSet;
use std::sync::Arc;

use nfs4_engine::{Admin, AdminFault, ExportFault};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::any::CbArgOp;
use nfs4_proto::nfs4::args::{self, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::attr::{AttrValue, num};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, StableHow};
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, SEQ4_STATUS_ADMIN_STATE_REVOKED,
};
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{Bitmap, Stateid, Status};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fs, Pace, Reply, Sim, making_args, open_args};

use super::model::{ANONYMOUS, Opened, Options, Peer, Served, UnderWay, Work};
use super::{Seen, Step};

pub(super) struct Play {
    sim: Sim,
    exports: Vec<Served>,
    peers: Vec<Peer>,
    seen: BTreeSet<Seen>,
}

impl Play {
    pub(super) fn new() -> Play {
        // An export that nothing happens to.
        let mut sim = Sim::serving(&["/kept"], |_| {});
        let mut exports: Vec<Served> = (1..=EXPORTS as u16).map(served).collect();
        for export in &exports {
            put(&mut sim, export);
        }
        let mut maker = Client::mounted(&mut sim, "maker");
        for export in &mut exports {
            let name = &export.path.as_bytes()[1..];
            let up = args::Lookup { objname: name };
            let at = |c: &mut CompoundBuilder, file: Option<&[u8]>| {
                c.putrootfh().lookup(up);
                if let Some(objname) = file {
                    c.lookup(args::Lookup { objname });
                }
            };
            let mut handle = |file: Option<&[u8]>| {
                let reply = maker.call(&mut sim, |c| {
                    at(c, file);
                    c.getfh()
                });
                ok!(reply.all_ok(), GetFh).object.to_vec()
            };
            export.root = handle(None);
            export.files = FILES.iter().map(|name| handle(Some(name))).collect();
        }
        let peers = ["192.0.2.7", "192.0.2.8", "198.51.100.7"].map(|host| peer(&mut sim, host));
        Play {
            sim,
            exports,
            peers: peers.into(),
            seen: BTreeSet::new(),
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        let (of_peers, of_files) = (self.peers.len(), EXPORTS * FILES.len());
        let round = |by: u8, file: u8| (usize::from(by) % of_peers, usize::from(file) % of_files);
        match step {
            Step::Put { export, options } => {
                self.put(usize::from(export) % EXPORTS, Options::of(options));
            }
            Step::Remove { export } => self.remove(usize::from(export) % EXPORTS),
            Step::Serve { these } => self.serve(these),
            Step::Open { by, file, writes } => {
                let (by, file) = round(by, file);
                self.open(by, file, writes);
            }
            Step::Close { by, file } => {
                let (by, file) = round(by, file);
                self.close(by, file);
            }
            Step::Lock { by, file } => {
                let (by, file) = round(by, file);
                self.lock(by, file);
            }
            Step::Unlock { by, file } => {
                let (by, file) = round(by, file);
                self.unlock(by, file);
            }
            Step::Read { by, file } => {
                let (by, file) = round(by, file);
                self.transfer(by, file, false);
            }
            Step::Write { by, file } => {
                let (by, file) = round(by, file);
                self.transfer(by, file, true);
            }
            Step::Make { by, export } => {
                self.make(usize::from(by) % of_peers, usize::from(export) % EXPORTS);
            }
            Step::Begin { by, file, what } => {
                let (by, file) = round(by, file);
                let works = [Work::Open, Work::Read, Work::GetAttr];
                self.begin(by, file, works[usize::from(what) % works.len()]);
            }
            Step::Finish => self.finish(),
            Step::Ask { by } => self.ask(usize::from(by) % of_peers),
        }
        self.answer_recalls();
        self.check_holds();
    }

    /// Each open holds its file once, and what has ended holds none.
    fn check_holds(&self) {
        for (at, export) in self.exports.iter().enumerate() {
            let files = FILES.len() * at..FILES.len() * (at + 1);
            let of_peer = |peer: &Peer| peer.opens[files.clone()].iter().flatten().count();
            let opens: usize = self.peers.iter().map(of_peer).sum();
            // Requests in execution may hold one each.
            let held = export.fs.held();
            let most = opens as u64 + u64::from(export.asked);
            assert!((opens as u64..=most).contains(&held), "{held} of {opens}");
        }
    }

    fn put(&mut self, at: usize, options: Options) {
        let export = &mut self.exports[at];
        let before = export.options;
        export.options = options;
        if export.is_ending() {
            let fault = self
                .sim
                .refused(Admin::PutExport(Box::new(export.export())));
            assert!(is_ending(&fault, &export.path), "{fault:?}");
            export.options = before;
            self.seen.insert(Seen::Ending);
            return;
        }
        put(&mut self.sim, export);
        if !export.is_served {
            self.seen.insert(Seen::Back);
        }
        export.is_served = true;
    }

    fn remove(&mut self, at: usize) {
        let path = self.exports[at].path.clone();
        if self.exports[at].is_served {
            self.sim.admin(Admin::RemoveExport { path });
            self.has_gone(at);
        } else {
            let fault = self.sim.refused(Admin::RemoveExport { path: path.clone() });
            assert_eq!(fault, AdminFault::NoExport(path));
        }
    }

    fn serve(&mut self, these: u8) {
        let wanted = |at: usize| these >> at & 1 != 0;
        let list = (0..EXPORTS).filter(|at| wanted(*at));
        let list = list.map(|at| self.exports[at].export());
        let kept = self.sim.exports()[0].clone();
        let list: Vec<_> = list.chain([kept]).collect();
        let ending = (0..EXPORTS).any(|at| wanted(at) && self.exports[at].is_ending());
        if ending {
            let fault = self.sim.refused(Admin::SetExports(list));
            assert!(matches!(fault, AdminFault::Exports(_)), "{fault:?}");
            self.seen.insert(Seen::Ending);
            return;
        }
        self.sim.admin(Admin::SetExports(list));
        for at in 0..EXPORTS {
            let was_served = self.exports[at].is_served;
            if wanted(at) {
                self.exports[at].is_served = true;
            } else if was_served {
                self.has_gone(at);
            }
        }
    }

    /// All that clients have of an export ends with it.
    fn has_gone(&mut self, at: usize) {
        let export = &mut self.exports[at];
        export.is_served = false;
        export.removals += 1;
        for peer in &mut self.peers {
            for file in FILES.len() * at..FILES.len() * (at + 1) {
                if let Some(opened) = peer.opens[file].take() {
                    peer.lost.push(opened.stateid);
                    self.seen.insert(Seen::LostOpen);
                    if opened.lock.is_some_and(|(_, locked)| locked) {
                        self.seen.insert(Seen::LostLock);
                    }
                }
                if let Some(stateid) = peer.delegations[file].take() {
                    peer.lost.push(stateid);
                    self.seen.insert(Seen::LostDelegation);
                }
            }
        }
        self.sim.run_timers();
    }

    /// The status of a request of a peer for a file of an export, if the export decides it.
    fn barred(&mut self, by: usize, at: usize, changes: bool) -> Option<Status> {
        let (export, peer) = (&self.exports[at], &self.peers[by]);
        let (status, seen) = if !export.is_served {
            (Status::STALE, Seen::Stale)
        } else if export.options.inside && !peer.is_inside {
            (Status::ACCESS, Seen::Outside)
        } else if export.options.read_only && changes {
            (Status::ROFS, Seen::ReadOnly)
        } else {
            return None;
        };
        self.seen.insert(seen);
        Some(status)
    }

    /// A request for a file; while it gets DELAY, holders return what is recalled.
    fn on(
        &mut self,
        by: usize,
        object: &[u8],
        build: impl Fn(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        for _ in 0..TRIES {
            let client = &mut self.peers[by].client;
            let reply = client.call(&mut self.sim, |c| build(c.putfh(args::PutFh { object })));
            if reply.status() != Status::DELAY {
                return reply;
            }
            self.answer_recalls();
        }
        panic!("DELAY again and again");
    }

    fn is_busy(&self, by: usize) -> bool {
        self.peers[by].under_way.is_some()
    }

    /// Whether a file system has requests that it has not answered: no other request is answered meanwhile.
    fn is_waiting(&self) -> bool {
        self.peers.iter().any(|peer| peer.under_way.is_some())
    }

    fn open(&mut self, by: usize, file: usize, writes: bool) {
        if self.is_waiting() || self.peers[by].opens[file].is_some() {
            return;
        }
        let at = file / FILES.len();
        let expected = self.barred(by, at, writes);
        let args = args::Open {
            share_access: if writes { 3 } else { 1 },
            claim: args::OpenClaim::Null(FILES[file % FILES.len()]),
            ..open_args(b"o", b"")
        };
        let root = self.exports[at].root.clone();
        let reply = self.on(by, &root, |c| c.open(args));
        if let Some(status) = expected {
            assert_eq!(reply.status(), status, "{reply:?}");
            return;
        }
        self.opened(by, file, writes, &reply.all_ok());
    }

    fn opened(&mut self, by: usize, file: usize, writes: bool, reply: &Reply) {
        let ok = ok!(reply, Open);
        let held = match ok.delegation {
            OpenDelegation::Read(held) => Some(held.stateid),
            OpenDelegation::Write(held) => Some(held.stateid),
            _ => None,
        };
        let peer = &mut self.peers[by];
        peer.opens[file] = Some(Opened {
            stateid: any_seqid(ok.stateid),
            writes,
            lock: None,
        });
        if let Some(stateid) = held {
            peer.delegations[file] = Some(stateid);
        }
    }

    fn close(&mut self, by: usize, file: usize) {
        if self.is_busy(by) {
            return;
        }
        let Some(opened) = self.peers[by].opens[file].take() else {
            return;
        };
        self.give_back(by, file);
        let close = args::Close {
            seqid: 0,
            open_stateid: opened.stateid,
        };
        let object = self.handle(file);
        self.on(by, &object, |c| c.close(close)).all_ok();
    }

    /// DELEGRETURN, if the client has a delegation of the file: whatever the options are.
    fn give_back(&mut self, by: usize, file: usize) {
        if let Some(deleg_stateid) = self.peers[by].delegations[file].take() {
            let object = self.handle(file);
            let back = args::DelegReturn { deleg_stateid };
            let client = &mut self.peers[by].client;
            let put = args::PutFh { object: &object };
            let slot = client.request(&mut self.sim, 1, true, |c| c.putfh(put).delegreturn(back));
            client.advance(1);
            slot.exchange(&mut self.sim, self.peers[by].client.conn)
                .all_ok();
        }
    }

    fn handle(&self, file: usize) -> Vec<u8> {
        self.exports[file / FILES.len()].files[file % FILES.len()].clone()
    }

    /// A client that has the file open, and sends no other request.
    fn user(&self, by: usize, file: usize) -> Option<(Stateid, bool)> {
        let opened = self.peers[by].opens[file].as_ref()?;
        (!self.is_waiting()).then_some((opened.stateid, opened.writes))
    }

    fn lock(&mut self, by: usize, file: usize) {
        let Some((open_stateid, true)) = self.user(by, file) else {
            return;
        };
        let is_locked = |peer: &Peer| {
            let opened = peer.opens[file].as_ref();
            opened.is_some_and(|it| it.lock.is_some_and(|(_, locked)| locked))
        };
        let mut others = (0..self.peers.len()).filter(|other| *other != by);
        let denied = others.any(|other| is_locked(&self.peers[other]));
        let expected = self.barred(by, file / FILES.len(), false);
        let object = self.handle(file);
        let lock = args::Lock {
            locktype: LockType::Write,
            reclaim: false,
            offset: 0,
            length: 10,
            locker: Locker::New(OpenToLockOwner {
                open_seqid: 0,
                open_stateid,
                lock_seqid: 0,
                lock_owner: Owner {
                    clientid: ClientId(0),
                    owner: b"l",
                },
            }),
        };
        let reply = self.on(by, &object, |c| c.lock(lock));
        let expected = expected.or(denied.then_some(Status::DENIED));
        if let Some(status) = expected {
            assert_eq!(reply.status(), status, "{reply:?}");
            return;
        }
        let reply = reply.all_ok();
        let stateid = any_seqid(ok!(reply, Lock).lock_stateid);
        let opened = self.peers[by].opens[file].as_mut().expect("it is open");
        opened.lock = Some((stateid, true));
    }

    fn unlock(&mut self, by: usize, file: usize) {
        if self.is_busy(by) {
            return;
        }
        let opened = self.peers[by].opens[file].as_mut();
        let Some((lock_stateid, locked)) = opened.and_then(|opened| opened.lock.as_mut()) else {
            return;
        };
        *locked = false;
        let unlock = args::LockU {
            locktype: LockType::Write,
            seqid: 0,
            lock_stateid: *lock_stateid,
            offset: 0,
            length: 10,
        };
        let object = self.handle(file);
        self.on(by, &object, |c| c.locku(unlock)).all_ok();
    }

    fn transfer(&mut self, by: usize, file: usize, writes: bool) {
        let Some((stateid, may_write)) = self.user(by, file) else {
            return;
        };
        if writes && !may_write {
            return;
        }
        let expected = self.barred(by, file / FILES.len(), writes);
        let object = self.handle(file);
        let read = args::Read {
            stateid,
            offset: 0,
            count: 1,
        };
        let write = args::Write {
            stateid,
            offset: 0,
            stable: StableHow::FileSync,
            data: b"x",
        };
        let reply = self.on(by, &object, |c| match writes {
            true => c.write(write),
            false => c.read(read),
        });
        let expected = expected.unwrap_or(Status::OK);
        assert_eq!(reply.status(), expected, "{reply:?}");
    }

    /// A new file is of its maker, or of the anonymous user.
    fn make(&mut self, by: usize, at: usize) {
        if self.is_waiting() {
            return;
        }
        let expected = self.barred(by, at, true);
        let peer = &mut self.peers[by];
        peer.made += 1;
        let name = format!("made {by} {}", peer.made);
        let (root, uid) = (self.exports[at].root.clone(), peer.client.uid);
        let making = making_args(b"m", name.as_bytes());
        let look = args::GetAttr {
            attr_request: Bitmap::of(&[num::OWNER]),
        };
        let close = args::Close {
            seqid: 0,
            open_stateid: Stateid::CURRENT,
        };
        let undelegated = args::Open {
            share_access: 3 | nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
            ..making
        };
        let reply = self.on(by, &root, |c| {
            c.open(undelegated).getattr(look).close(close)
        });
        if let Some(status) = expected {
            assert_eq!(reply.status(), status, "{reply:?}");
            return;
        }
        let reply = reply.all_ok();
        let squashes = self.exports[at].options.squashes;
        let owner = if squashes { ANONYMOUS } else { uid };
        let Some(AttrValue::Owner(told)) = ok!(reply, GetAttr).obj_attributes.get(num::OWNER)
        else {
            panic!("no owner: {reply:?}");
        };
        assert_eq!(told, owner.to_string().as_bytes());
        if squashes {
            self.seen.insert(Seen::Squashed);
        }
    }

    fn begin(&mut self, by: usize, file: usize, what: Work) {
        let at = file / FILES.len();
        let is_open = self.peers[by].opens[file].is_some();
        if self.is_busy(by)
            || self.barred(by, at, false).is_some()
            || is_open == (what == Work::Open)
            || what != Work::GetAttr && self.delegated(by, file)
        {
            return;
        }
        let export = &mut self.exports[at];
        let peer = &mut self.peers[by];
        let stateid = peer.opens[file].as_ref().map(|opened| opened.stateid);
        let read = args::Read {
            stateid: stateid.unwrap_or(Stateid::ANONYMOUS),
            offset: 0,
            count: 1,
        };
        let look = args::GetAttr {
            attr_request: Bitmap::of(&[num::OWNER]),
        };
        let open = args::Open {
            share_access: 1 | nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
            claim: args::OpenClaim::Null(FILES[file % FILES.len()]),
            ..open_args(b"o", b"")
        };
        let object = match what {
            Work::Open => &export.root,
            Work::Read | Work::GetAttr => &export.files[file % FILES.len()],
        };
        let put = args::PutFh { object };
        self.sim.set_pace(Pace::Held);
        let request = peer.client.request(&mut self.sim, 0, true, |c| {
            let c = c.putfh(put);
            match what {
                Work::Open => c.open(open),
                Work::Read => c.read(read),
                Work::GetAttr => c.getattr(look),
            }
        });
        peer.client.advance(0);
        request.send(&mut self.sim, peer.client.conn);
        self.sim.run();
        self.sim.set_pace(Pace::Delayed);
        export.asked += 1;
        peer.under_way = Some(UnderWay {
            xid: request.xid(),
            file,
            what,
            removals: export.removals,
        });
    }

    /// Whether another client has a delegation of a file.
    fn delegated(&self, by: usize, file: usize) -> bool {
        let mut others = (0..self.peers.len()).filter(|other| *other != by);
        others.any(|other| self.peers[other].delegations[file].is_some())
    }

    fn finish(&mut self) {
        self.sim.complete_all();
        self.sim.run();
        for by in 0..self.peers.len() {
            let Some(work) = self.peers[by].under_way.take() else {
                continue;
            };
            let at = work.file / FILES.len();
            self.exports[at].asked -= 1;
            let reply = self.sim.take_reply(work.xid).expect("it is answered");
            let (export, peer) = (&self.exports[at], &self.peers[by]);
            if export.removals != work.removals {
                assert_eq!(reply.status(), Status::STALE, "{work:?}");
                self.seen.insert(Seen::LateStale);
            } else if work.what == Work::Open {
                // The options may have changed meanwhile.
                let outside = export.options.inside && !peer.is_inside;
                if reply.status() == Status::OK {
                    self.opened(by, work.file, false, &reply);
                } else {
                    assert!(outside, "{work:?}: {reply:?}");
                }
            } else {
                let outside = export.options.inside && !peer.is_inside;
                assert!(
                    reply.status() == Status::OK || outside,
                    "{work:?}: {reply:?}"
                );
            }
        }
        self.sim.run_timers();
    }

    /// The client knows exactly what has ended.
    fn ask(&mut self, by: usize) {
        if self.is_busy(by) {
            return;
        }
        let peer = &mut self.peers[by];
        let reply = peer.client.call(&mut self.sim, |c| c).all_ok();
        let flags = ok!(reply, Sequence).status_flags;
        let told = flags & SEQ4_STATUS_ADMIN_STATE_REVOKED != 0;
        assert_eq!(told, !peer.lost.is_empty(), "flags {flags}");
        let opens = peer.opens.iter().flatten();
        let kept = opens.flat_map(|opened| [Some(opened.stateid), opened.lock.map(|lock| lock.0)]);
        let kept = kept.chain(peer.delegations.iter().copied());
        let kept: Vec<Stateid> = kept.flatten().collect();
        for (stateids, expected) in [(&kept, Status::OK), (&peer.lost, Status::ADMIN_REVOKED)] {
            let test = args::TestStateid {
                stateids: List::new(stateids),
            };
            let reply = peer.client.call(&mut self.sim, |c| c.test_stateid(test));
            let reply = reply.all_ok();
            let codes = ok!(reply, TestStateid).status_codes;
            assert!(codes.iter().all(|code| code == expected), "{reply:?}");
        }
        for stateid in std::mem::take(&mut peer.lost) {
            let free = args::FreeStateid { stateid };
            let reply = peer.client.call(&mut self.sim, |c| c.free_stateid(free));
            reply.all_ok();
        }
        let reply = peer.client.call(&mut self.sim, |c| c).all_ok();
        assert_eq!(ok!(reply, Sequence).status_flags, 0);
    }

    /// Holders return what is recalled.
    fn answer_recalls(&mut self) {
        loop {
            self.sim.run();
            let callbacks = self.sim.take_callbacks();
            if callbacks.is_empty() {
                return;
            }
            for callback in callbacks {
                let of = callback.sequence().sessionid;
                let by = self.peers.iter().position(|peer| peer.client.session == of);
                let by = by.expect("it is for a client");
                let recalled = callback.ops().into_iter().find_map(|op| match op {
                    CbArgOp::Recall(recall) => Some(recall.fh.to_vec()),
                    _ => None,
                });
                self.sim.send(self.peers[by].client.conn, callback.ok());
                let Some(fh) = recalled else {
                    continue;
                };
                self.seen.insert(Seen::Recalled);
                let files = 0..EXPORTS * FILES.len();
                let file = files.into_iter().find(|file| self.handle(*file) == fh);
                self.give_back(by, file.expect("a file that is known"));
            }
        }
    }

    pub(super) fn end(mut self) -> BTreeSet<Seen> {
        self.finish();
        self.answer_recalls();
        for by in 0..self.peers.len() {
            self.ask(by);
            for file in 0..EXPORTS * FILES.len() {
                self.close(by, file);
                self.give_back(by, file);
            }
        }
        self.check_holds();
        let tables = self.sim.tables();
        assert_eq!((tables.opens, tables.locks, tables.files), (0, 0, 0));
        self.sim.assert_nothing_is_left();
        for export in &self.exports {
            assert_eq!(export.fs.held(), 0);
            let tally = export.fs.tally();
            assert_eq!(tally.holds, tally.releases, "each is released once");
        }
        self.seen
    }
}

/// An export with its files, which every user may write.
fn served(number: u16) -> Served {
    let fs = Arc::new(Fs::numbered(number.into()));
    for name in FILES {
        fs.make(name, 0o666);
    }
    Served {
        fs,
        path: format!("/export-{number}"),
        number: 10 + number,
        options: Options::default(),
        is_served: true,
        removals: 0,
        asked: 0,
        root: Vec::new(),
        files: Vec::new(),
    }
}

fn put(sim: &mut Sim, export: &Served) {
    sim.admin(Admin::PutExport(Box::new(export.export())));
    sim.run_timers();
}

/// A client at a host that can be called back.
fn peer(sim: &mut Sim, host: &str) -> Peer {
    let conn = sim.connect_from(host);
    let mut client = Client::on(conn, host);
    client.exchange_id(sim).all_ok();
    let mut args = client.session_args();
    args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    client.create_session_with(sim, args).all_ok();
    let done = args::ReclaimComplete { one_fs: false };
    client.call(sim, |c| c.reclaim_complete(done)).all_ok();
    Peer {
        client,
        is_inside: host.starts_with("192.0.2."),
        opens: (0..EXPORTS * FILES.len()).map(|_| None).collect(),
        delegations: vec![None; EXPORTS * FILES.len()],
        lost: Vec::new(),
        under_way: None,
        made: 0,
    }
}

fn is_ending(fault: &AdminFault, path: &str) -> bool {
    let AdminFault::Exports(faults) = fault else {
        return false;
    };
    let of = |fault: &ExportFault| matches!(fault, ExportFault::Ending(at) if at == path);
    faults.0.iter().all(of)
}

fn any_seqid(stateid: Stateid) -> Stateid {
    Stateid {
        seqid: 0,
        ..stateid
    }
}

const EXPORTS: usize = 3;
const FILES: [&[u8]; 2] = [b"f", b"g"];
/// Number of times that a request is sent again while it gets DELAY.
const TRIES: usize = 5;
