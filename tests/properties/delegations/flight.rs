//! Requests whose way through the file system takes steps of its own.

use nfs4_engine::fs::FsOp;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_proto::nfs4::{Bitmap, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Fattr, Pace, Reply};

use super::Seen;
use super::play::{FILES, PEERS, Play, opening};

/// What such a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// OPEN by name,
    Open {
        write: bool,
    },
    /// by handle,
    OpenFh {
        write: bool,
    },
    /// and one that cuts the file.
    OpenCut,
    /// READ and WRITE by a special stateid,
    Read,
    Write,
    /// WRITE by its own open, which may be closed meanwhile,
    WriteOpen,
    /// SETATTR of a length.
    Cut,
    /// A second name.
    Link,
    /// No second name.
    Unlink,
}

/// Requests under way.
#[derive(Default)]
pub(super) struct Flights {
    /// Those that wait to be executed, in the order of the simulator.
    waiting: Vec<Flight>,
    /// Those that are executed and not heard of, in the same order.
    executed: Vec<Flight>,
    sent: u64,
}

/// A request of one that is executed in several steps is one flight.
#[derive(Clone, Copy)]
struct Flight {
    peer: usize,
    incarnation: u32,
    slot: u32,
    file: usize,
    work: Work,
    xid: u32,
    /// Its step is to ask whether the user may do it; if so, what others have is looked at then.
    asks: bool,
    /// What the file system said of the file when it executed its last step.
    saw: Option<Attributes>,
}

/// Change attribute and size.
pub(super) type Attributes = (u64, u64);

impl Work {
    pub(super) const ALL: [Work; 12] = [
        Work::Open { write: false },
        Work::Open { write: false },
        Work::Open { write: true },
        Work::OpenFh { write: false },
        Work::OpenFh { write: true },
        Work::OpenCut,
        Work::Read,
        Work::Write,
        Work::WriteOpen,
        Work::Cut,
        Work::Link,
        Work::Unlink,
    ];

    /// Whether it opens, and for writing.
    fn opens(self) -> Option<bool> {
        match self {
            Work::Open { write } | Work::OpenFh { write } => Some(write),
            Work::OpenCut => Some(true),
            Work::Read | Work::Write | Work::WriteOpen | Work::Cut | Work::Link | Work::Unlink => {
                None
            }
        }
    }

    fn names(self) -> bool {
        matches!(self, Work::Link | Work::Unlink)
    }

    fn changes(self) -> bool {
        self.opens().unwrap_or(self != Work::Read)
    }
}

impl Play {
    /// Sends a request by a slot that has none; it waits for the file system if it comes so far.
    pub(super) fn send(&mut self, peer: u8, file: u8, work: Work) {
        let (peer, file) = (usize::from(peer) % PEERS, usize::from(file) % FILES.len());
        let incarnation = self.peers[peer].incarnation;
        let busy = |slot: &u32| {
            let mut all = self.flights.all();
            all.any(|other| {
                (other.peer, other.incarnation, other.slot) == (peer, incarnation, *slot)
            })
        };
        let Some(slot) = (1..=SLOTS).find(|slot| !busy(slot)) else {
            return;
        };
        let open = self.peers[peer].held[file].open;
        let stateid = match (work, open) {
            (Work::WriteOpen, Some((stateid, true))) => stateid,
            (Work::WriteOpen, _) => return,
            _ => Stateid::ANONYMOUS,
        };
        self.flights.sent += 1;
        let number = self.flights.sent;
        let object = self.handles[file].clone();
        let client = &self.peers[peer].client;
        let request = client.request(&mut self.sim, slot, true, |c| {
            ask(c, work, file, &object, stateid, number)
        });
        let flight = Flight {
            peer,
            incarnation,
            slot,
            file,
            work,
            xid: request.xid(),
            asks: false,
            saw: None,
        };
        let conn = client.conn;
        self.sim.set_pace(Pace::Held);
        request.send(&mut self.sim, conn);
        self.arrive(flight);
    }

    /// Lets the file system execute what waits; a holder whose delegation conflicts with that has lost it.
    pub(super) fn execute(&mut self, which: u8) {
        let Some(which) = usize::from(which).checked_rem(self.flights.waiting.len()) else {
            return;
        };
        let mut flight = self.flights.waiting.remove(which);
        let before: Vec<Attributes> = (0..FILES.len()).map(|file| self.truth(file)).collect();
        let reads = self.sim.fs().requests("Read");
        self.sim.execute(which);
        // Not the client that it is now, if it has come again.
        let peer = if self.peers[flight.peer].incarnation == flight.incarnation {
            flight.peer
        } else {
            PEERS
        };
        for (file, before) in before.iter().enumerate() {
            if *before != self.truth(file) {
                self.no_other_client_gets_a_delegation(peer, file, true);
            }
        }
        if self.sim.fs().requests("Read") > reads {
            self.no_other_client_gets_a_delegation(peer, flight.file, false);
        }
        flight.saw = Some(self.truth(flight.file));
        self.flights.executed.push(flight);
    }

    /// Lets the engine hear of what was executed.
    pub(super) fn deliver(&mut self, which: u8) {
        let Some(which) = usize::from(which).checked_rem(self.flights.executed.len()) else {
            return;
        };
        let flight = self.flights.executed.remove(which);
        self.sim.set_pace(Pace::Held);
        self.sim.deliver(which);
        self.arrive(flight);
    }

