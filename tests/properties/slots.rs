//! A client that does as it is told, like that of Linux, while slots are given and wanted back: its
//! requests are executed once, whatever is lost or overtaken. [RFC 8881 §2.10.6.1]

use std::collections::BTreeMap;
use std::time::Duration;

use nfs4_engine::ConnId;
use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::{FattrRaw, Op, Status, res};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Delays, Reply, Request, Sim, sequence_args};
use proptest::prelude::*;

use crate::runner::{Property, cases};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// New requests, as many as the client has slots for; each reads so many times 128 bytes, to be
    /// kept.
    Send { count: u8, read: u8, conn: u8 },
    /// What is not answered is sent again.
    Retry { conn: u8 },
    /// A copy of what was answered last on a slot arrives, or of what was before the client had to
    /// forget the slot.
    Stray { slot: u8, before: bool },
    /// A connection dies; the client opens another.
    Kill { conn: u8 },
    /// Things happen that are under way.
    Happen { events: u8 },
    /// All is answered, and then there is little to do for some quarters of a lease.
    Idle { quarters: u8 },
    /// There is little to do for so long that slots go, and then so much that they come back, and
    /// with them so many copies of what was before.
    Tide { strays: u8 },
}

/// The client's side of the session: what its slots and the server's limits are to it.
struct Linux {
    sim: Sim,
    client: Client,
    conns: Vec<ConnId>,
    /// Copies come by it.
    strays: ConnId,
    /// The next seqid of each slot; none of those that it has forgotten.
    seqids: Vec<u32>,
    running: BTreeMap<u32, Running>,
    /// The last request of each slot that was answered, with its seqid: since the slot is known, and
    /// before that.
    answered: BTreeMap<u32, (u32, Request)>,
    forgotten: BTreeMap<u32, (u32, Request)>,
    by_xid: BTreeMap<u32, (u32, u64)>,
    /// `sr_target_highest_slotid` and `sr_highest_slotid` as last believed.
    target: u32,
    highest: u32,
    /// Counts the changes of the target: what is told in reply to older requests may be old.
    generation: u64,
    made: u64,
    executed: Vec<Vec<u8>>,
    shrunk: bool,
    /// A copy came to a slot that was taken and given again.
    late: bool,
}

/// A request that is not answered.
struct Running {
    number: u64,
    generation: u64,
    request: Request,
    name: Vec<u8>,
}

impl Linux {
    fn new(seed: u64) -> Linux {
        let config = Sim::config().with(|config| {
            config.max_cached_reply = 2 * LARGE;
            config.max_reply_cache = 3 * MEMORY;
        });
        let delays = Delays {
            message: 30_000_000,
            notice: 20_000_000,
            file_system: 5_000_000,
        };
        let mut sim = Sim::on(config, delays, seed);
        let mut client = Client::mounted_with(&mut sim, "linux", |args| {
            args.fore_chan_attrs.maxrequests = SLOTS;
            args.fore_chan_attrs.maxresponsesize_cached = 2 * LARGE;
        });
        client.make_file(&mut sim, b"f", LARGE);
        let conns = vec![client.conn, sim.connect(), sim.connect()];
        let strays = sim.connect();
        let mut seqids = vec![1; SLOTS as usize];
        seqids[0] = client.slots[0];
        Linux {
            sim,
            client,
            conns,
            strays,
            seqids,
            running: BTreeMap::new(),
            answered: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            by_xid: BTreeMap::new(),
            target: SLOTS - 1,
            highest: SLOTS - 1,
            generation: 0,
            made: 0,
            executed: Vec::new(),
            shrunk: false,
            late: false,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send { count, read, conn } => {
                for _ in 0..count {
                    self.send(u32::from(read) * 128, conn);
                }
            }
            Step::Retry { conn } => self.retry(conn),
            Step::Stray { slot, before } => self.stray(slot, before),
            Step::Kill { conn } => {
                let place = usize::from(conn) % self.conns.len();
                self.sim.kill(self.conns[place]);
                self.conns[place] = self.sim.connect();
            }
            Step::Happen { events } => {
                for _ in 0..events {
                    self.sim.step();
                }
            }
            Step::Idle { quarters } => self.idle(quarters),
            Step::Tide { strays } => {
                self.idle(12);
                for _ in 0..=self.target.min(self.highest) {
                    self.send(0, 0);
                }
                self.settle();
                for slot in 0..strays {
                    self.stray(slot, true);
                }
            }
        }
        self.hear();
    }

