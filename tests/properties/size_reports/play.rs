//! A holder and readers of one file, and what the readers may see of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status, Verifier};
use nfs4_tests::ok;
use nfs4_tests::sim::{Callback, Client, Pace, Reply, Sim};

use super::holder::{Holder, holder_client};
use super::{How, Seen, Step};
use crate::reachable_client::make_shared_file;

/// Change attribute and size in bytes.
pub(super) type Pair = (u64, u64);

struct Reader {
    client: Client,
    /// The request under way, and by what operation.
    asked: Option<(u32, How)>,
    last: Option<Pair>,
}

pub(super) struct Play {
    pub(super) sim: Sim,
    pub(super) fh: Vec<u8>,
    pub(super) holder: Holder,
    readers: Vec<Reader>,
    pub(super) callbacks: Vec<Callback>,
    /// The size that each change attribute was reported with.
    reported: BTreeMap<u64, u64>,
    seen: BTreeSet<Seen>,
}

impl Play {
    pub(super) fn new() -> Play {
        let mut sim = Sim::with(Sim::config().with(|config| {
            // These clients lose all with their leases; `courtesy` is about those that do not.
            config.courtesy = Duration::ZERO;
            config.delegation_pause = Duration::ZERO;
            config.delegation_penalty = Duration::ZERO;
        }));
        let client = holder_client(&mut sim, 0);
        let readers = (0..READERS).map(|reader| Reader {
            client: Client::mounted(&mut sim, &format!("reader {reader}")),
            asked: None,
            last: None,
        });
        let mut readers: Vec<Reader> = readers.collect();
        let fh = make_shared_file(&mut sim, &mut readers[0].client, b"f");
        let mut play = Play {
            sim,
            fh,
            holder: Holder {
                client,
                incarnation: 0,
                held: None,
            },
            readers,
            callbacks: Vec::new(),
            reported: BTreeMap::new(),
            seen: BTreeSet::new(),
        };
        play.open();
        play
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Look { reader, how } => self.look(usize::from(reader) % READERS, how),
            Step::Execute { which } => self.execute(which),
            Step::Deliver { which } => self.deliver(which),
            Step::Change { size } => {
                if let Some(held) = &mut self.holder.held {
                    (held.size, held.dirty) = (size.into(), true);
                }
            }
            Step::Flush { size } => self.flush(size.into()),
            Step::Answer { busy } => self.answer(busy),
            Step::Return => self.return_delegation(),
            Step::Open => self.open(),
            Step::Evict => self.evict(),
            Step::Wait { deciseconds } => self.wait(deciseconds),
        }
        self.sim.settle();
        self.callbacks.extend(self.sim.take_callbacks());
        self.take_replies();
    }

    /// Sends a request, unless an earlier one of the reader is under way.
    fn look(&mut self, at: usize, how: How) {
        let reader = &self.readers[at];
        if reader.asked.is_some() {
            return;
        }
        let attr_request = Bitmap::of(&[num::CHANGE, num::SIZE]);
        let attrs = args::GetAttr { attr_request };
        let put = args::PutFh { object: &self.fh };
        let last = self.expected(at, how);
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
        let request = reader
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
        let conn = reader.client.conn;
        self.readers[at].asked = Some((request.xid(), how));
        self.with_held_fs(|play| request.send(&mut play.sim, conn));
    }

    /// The attributes that a VERIFY compares.
    fn expected(&self, at: usize, how: How) -> Pair {
        let (change, size) = self.readers[at].last.unwrap_or_default();
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
            self.with_held_fs(|play| play.sim.deliver(which));
        }
    }

    /// Does something whose requests to the file system wait.
    pub(super) fn with_held_fs(&mut self, happens: impl FnOnce(&mut Play)) {
        self.sim.set_pace(Pace::Held);
        happens(self);
        self.sim.settle();
        self.sim.set_pace(Pace::Delayed);
    }

    /// Takes the replies, and compares their reports with earlier ones.
    fn take_replies(&mut self) {
        for at in 0..READERS {
            let Some((xid, how)) = self.readers[at].asked else {
                continue;
            };
            let Some(reply) = self.sim.take_reply(xid) else {
                continue;
            };
            self.readers[at].asked = None;
            self.readers[at].client.advance(0);
            match reply.last() {
                (_, Status::DELAY) => {
                    self.seen.insert(Seen::Delayed);
                }
                (Op::Verify, Status::OK) => {
                    self.seen.insert(Seen::Verified);
                    let pair = self.expected(at, how);
                    self.check(at, pair, how);
                }
                (Op::Verify, Status::NOT_SAME) => {
                    self.seen.insert(Seen::Differed);
                }
                (_, Status::OK) => {
                    let pair = pair(&reply, how);
                    self.check(at, pair, how);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn check(&mut self, at: usize, pair: Pair, how: How) {
        let (change, size) = pair;
        let before = self.reported.insert(change, size);
        let same = before.is_none_or(|before| before == size);
        assert!(same, "{change} beside {before:?} and {size}, by {how:?}");
        let last = self.readers[at].last;
        let back = last.is_some_and(|last| change < last.0);
        assert!(!back, "{last:?}, and then {pair:?} by {how:?}");
        self.readers[at].last = Some(pair);
        let truth = self.sim.fs().attrs(&self.fh);
        let seen = match how {
            _ if size == truth.size => {
                if last.is_some_and(|last| last.1 != size) {
                    self.seen.insert(Seen::Withdrawn);
                }
                return;
            }
            How::GetAttr | How::Lookup | How::Verify { .. } => Seen::Reported,
            How::ReadDir => Seen::Listed,
        };
        self.seen.insert(seen);
    }

    fn wait(&mut self, deciseconds: u8) {
        let span = Duration::from_millis(100) * u32::from(deciseconds);
        self.with_held_fs(|play| play.sim.sleep(span));
        self.holder.client.call(&mut self.sim, |c| c).all_ok();
        for reader in &mut self.readers {
            if reader.asked.is_none() {
                reader.client.call(&mut self.sim, |c| c).all_ok();
            }
        }
    }

    pub(super) fn end(mut self) -> BTreeSet<Seen> {
        // A request waits for a holder for a moment only.
        self.wait(3);
        while self.sim.held().len() + self.sim.executed() > 0 {
            self.execute(0);
            self.deliver(0);
            self.take_replies();
        }
        self.sim.assert_nothing_is_left();
        self.seen
    }
}

/// The attributes in a reply.
pub(super) fn pair(reply: &Reply, how: How) -> Pair {
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

const READERS: usize = 3;