    /// A request has been as far as it comes: it is answered, or waits for the file system.
    fn arrive(&mut self, flight: Flight) {
        self.sim.settle();
        self.sim.set_pace(Pace::Delayed);
        let reply = self.sim.take_reply(flight.xid);
        if self.sim.held().len() > self.flights.waiting.len() {
            assert_eq!(reply, None, "it waits, and is answered");
            let step = self.sim.held().last().map(|request| &request.op);
            let asks = matches!(step, Some(FsOp::Access { .. } | FsOp::GetAttrs { .. }));
            self.flights.waiting.push(Flight { asks, ..flight });
            return;
        }
        let current = self.peers[flight.peer].incarnation == flight.incarnation;
        match reply {
            Some(reply) if current => self.hear(&flight, &reply),
            // Its session is gone, and its connection with it or not.
            _ => assert!(!current, "it is not answered"),
        }
    }

    fn hear(&mut self, flight: &Flight, reply: &Reply) {
        let Flight {
            peer, file, work, ..
        } = *flight;
        if reply.statuses()[0] == (Op::Sequence, Status::BADSESSION) {
            self.expired(peer);
            return;
        }
        self.peers[peer].heard = self.sim.now();
        self.peers[peer].client.advance(flight.slot);
        match (reply.last(), work.opens()) {
            // Its own CLOSE can have ended the open that is being cut.
            ((_, Status::DELAY), _) if work == Work::OpenCut && flight.saw.is_some() => {}
            // A name does not change while a file that is delegated gets it, and the other way round.
            ((_, Status::DELAY), _) if work.names() && self.is_named_beside() => {}
            ((_, Status::DELAY), _) => self.delayed(peer, file, work.changes()),
            ((_, Status::OK), Some(write)) => {
                let beside = self.is_being_changed(file);
                let changed = flight.saw != Some(self.truth(file));
                let seen = if self.opened(peer, file, write, reply) {
                    assert!(!beside, "delegated while another changes it");
                    Seen::GrantedLater
                } else if changed {
                    Seen::ChangedMeanwhile
                } else if beside {
                    Seen::Changing
                } else {
                    return;
                };
                self.seen.insert(seen);
            }
            ((_, Status::OK), None) => {}
            ((Op::Link, Status::EXIST) | (Op::Remove, Status::NOENT), _) => {}
            (other, _) => panic!("{other:?}"),
        }
    }

    /// Whether a request is under way that is known to change a file, executed or not.
    fn is_being_changed(&self, file: usize) -> bool {
        let mut all = self.flights.all();
        all.any(|other| {
            let known = matches!(
                other.work,
                Work::Write | Work::WriteOpen | Work::Cut | Work::Link
            );
            known && !other.asks && other.file == file
        })
    }

    fn is_named_beside(&self) -> bool {
        self.flights.all().any(|other| other.work.names())
    }

    /// Change attribute and size of a file, as the file system has it now.
    pub(super) fn truth(&self, file: usize) -> Attributes {
        let attrs = self.sim.fs().attrs(&self.handles[file]);
        (attrs.change, attrs.size)
    }

    pub(super) fn has_flights(&self, peer: usize) -> bool {
        let incarnation = self.peers[peer].incarnation;
        let mut all = self.flights.all();
        all.any(|other| (other.peer, other.incarnation) == (peer, incarnation))
    }

    /// Everything that is under way comes to its end.
    pub(super) fn land_all(&mut self) {
        while self.flights.all().next().is_some() {
            self.execute(0);
            self.deliver(0);
        }
    }
}

impl Flights {
    fn all(&self) -> impl Iterator<Item = &Flight> {
        self.waiting.iter().chain(&self.executed)
    }
}

/// The attributes that tell whether a file was changed.
pub(super) fn change_and_size() -> args::GetAttr {
    args::GetAttr {
        attr_request: Bitmap::of(&[num::CHANGE, num::SIZE]),
    }
}

/// What a reply says of them.
pub(super) fn told(reply: &Reply) -> Attributes {
    let values = ok!(reply, GetAttr).obj_attributes.values;
    let (change, size) = values.split_at(8);
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    (number(change), number(size))
}

fn ask<'a>(
    c: &'a mut CompoundBuilder,
    work: Work,
    file: usize,
    object: &[u8],
    stateid: Stateid,
    number: u64,
) -> &'a mut CompoundBuilder {
    let put = args::PutFh { object };
    let link = [FILES[file], b".link"].concat();
    let attrs = change_and_size();
    match work {
        Work::Open { write } => c.putrootfh().open(opening(file, write)).getattr(attrs),
        Work::OpenFh { write } => {
            let open = args::Open {
                claim: OpenClaim::Fh,
                ..opening(file, write)
            };
            c.putfh(put).open(open).getattr(attrs)
        }
        Work::OpenCut => {
            let cut = Fattr::size(0);
            let open = args::Open {
                openhow: OpenFlag::Create(CreateHow::Unchecked(cut.raw())),
                ..opening(file, true)
            };
            c.putrootfh().open(open).getattr(attrs)
        }
        Work::Read => c.putfh(put).read(args::Read {
            stateid,
            offset: 0,
            count: 10,
        }),
        Work::Write | Work::WriteOpen => c.putfh(put).write(args::Write {
            stateid,
            offset: number % 16,
            stable: StableHow::FileSync,
            data: b"data",
        }),
        Work::Cut => {
            let cut = Fattr::size(number % 16);
            c.putfh(put).setattr(args::SetAttr {
                stateid,
                obj_attributes: cut.raw(),
            })
        }
        Work::Link => c
            .putfh(put)
            .savefh()
            .putrootfh()
            .link(args::Link { newname: &link }),
        Work::Unlink => c.putrootfh().remove(args::Remove { target: &link }),
    }
}

/// Those of a client beside the one that is answered at once.
const SLOTS: u32 = 4;