    /// The lowest free slot that may be used takes a request that creates a name of its own.
    fn send(&mut self, read: u32, conn: u8) {
        let limit = self.target.min(self.highest);
        let free = (0..=limit).find(|slot| !self.running.contains_key(slot));
        let Some(slot) = free else { return };
        self.made += 1;
        let name = format!("d{}", self.made).into_bytes();
        let sequence = args::Sequence {
            cachethis: true,
            ..sequence_args(self.client.session, slot, self.seqids[slot as usize])
        };
        let directory = args::Create {
            objtype: CreateType::Directory,
            objname: &name,
            createattrs: FattrRaw::EMPTY,
        };
        let read = args::Read {
            stateid: Stateid::READ_BYPASS,
            offset: 0,
            count: read,
        };
        let record = self.client.record(self.sim.xid(), b"", |c| {
            c.sequence(sequence)
                .putrootfh()
                .create(directory)
                .putrootfh()
                .lookup(args::Lookup { objname: b"f" })
                .read(read)
        });
        let request = Request { record };
        self.by_xid.insert(request.xid(), (slot, self.made));
        let running = Running {
            number: self.made,
            generation: self.generation,
            request,
            name,
        };
        self.running.insert(slot, running);
        self.encode_and_send(slot, conn);
    }

    /// Sends a request with what is true now: which slots are in use, and what time it is.
    fn encode_and_send(&mut self, slot: u32, conn: u8) {
        let highest = self.running.keys().last().copied().unwrap_or(slot);
        let request = &self.running[&slot].request;
        let request = request.encoded_anew(highest, self.sim.now().as_micros() as u32);
        request.send(
            &mut self.sim,
            self.conns[usize::from(conn) % self.conns.len()],
        );
    }

    fn retry(&mut self, conn: u8) {
        for slot in self.running.keys().copied().collect::<Vec<_>>() {
            self.encode_and_send(slot, conn);
        }
    }

    fn stray(&mut self, slot: u8, before: bool) {
        let copies = if before {
            &self.forgotten
        } else {
            &self.answered
        };
        // Of what was before, what could be taken for the next request of a slot that was given
        // again.
        let copies = copies.range(..=self.highest).filter(|(slot, (seqid, _))| {
            let is_next = self.seqids[**slot as usize] == *seqid;
            !before || is_next && !self.running.contains_key(slot)
        });
        let copies: Vec<&Request> = copies.map(|(_, (_, copy))| copy).collect();
        let Some(place) = usize::from(slot).checked_rem(copies.len()) else {
            return;
        };
        let copy = copies[place];
        self.late |= before;
        copy.send(&mut self.sim, self.strays);
    }

    /// Slots above this will be taken: what was before such a slot was last used is two times gone
    /// then, and no copy of it is on its way any more.
    fn lose_strays(&mut self, target: u32) {
        self.sim.kill(self.strays);
        self.strays = self.sim.connect();
        let answered = &self.answered;
        self.forgotten
            .retain(|slot, _| *slot <= target || !answered.contains_key(slot));
    }

    fn idle(&mut self, quarters: u8) {
        self.settle();
        let quarter = self.sim.settings().lease / 4 + Duration::from_secs(1);
        for _ in 0..quarters {
            self.sim.sleep(quarter);
            self.send(0, 0);
            self.settle();
        }
    }

    /// Every request is answered.
    fn settle(&mut self) {
        for round in 0.. {
            self.sim.run();
            self.hear();
            if self.running.is_empty() {
                break;
            }
            assert!(round < 10, "slots {:?} are stuck", self.running.keys());
            self.retry(round);
        }
    }

    fn hear(&mut self) {
        for reply in self.sim.take_replies() {
            let (slot, number) = self.by_xid[&reply.xid()];
            let current = self.running.get(&slot);
            if current.is_some_and(|running| running.number == number) {
                self.heard(slot, &reply);
            }
        }
    }

