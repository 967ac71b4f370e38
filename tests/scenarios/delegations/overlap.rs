//! Requests of another client that overlap an OPEN: the server delegates no file with attributes that
//! are out of date, and no request changes a file beside a delegation. [RFC 8881 §10.4]

mod deed;

use nfs4_engine::Admin;
use nfs4_proto::nfs4::basic::StableHow;
use nfs4_proto::nfs4::consts::{
    OPEN4_SHARE_ACCESS_WANT_READ_DELEG, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
};
use nfs4_tests::sim::{Client40, Dialling, Pace, Request};

use super::*;
use deed::{Deed, Order, UNTRUE};

/// A server with files "f" and "g", of each a second name if the deed needs one, and the deed's
/// file open by the client that does it.
struct Play {
    sim: Sim,
    one: Client,
    two: Client,
    open: Stateid,
    files: [Vec<u8>; 2],
}

impl Play {
    fn new(deed: Deed, name: &[u8]) -> Play {
        let (mut sim, mut one, mut two) = two();
        make(&mut sim, &mut one, b"g");
        let files = [b"f", b"g"].map(|name| {
            let quiet = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 1, name);
            let reply = open(&mut sim, &mut one, quiet).all_ok();
            let (fh, open) = (handle(&reply), ok!(reply, Open).stateid);
            close(&mut sim, &mut one, &fh, open);
            fh
        });
        let file = files[usize::from(name == b"g")].clone();
        let other = [name, b".other"].concat();
        match deed {
            Deed::Unlink => {
                let link = args::Link { newname: &other };
                let put = args::PutFh { object: &file };
                one.call(&mut sim, |c| c.putfh(put).savefh().putrootfh().link(link))
                    .all_ok();
            }
            Deed::RenameOver => make(&mut sim, &mut one, &other),
            _ => {}
        }
        let open = match deed {
            Deed::ReadOpen | Deed::WriteOpen => {
                let quiet = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 3, name);
                let reply = open(&mut sim, &mut two, quiet).all_ok();
                ok!(reply, Open).stateid
            }
            _ => Stateid::ANONYMOUS,
        };
        Play {
            sim,
            one,
            two,
            open,
            files,
        }
    }

    /// The deed is sent, and waits for the file system.
    fn begin(&mut self, deed: Deed, name: &[u8]) -> Request {
        let fh = self.files[usize::from(name == b"g")].clone();
        let open = self.open;
        let request = self
            .two
            .request(&mut self.sim, 1, true, |c| deed.ask(c, name, &fh, open));
        request.send(&mut self.sim, self.two.conn);
        self.sim.settle();
        request
    }

    /// If it was done by its open, that is closed: what it does is under way all the same.
    fn close(&mut self, deed: Deed, name: &[u8]) {
        if matches!(deed, Deed::ReadOpen | Deed::WriteOpen) {
            let fh = self.files[usize::from(name == b"g")].clone();
            close(&mut self.sim, &mut self.two, &fh, self.open);
        }
    }

    fn finish(&mut self, request: &Request, deed: Deed) {
        while self.sim.executed() + self.sim.held().len() > 0 {
            self.sim.complete_all();
        }
        let reply = self.sim.take_reply(request.xid()).expect("it is done");
        assert_eq!(reply.status(), Status::OK, "{deed:?}: {reply:?}");
    }

    /// An OPEN of "f" that wants this delegation, and a deed that concerns a file; what the OPEN
    /// brought.
    fn overlap(&mut self, order: Order, deed: Deed, name: &[u8], args: args::Open<'_>) -> Reply {
        self.sim.set_pace(Pace::Held);
        let early = |order| matches!(order, Order::EndsBetween | Order::ExecutedLater);
        let mut request = None;
        if order == Order::Before {
            let sent = self.begin(deed, name);
            self.close(deed, name);
            self.finish(&sent, deed);
            request = Some(sent);
        }
        if early(order) {
            request = Some(self.begin(deed, name));
            self.close(deed, name);
        }
        let fh = self.files[0].clone();
        let opens = self
            .one
            .request(&mut self.sim, 0, true, |c| match args.claim {
                args::OpenClaim::Fh => c.putfh(args::PutFh { object: &fh }).open(args),
                _ => c.putrootfh().open(args),
            });
        opens.send(&mut self.sim, self.one.conn);
        self.sim.settle();
        let last = self.sim.held().len() - 1;
        self.sim.execute(last);
        let sent = request.unwrap_or_else(|| {
            let sent = self.begin(deed, name);
            self.close(deed, name);
            sent
        });
        match order {
            Order::Before | Order::ExecutedLater => {}
            Order::ExecutedBetween => {
                // All but the last that it asks of the file system is over.
                let name_first = deed.is_by_name() && !self.sim.held().is_empty();
                assert!(name_first || self.sim.held().len() == 1);
                self.sim.execute(0);
            }
            Order::Between | Order::EndsBetween => {
                // The OPEN is the oldest that was executed.
                while !self.sim.held().is_empty() {
                    self.sim.execute(0);
                    self.sim.deliver(1);
                    self.sim.settle();
                }
            }
        }
        self.sim.deliver(0);
        self.sim.settle();
        let reply = self
            .sim
            .take_reply(opens.xid())
            .expect("it is open")
            .all_ok();
        self.one.advance(0);
        if order != Order::Before {
            self.finish(&sent, deed);
        }
        self.two.advance(1);
        self.sim.set_pace(Pace::Delayed);
        reply
    }
}

