//! Whatever the holder of a write delegation does with its file, and whenever others look at it and by
//! whatever operation: a change attribute that they are told stands beside one length, and never goes
//! back. [RFC 8881 §10.4.3]
//!
//! What others ask is executed by the file system when a step says so, and heard of by the engine when
//! another does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nfs4_engine::{Admin, Config};
use nfs4_proto::client::CbReplyBuilder;
use nfs4_proto::nfs4::any::{CbArgOp, CbResOp};
use nfs4_proto::nfs4::args::{self, CreateHow, OpenHow};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_proto::nfs4::callback::res;
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, OPEN4_SHARE_ACCESS_BOTH,
    OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
};
use nfs4_proto::nfs4::res::{OpenDelegation, Outcome};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status, Verifier};
use nfs4_tests::ok;
use nfs4_tests::sim::{Callback, Client, Fattr, Pace, Reply, Sim, open_args};
use proptest::prelude::*;

use crate::runner::{Property, cases};

#[test]
fn one_change_attribute_stands_beside_one_length() {
    let property = Property {
        name: "told",
        cases: cases(),
        to_be_seen: &ALL_SEEN,
    };
    let steps = prop::collection::vec(step(), 80..320);
    property.holds(steps, |steps| {
        let mut play = Play::new();
        for step in steps {
            play.step(step);
        }
        play.end()
    });
}

/// One input. Numbers that are too large count round.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Another looks at the file.
    Look { who: u8, how: How },
    /// The file system executes what waits for it.
    Execute { which: u8 },
    /// The engine hears of it.
    Deliver { which: u8 },
    /// The holder changes the file where it has it.
    Change { size: u8 },
    /// It writes some of it to the server.
    Flush { size: u8 },
    /// It says what it has made of the file, or that it is busy.
    Answer { busy: bool },
    /// It gives the delegation back, whether it has written or not.
    Return,
    /// It opens the file, and is given a delegation.
    Open,
    /// The administrator throws it out; it comes again.
    Evict,
    /// Time goes on.
    Wait { deciseconds: u8 },
}

/// How another looks at the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    GetAttr,
    Lookup,
    ReadDir,
    /// VERIFY of what it was told last, or of that change attribute beside another length.
    Verify {
        other: bool,
    },
}

/// What a case has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// A length that only the holder has,
    Told,
    /// also by a listing,
    Listed,
    /// and one of the file system's after that, since the holder has not written.
    TakenBack,
    /// A VERIFY that held, and one that did not.
    Verified,
    Differed,
    /// A reader got DELAY.
    Delayed,
}

/// Change attribute and length.
type Pair = (u64, u64);

struct Holder {
    client: Client,
    incarnation: u32,
    held: Option<Held>,
}

struct Held {
    open: Stateid,
    delegation: Stateid,
    /// The change attribute that it came with.
    change: u64,
    /// What it thinks of the file, and whether the server has that.
    size: u64,
    dirty: bool,
}

struct Looker {
    client: Client,
    /// The request under way, and by what operation.
    asked: Option<(u32, How)>,
    last: Option<Pair>,
}

struct Play {
    sim: Sim,
    fh: Vec<u8>,
    holder: Holder,
    lookers: Vec<Looker>,
    callbacks: Vec<Callback>,
    /// Which length each change attribute was told with.
    told: BTreeMap<u64, u64>,
    seen: BTreeSet<Seen>,
}