    /// The reply to the request that runs on a slot.
    fn heard(&mut self, slot: u32, reply: &Reply) {
        match reply.statuses()[0] {
            (Op::Sequence, Status::OK) => {}
            (Op::Sequence, Status::DELAY) => return,
            // The slot has gone meanwhile: it was not executed.
            (Op::Sequence, Status::BADSLOT) => {
                let request = self.running.remove(&slot).expect("it runs");
                assert_eq!(self.sim.fs().creations(&request.name), 0);
                assert!(slot > 0, "the first slot never goes");
                return;
            }
            other => panic!("{other:?} on slot {slot}"),
        }
        let request = self.running.remove(&slot).expect("it runs");
        let created = reply.statuses();
        assert_eq!(created[2], (Op::Create, Status::OK), "{reply:?}");
        self.executed.push(request.name);
        let seqid = self.seqids[slot as usize];
        self.answered.insert(slot, (seqid, request.request));
        self.seqids[slot as usize] += 1;
        let told: res::SequenceOk = ok!(reply, Sequence);
        assert!(told.target_highest_slotid <= told.highest_slotid);
        self.shrunk |= told.highest_slotid < SLOTS - 1;
        if told.target_highest_slotid < told.highest_slotid {
            self.lose_strays(told.target_highest_slotid);
        }
        if told.target_highest_slotid != self.target {
            self.target = told.target_highest_slotid;
            self.generation += 1;
        }
        let used = self.running.keys().last().copied();
        if request.generation == self.generation
            && used.is_none_or(|used| used <= told.highest_slotid)
        {
            if told.highest_slotid < self.highest {
                // What it may not use it forgets.
                let gone = told.highest_slotid + 1;
                self.seqids[gone as usize..].fill(1);
                self.forgotten.append(&mut self.answered.split_off(&gone));
            }
            self.highest = told.highest_slotid;
        }
    }

    fn finish(mut self) {
        self.settle();
        for name in &self.executed {
            assert_eq!(self.sim.fs().creations(name), 1, "{name:?}");
        }
        // With little to do, and then with very much, it has all slots again.
        self.idle(12);
        for _ in 0..8 {
            for _ in 0..SLOTS {
                self.send(0, 0);
            }
            self.settle();
        }
        assert_eq!((self.target, self.highest), (SLOTS - 1, SLOTS - 1));
        self.sim.assert_nothing_is_left();
    }
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    prop_oneof![
        8 => (1..40_u8, 0..64_u8, byte())
            .prop_map(|(count, read, conn)| Step::Send { count, read, conn }),
        4 => byte().prop_map(|conn| Step::Retry { conn }),
        8 => (byte(), any::<bool>()).prop_map(|(slot, before)| Step::Stray { slot, before }),
        4 => byte().prop_map(|conn| Step::Kill { conn }),
        6 => (0..60_u8).prop_map(|events| Step::Happen { events }),
        2 => (1..12_u8).prop_map(|quarters| Step::Idle { quarters }),
        4 => (0..4_u8).prop_map(|strays| Step::Tide { strays }),
    ]
}

#[test]
fn a_client_that_obeys_is_served_once_however_many_slots_it_has() {
    let property = Property {
        name: "slots",
        cases: (cases() / 8).max(1),
        to_be_seen: &["slots taken", "copy of what was before"],
    };
    let steps = prop::collection::vec(step(), 12..40);
    property.holds((any::<u64>(), steps), |(seed, steps)| {
        let mut linux = Linux::new(seed);
        for step in steps {
            linux.step(step);
        }
        // Before it is idle for long.
        let seen = [
            (linux.shrunk, "slots taken"),
            (linux.late, "copy of what was before"),
        ];
        linux.finish();
        let seen = seen.into_iter().filter(|(happened, _)| *happened);
        seen.map(|(_, what)| what).collect()
    });
}

const SLOTS: u32 = 32;
const LARGE: u32 = 8 << 10;
/// Its share, full when a third of the slots has read as much as it can.
const MEMORY: u64 = 11 * LARGE as u64;