/// An OPEN of "f" that wants a delegation of this kind.
fn wanting(kind: DelegationKind, by_name: bool) -> args::Open<'static> {
    let access = match kind {
        DelegationKind::Read => 1 | OPEN4_SHARE_ACCESS_WANT_READ_DELEG,
        DelegationKind::Write => 3 | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
    };
    let open = opening(access, b"f");
    let claim = if by_name {
        open.claim
    } else {
        args::OpenClaim::Fh
    };
    args::Open { claim, ..open }
}

#[test]
fn a_file_that_changes_before_the_engine_processes_its_open_is_not_delegated() {
    for deed in Deed::ALL {
        for order in UNTRUE.into_iter().filter(|order| !deed.recalls(*order)) {
            for (kind, by_name) in [(READ, true), (READ, false), (WRITE, true), (WRITE, false)] {
                let case = format!("{deed:?} {order:?} {kind:?} {by_name}");
                let mut play = Play::new(deed, b"f");
                let args = wanting(kind, by_name);
                let reply = play.overlap(order, deed, b"f", args);
                if deed.only_reads() && kind == READ {
                    granted(&ok!(reply, Open).delegation, READ);
                } else {
                    let why = refused(&reply);
                    assert_eq!(why, NoDelegation::Contention(false), "{case}");
                }
                assert!(play.sim.take_callbacks().is_empty(), "{case}");
                play.sim.assert_nothing_is_left();
            }
        }
    }
}

#[test]
fn a_request_that_ends_before_the_open_prevents_no_delegation() {
    for deed in [
        Deed::Read,
        Deed::Write,
        Deed::WriteOpen,
        Deed::Cut,
        Deed::Link,
    ] {
        for kind in [READ, WRITE] {
            let mut play = Play::new(deed, b"f");
            let reply = play.overlap(Order::Before, deed, b"f", wanting(kind, true));
            granted(&ok!(reply, Open).delegation, kind);
        }
    }
}

#[test]
fn a_request_on_another_file_prevents_no_delegation() {
    for deed in Deed::ALL {
        for order in UNTRUE {
            for by_name in [true, false] {
                let mut play = Play::new(deed, b"g");
                let reply = play.overlap(order, deed, b"g", wanting(WRITE, by_name));
                // A handle says nothing of the name, nor is it known of a name which file it has.
                if by_name || !deed.is_by_name() {
                    granted(&ok!(reply, Open).delegation, WRITE);
                }
            }
        }
    }
}

#[test]
fn an_open_that_cuts_the_file_itself_can_bring_a_delegation_for_it() {
    let (mut sim, mut one, _) = two();
    let cut = Fattr::size(0);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(cut.raw())),
        ..opening(3 | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG, b"f")
    };
    let reply = open(&mut sim, &mut one, args).all_ok();
    granted(&ok!(reply, Open).delegation, WRITE);
}

/// How an open goes while a WRITE by it is in the file system.
#[derive(Clone, Copy, Debug)]
enum Going {
    Closed,
    Rebooted,
    Evicted,
}