impl Play {
    fn new() -> Play {
        let mut sim = Sim::with(Config {
            delegation_pause: Duration::ZERO,
            delegation_penalty: Duration::ZERO,
            ..Sim::config()
        });
        let client = reachable(&mut sim, 0);
        let lookers = (0..LOOKERS).map(|looker| Looker {
            client: Client::mounted(&mut sim, &format!("looker {looker}")),
            asked: None,
            last: None,
        });
        let mut lookers: Vec<Looker> = lookers.collect();
        let attrs = Fattr::mode(0o666);
        let args = args::Open {
            openhow: OpenHow::Create(CreateHow::Guarded(attrs.raw())),
            ..open_args(b"maker", b"f")
        };
        let maker = &mut lookers[0].client;
        let reply = maker
            .call(&mut sim, |c| c.putrootfh().open(args).getfh())
            .all_ok();
        let fh = ok!(reply, GetFh).object.to_vec();
        let close = args::Close {
            seqid: 0,
            open_stateid: ok!(reply, Open).stateid,
        };
        let put = args::PutFh { object: &fh };
        maker.call(&mut sim, |c| c.putfh(put).close(close)).all_ok();
        let mut play = Play {
            sim,
            fh,
            holder: Holder {
                client,
                incarnation: 0,
                held: None,
            },
            lookers,
            callbacks: Vec::new(),
            told: BTreeMap::new(),
            seen: BTreeSet::new(),
        };
        play.open();
        play
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Look { who, how } => self.look(usize::from(who) % LOOKERS, how),
            Step::Execute { which } => self.execute(which),
            Step::Deliver { which } => self.deliver(which),
            Step::Change { size } => {
                if let Some(held) = &mut self.holder.held {
                    (held.size, held.dirty) = (size.into(), true);
                }
            }
            Step::Flush { size } => self.flush(size.into()),
            Step::Answer { busy } => self.answer(busy),
            Step::Return => self.give_back(),
            Step::Open => self.open(),
            Step::Evict => self.evict(),
            Step::Wait { deciseconds } => self.wait(deciseconds),
        }
        self.sim.settle();
        self.callbacks.extend(self.sim.take_callbacks());
        self.hear();
    }

    /// Asks, unless an earlier request is under way.
    fn look(&mut self, who: usize, how: How) {
        let looker = &self.lookers[who];
        if looker.asked.is_some() {
            return;
        }
        let attr_request = Bitmap::of(&[num::CHANGE, num::SIZE]);
        let attrs = args::GetAttr { attr_request };
        let put = args::PutFh { object: &self.fh };
        let last = self.guess(who, how);
        let values = [last.0.to_be_bytes(), last.1.to_be_bytes()].concat();
        let verify = args::Verify {
            obj_attributes: FattrRaw {
                mask: attr_request,
                values: &values,
            },
        };
        let list = args::ReadDir {
            cookie: 0,
            cookieverf: Verifier([0; 8]),
            dircount: 4096,
            maxcount: 4096,
            attr_request,
        };
        let request = looker
            .client
            .request(&mut self.sim, 0, true, |c| match how {
                How::GetAttr => c.putfh(put).getattr(attrs),
                How::Lookup => c
                    .putrootfh()
                    .lookup(args::Lookup { objname: b"f" })
                    .getattr(attrs),
                How::ReadDir => c.putrootfh().readdir(list),
                How::Verify { .. } => c.putfh(put).verify(verify),
            });
        let conn = looker.client.conn;
        self.lookers[who].asked = Some((request.xid(), how));
        self.slowly(|play| request.send(&mut play.sim, conn));
    }

    /// What is verified.
    fn guess(&self, who: usize, how: How) -> Pair {
        let (change, size) = self.lookers[who].last.unwrap_or_default();
        let other = matches!(how, How::Verify { other: true });
        (change, size + u64::from(other))
    }

    fn execute(&mut self, which: u8) {
        if let Some(which) = usize::from(which).checked_rem(self.sim.held().len()) {
            self.sim.execute(which);
        }
    }

    fn deliver(&mut self, which: u8) {
        if let Some(which) = usize::from(which).checked_rem(self.sim.executed()) {
            self.slowly(|play| play.sim.deliver(which));
        }
    }

    /// Lets something happen whose requests to the file system wait.
    fn slowly(&mut self, happens: impl FnOnce(&mut Play)) {
        self.sim.set_pace(Pace::Held);
        happens(self);
        self.sim.settle();
        self.sim.set_pace(Pace::Delayed);
    }

    /// Holds what was told against what was told before.
    fn hear(&mut self) {
        for who in 0..LOOKERS {
            let Some((xid, how)) = self.lookers[who].asked else {
                continue;
            };
            let Some(reply) = self.sim.take_reply(xid) else {
                continue;
            };
            self.lookers[who].asked = None;
            self.lookers[who].client.advance(0);
            match reply.last() {
                (_, Status::DELAY) => {
                    self.seen.insert(Seen::Delayed);
                }
                (Op::Verify, Status::OK) => {
                    self.seen.insert(Seen::Verified);
                    let pair = self.guess(who, how);
                    self.tell(who, pair, how);
                }
                (Op::Verify, Status::NOT_SAME) => {
                    self.seen.insert(Seen::Differed);
                }
                (_, Status::OK) => {
                    let pair = pair(&reply, how);
                    self.tell(who, pair, how);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn tell(&mut self, who: usize, pair: Pair, how: How) {
        let (change, size) = pair;
        let before = self.told.insert(change, size);
        let same = before.is_none_or(|before| before == size);
        assert!(same, "{change} beside {before:?} and {size}, by {how:?}");
        let last = self.lookers[who].last;
        let back = last.is_some_and(|last| change < last.0);
        assert!(!back, "{last:?}, and then {pair:?} by {how:?}");
        self.lookers[who].last = Some(pair);
        let truth = self.sim.fs().attrs(&self.fh);
        let seen = match how {
            _ if size == truth.size => {
                if last.is_some_and(|last| last.1 != size) {
                    self.seen.insert(Seen::TakenBack);
                }
                return;
            }
            How::GetAttr | How::Lookup | How::Verify { .. } => Seen::Told,
            How::ReadDir => Seen::Listed,
        };
        self.seen.insert(seen);
    }

    fn flush(&mut self, size: u64) {
        let Some(held) = &mut self.holder.held else {
            return;
        };
        let data = vec![7; size as usize];
        let write = args::Write {
            stateid: held.delegation,
            offset: 0,
            stable: StableHow::FileSync,
            data: &data,
        };
        let put = args::PutFh { object: &self.fh };
        let reply = self
            .holder
            .client
            .call(&mut self.sim, |c| c.putfh(put).write(write));
        if reply.status() == Status::OK {
            held.size = held.size.max(size);
        } else {
            self.lost(&reply);
        }
    }

    /// The holder answers the oldest callback.
    fn answer(&mut self, busy: bool) {
        if self.callbacks.is_empty() {
            return;
        }
        let callback = self.callbacks.remove(0);
        if callback.conn != self.holder.client.conn {
            return;
        }
        let ops = callback.ops();
        let record = match (ops.as_slice(), &self.holder.held) {
            ([CbArgOp::Sequence(_), CbArgOp::GetAttr(_)], Some(_)) if busy => {
                callback.with(Status::DELAY)
            }
            ([CbArgOp::Sequence(sequence), CbArgOp::GetAttr(asked)], Some(held)) => {
                let ok = res::SequenceOk {
                    sessionid: sequence.sessionid,
                    sequenceid: sequence.sequenceid,
                    slotid: sequence.slotid,
                    highest_slotid: 15,
                    target_highest_slotid: 15,
                };
                let change = held.change + u64::from(held.dirty);
                let values = [change.to_be_bytes(), held.size.to_be_bytes()].concat();
                let attrs = res::GetAttrOk {
                    obj_attributes: FattrRaw {
                        mask: asked.attr_request,
                        values: &values,
                    },
                };
                CbReplyBuilder::reply(callback.xid(), b"")
                    .result(&CbResOp::Sequence(Outcome::Ok(ok)))
                    .result(&CbResOp::GetAttr(Outcome::Ok(attrs)))
                    .finish()
            }
            ([_, CbArgOp::GetAttr(_)], None) => callback.with(Status::BADHANDLE),
            _ => callback.ok(),
        };
        let conn = callback.conn;
        self.slowly(|play| play.sim.send(conn, record));
    }

    fn give_back(&mut self) {
        let Some(held) = self.holder.held.take() else {
            return;
        };
        let back = args::DelegReturn {
            deleg_stateid: held.delegation,
        };
        let close = args::Close {
            seqid: 0,
            open_stateid: held.open,
        };
        let fh = self.fh.clone();
        let put = args::PutFh { object: &fh };
        // The requests that wait for its answer continue.
        self.slowly(|play| {
            let client = &mut play.holder.client;
            client.call(&mut play.sim, |c| c.putfh(put).delegreturn(back));
        });
        self.holder
            .client
            .call(&mut self.sim, |c| c.putfh(put).close(close))
            .all_ok();
    }

    /// A stateid is not good any more: the delegation was revoked.
    fn lost(&mut self, reply: &Reply) {
        assert_eq!(reply.last().1, Status::DELEG_REVOKED);
        if let Some(held) = &self.holder.held {
            let free = args::FreeStateid {
                stateid: held.delegation,
            };
            self.holder
                .client
                .call(&mut self.sim, |c| c.free_stateid(free))
                .all_ok();
        }
        self.give_back();
    }

    fn open(&mut self) {
        if self.holder.held.is_some() {
            return;
        }
        let args = args::Open {
            share_access: OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
            ..open_args(b"holder", b"f")
        };
        let attrs = args::GetAttr {
            attr_request: Bitmap::of(&[num::CHANGE, num::SIZE]),
        };
        let reply = self
            .holder
            .client
            .call(&mut self.sim, |c| c.putrootfh().open(args).getattr(attrs));
        let opened = ok!(reply, Open);
        if let OpenDelegation::Write(write) = opened.delegation {
            let (change, size) = pair(&reply, How::GetAttr);
            self.holder.held = Some(Held {
                open: opened.stateid,
                delegation: write.stateid,
                change,
                size,
                dirty: false,
            });
            return;
        }
        let close = args::Close {
            seqid: 0,
            open_stateid: opened.stateid,
        };
        let put = args::PutFh { object: &self.fh };
        self.holder
            .client
            .call(&mut self.sim, |c| c.putfh(put).close(close))
            .all_ok();
        // Its backchannel may be broken.
        self.evict();
    }

    fn evict(&mut self) {
        let client = self.holder.client.id.0;
        self.slowly(|play| play.sim.admin(Admin::EvictClient { client }));
        self.holder.incarnation += 1;
        self.holder.client = reachable(&mut self.sim, self.holder.incarnation);
        self.holder.held = None;
    }

    fn wait(&mut self, deciseconds: u8) {
        let span = Duration::from_millis(100) * u32::from(deciseconds);
        self.slowly(|play| play.sim.sleep(span));
        self.holder.client.call(&mut self.sim, |c| c).all_ok();
        for looker in &mut self.lookers {
            if looker.asked.is_none() {
                looker.client.call(&mut self.sim, |c| c).all_ok();
            }
        }
    }

    fn end(mut self) -> BTreeSet<Seen> {
        // A request that waits for a holder does so for a moment.
        self.wait(3);
        while self.sim.held().len() + self.sim.executed() > 0 {
            self.execute(0);
            self.deliver(0);
            self.hear();
        }
        self.sim.assert_nothing_is_left();
        self.seen
    }
}

fn reachable(sim: &mut Sim, incarnation: u32) -> Client {
    Client::mounted_with(sim, &format!("holder {incarnation}"), |args| {
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    })
}

/// What a reply tells of the file.
fn pair(reply: &Reply, how: How) -> Pair {
    let values = match how {
        How::ReadDir => {
            let entries = ok!(reply, ReadDir).entries;
            let entry = entries.iter().find(|entry| entry.name == b"f");
            entry.expect("it is there").attrs.values
        }
        How::GetAttr | How::Lookup | How::Verify { .. } => {
            ok!(reply, GetAttr).obj_attributes.values
        }
    };
    let (change, size) = values.split_at(8);
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    (number(change), number(size))
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    let how = prop_oneof![
        4 => Just(How::GetAttr),
        2 => Just(How::Lookup),
        4 => Just(How::ReadDir),
        2 => any::<bool>().prop_map(|other| How::Verify { other }),
    ];
    prop_oneof![
        12 => (byte(), how).prop_map(|(who, how)| Step::Look { who, how }),
        12 => byte().prop_map(|which| Step::Execute { which }),
        12 => byte().prop_map(|which| Step::Deliver { which }),
        4 => (0..16_u8).prop_map(|size| Step::Change { size }),
        1 => (1..16_u8).prop_map(|size| Step::Flush { size }),
        8 => prop::bool::weighted(0.1).prop_map(|busy| Step::Answer { busy }),
        1 => Just(Step::Return),
        2 => Just(Step::Open),
        1 => Just(Step::Evict),
        2 => (0..80_u8).prop_map(|deciseconds| Step::Wait { deciseconds }),
    ]
}

const ALL_SEEN: [Seen; 6] = [
    Seen::Told,
    Seen::Listed,
    Seen::TakenBack,
    Seen::Verified,
    Seen::Differed,
    Seen::Delayed,
];
const LOOKERS: usize = 3;
