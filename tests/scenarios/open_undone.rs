//! An OPEN that fails leaves shares as they were, and keeps others out only while it runs.
//! [RFC 8881 §9.7, §18.16.3]

use nfs4_engine::fs::FsError;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenFlag};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fattr, Pace, Request, Sim, making_args};

/// OPEN of "f" without a delegation.
fn opening(owner: &[u8], access: u32, deny: u32) -> args::Open<'_> {
    args::Open {
        share_access: access | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny: deny,
        ..making_args(owner, b"f")
    }
}

/// A client that has "f", of four bytes, open for reading as "o", and one that has not.
struct Setup {
    sim: Sim,
    one: Client,
    two: Client,
    fh: Vec<u8>,
    open: Stateid,
}

fn setup() -> Setup {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let two = Client::mounted(&mut sim, "two");
    let length = Fattr::size(4);
    let open = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(length.raw())),
        ..opening(b"o", 1, 0)
    };
    let reply = one
        .call(&mut sim, |c| c.putrootfh().open(open).getfh())
        .all_ok();
    Setup {
        fh: ok!(reply, GetFh).object.to_vec(),
        open: ok!(reply, Open).stateid,
        sim,
        one,
        two,
    }
}

impl Setup {
    /// An OPEN that cuts the file, for reading, and denies writing.
    fn cutting(&mut self, owner: &[u8]) -> Request {
        let empty = Fattr::size(0);
        let open = args::Open {
            openhow: OpenFlag::Create(CreateHow::Unchecked(empty.raw())),
            ..opening(owner, 1, 2)
        };
        self.one
            .request(&mut self.sim, 0, true, |c| c.putrootfh().open(open))
    }

    /// Lets it go as far as the cutting.
    fn begin(&mut self, request: &Request) {
        self.sim.set_pace(Pace::Held);
        request.send(&mut self.sim, self.one.conn);
        self.sim.run();
        self.sim.complete(0);
        assert_eq!(self.sim.held().len(), 1, "it is being cut");
    }

    /// The status of an OPEN for writing by the other client while one request is held.
    fn other_writes(&mut self) -> Status {
        let held = self.sim.held().len();
        let open = opening(b"p", 2, 0);
        let request = self
            .two
            .request(&mut self.sim, 0, true, |c| c.putrootfh().open(open).getfh());
        self.two.advance(0);
        request.send(&mut self.sim, self.two.conn);
        self.sim.run();
        if self.sim.held().len() > held {
            self.sim.complete(held);
        }
        let reply = self.sim.take_reply(request.xid()).expect("it is done");
        if reply.status() == Status::OK {
            let close = args::Close {
                seqid: 0,
                open_stateid: ok!(reply, Open).stateid,
            };
            let put = args::PutFh { object: &self.fh };
            self.two
                .call(&mut self.sim, |c| c.putfh(put).close(close))
                .all_ok();
        }
        reply.status()
    }
}

#[test]
fn an_open_that_cannot_truncate_leaves_no_deny_bits() {
    // By an owner with the file open, and by one without.
    for owner in [&b"o"[..], b"new"] {
        let mut setup = setup();
        let request = setup.cutting(owner);
        setup.begin(&request);
        assert_eq!(setup.other_writes(), Status::SHARE_DENIED, "meanwhile");
        setup.sim.refuse(0, FsError::NoSpace);
        let reply = setup.sim.take_reply(request.xid()).expect("it is done");
        assert_eq!(reply.last(), (Op::Open, Status::NOSPC));
        assert_eq!(setup.other_writes(), Status::OK);
        assert_eq!((setup.sim.tables().opens, setup.sim.fs().held()), (1, 1));
        // The stateid is as it was.
        setup.sim.set_pace(Pace::Delayed);
        let close = args::Close {
            seqid: 0,
            open_stateid: setup.open,
        };
        let put = args::PutFh { object: &setup.fh };
        setup.one.advance(0);
        setup
            .one
            .call(&mut setup.sim, |c| c.putfh(put).close(close))
            .all_ok();
        setup.sim.assert_nothing_is_left();
    }
}

#[test]
fn an_open_that_may_not_truncate_leaves_no_deny_bits() {
    let mut setup = setup();
    let mode = Fattr::mode(0o444);
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: mode.raw(),
    };
    let fh = setup.fh.clone();
    let put = args::PutFh { object: &fh };
    setup
        .one
        .call(&mut setup.sim, |c| c.putfh(put).setattr(set))
        .all_ok();
    let request = setup.cutting(b"o");
    let reply = request.exchange(&mut setup.sim, setup.one.conn);
    assert_eq!(reply.last(), (Op::Open, Status::ACCESS));
    setup.one.advance(0);
    let mode = Fattr::mode(0o666);
    let set = args::SetAttr {
        obj_attributes: mode.raw(),
        ..set
    };
    setup
        .one
        .call(&mut setup.sim, |c| c.putfh(put).setattr(set))
        .all_ok();
    assert_eq!(setup.other_writes(), Status::OK);
    setup.sim.assert_nothing_is_left();
}

#[test]
fn what_is_closed_or_narrowed_meanwhile_is_opened_all_the_same() {
    for closes in [false, true] {
        let mut setup = setup();
        let request = setup.cutting(b"o");
        setup.begin(&request);
        let put = args::PutFh { object: &setup.fh };
        let close = args::Close {
            seqid: 0,
            open_stateid: setup.open,
        };
        let narrow = args::OpenDowngrade {
            open_stateid: setup.open,
            seqid: 0,
            share_access: 1,
            share_deny: 0,
        };
        let meanwhile = setup.one.request(&mut setup.sim, 1, true, |c| {
            let c = c.putfh(put);
            if closes {
                c.close(close)
            } else {
                c.open_downgrade(narrow)
            }
        });
        meanwhile.exchange(&mut setup.sim, setup.one.conn).all_ok();
        setup.sim.complete(0);
        let reply = setup.sim.take_reply(request.xid()).expect("it is done");
        let stateid = ok!(reply.all_ok(), Open).stateid;
        let same = stateid.other == setup.open.other;
        assert_eq!(
            (stateid.seqid, same),
            if closes { (1, false) } else { (3, true) }
        );
        assert_eq!(setup.other_writes(), Status::SHARE_DENIED);
        assert_eq!((setup.sim.tables().opens, setup.sim.fs().held()), (1, 1));
        setup.sim.assert_nothing_is_left();
    }
}