#[test]
fn a_write_under_way_guards_the_file_whatever_becomes_of_its_open() {
    for going in [Going::Closed, Going::Rebooted, Going::Evicted] {
        let mut play = Play::new(Deed::WriteOpen, b"f");
        play.sim.set_pace(Pace::Held);
        play.begin(Deed::WriteOpen, b"f");
        assert_eq!(play.sim.held().len(), 1, "{going:?}");
        // Nothing else waits for the file system.
        let Play { sim, two, .. } = &mut play;
        sim.set_pace(Pace::Delayed);
        match going {
            Going::Closed => play.close(Deed::WriteOpen, b"f"),
            Going::Rebooted => {
                two.reboot();
                two.exchange_id(sim).all_ok();
                two.create_session(sim).all_ok();
            }
            Going::Evicted => {
                let client = two.id.0;
                sim.admin(Admin::EvictClient { client });
            }
        }
        assert_eq!(play.sim.tables().opens, 0, "{going:?}");
        let before = play.sim.fs().attrs(&play.files[0]).change;
        for kind in [READ, WRITE] {
            let args = wanting(kind, true);
            let reply = open(&mut play.sim, &mut play.one, args).all_ok();
            assert_eq!(
                refused(&reply),
                NoDelegation::Contention(false),
                "{going:?}"
            );
        }
        play.sim.execute(0);
        assert!(play.sim.fs().attrs(&play.files[0]).change > before);
        let reply = open(&mut play.sim, &mut play.one, wanting(READ, true)).all_ok();
        assert_eq!(
            refused(&reply),
            NoDelegation::Contention(false),
            "{going:?}"
        );
        play.sim.deliver(0);
        play.sim.settle();
        let reply = open(&mut play.sim, &mut play.one, wanting(READ, true)).all_ok();
        granted(&ok!(reply, Open).delegation, READ);
        play.sim.assert_nothing_is_left();
    }
}

#[test]
fn a_write_under_way_guards_the_file_for_and_against_clients_without_a_session() {
    let (mut sim, mut one, _) = two();
    sim.set_dialling(Dialling::Succeeds);
    let mut old = Client40::mounted(&mut sim, "old");
    let opened = old.open(&mut sim, b"owner", b"f");
    let write = args::Write {
        stateid: opened.stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"data",
    };
    sim.set_pace(Pace::Held);
    let record = old.record(sim.xid(), |c| {
        c.putfh(args::PutFh { object: &opened.fh }).write(write)
    });
    sim.send(old.conn, record);
    sim.settle();
    assert_eq!(sim.held().len(), 1);
    sim.set_pace(Pace::Delayed);
    let shut = old.close_args(b"owner", &opened);
    old.on(&mut sim, &opened.fh, |c| c.close(shut)).all_ok();
    let reply = open(&mut sim, &mut one, wanting(READ, true)).all_ok();
    assert_eq!(refused(&reply), NoDelegation::Contention(false));
    sim.complete_all();
    let reply = open(&mut sim, &mut one, wanting(READ, true)).all_ok();
    granted(&ok!(reply, Open).delegation, READ);
}

#[test]
fn a_remove_that_found_another_file_spares_a_delegated_one() {
    for renames in [false, true] {
        let (mut sim, mut one, two) = two();
        make(&mut sim, &mut one, b"g");
        let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
        // It has found out that there is another file, or none, and is about to remove that.
        sim.set_pace(Pace::Held);
        let name: &[u8] = if renames { b"g" } else { b"link" };
        let removes = two.request(&mut sim, 0, true, |c| {
            c.putrootfh().remove(args::Remove { target: name })
        });
        removes.send(&mut sim, two.conn);
        sim.settle();
        sim.answer(0);
        assert_eq!(sim.held().len(), 1);
        sim.set_pace(Pace::Delayed);
        let fh = held.fh.clone();
        let mut gives = |sim: &mut Sim| {
            one.call(sim, |c| {
                if renames {
                    let args = args::Rename {
                        oldname: b"f",
                        newname: b"g",
                    };
                    c.putrootfh().savefh().rename(args)
                } else {
                    let args = args::Link { newname: name };
                    c.putfh(args::PutFh { object: &fh })
                        .savefh()
                        .putrootfh()
                        .link(args)
                }
            })
        };
        assert_eq!(gives(&mut sim).status(), Status::DELAY);
        sim.complete_all();
        let removed = sim.take_reply(removes.xid()).expect("it is done");
        let expected = if renames { Status::OK } else { Status::NOENT };
        assert_eq!(removed.status(), expected);
        gives(&mut sim).all_ok();
        assert_eq!(counts(&sim), (0, 1, 0));
        assert!(sim.take_callbacks().is_empty());
    }
}
