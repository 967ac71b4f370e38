//! Random clients on a bad network, held against a model that counts executions.

use std::collections::BTreeMap;
use std::time::Duration;

use nfs4_engine::{Config, ConnId};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, CreateHow, CreateType, OpenFlag};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::{FattrRaw, Op, Status};

use super::client::{Client, open_args};
use super::network::Delays;
use super::reply::Reply;
use super::request::Request;
use super::rng::Rng;
use super::world::Sim;

/// One thing that a random client does. Numbers that are too large count round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new request on a slot, if the one before it is answered.
    Send {
        /// Which client.
        client: u8,
        /// Which slot.
        slot: u8,
        /// By which of its connections.
        conn: u8,
        /// What is asked.
        work: Work,
        /// Whether the reply is to be kept.
        cache: bool,
    },
    /// The last request on a slot again, whether it was answered or not, as Linux sends it.
    Retry {
        /// Which client.
        client: u8,
        /// Which slot.
        slot: u8,
        /// By which of its connections.
        conn: u8,
    },
    /// A connection dies; the client opens another.
    Kill {
        /// Which client.
        client: u8,
        /// Which of its connections.
        conn: u8,
    },
    /// The client forgets everything and mounts again.
    Reboot {
        /// Which client.
        client: u8,
    },
    /// Things happen that are under way.
    Happen {
        /// How many.
        events: u8,
    },
    /// Time passes.
    Sleep {
        /// In milliseconds.
        millis: u8,
    },
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing: SEQUENCE alone.
    Nothing,
    /// A directory under a name of its own.
    MakeDirectory,
    /// A file under a name of its own, which stays open.
    Open,
    /// A file under a name of its own, which is closed again.
    OpenAndClose,
    /// A second operation that does not exist.
    Nonsense,
}

/// Some clients, what they have sent, and what they have heard.
pub struct Chaos {
    sim: Sim,
    actors: Vec<Actor>,
    sent: Vec<Sent>,
    by_xid: BTreeMap<u32, usize>,
}

struct Actor {
    client: Client,
    conns: Vec<ConnId>,
    /// The last request on each slot.
    lanes: Vec<Option<usize>>,
    incarnation: u32,
}

/// A request, and what is known of it.
struct Sent {
    actor: usize,
    slot: usize,
    incarnation: u32,
    request: Request,
    cache: bool,
    /// What it creates.
    name: Option<Vec<u8>>,
    answer: Option<Reply>,
    done: bool,
}

impl Chaos {
    /// So many mounted clients; chance chooses all delays.
    pub fn new(clients: usize, seed: u64) -> Chaos {
        Chaos::on(Sim::on(config(), DELAYS, seed), clients)
    }

    /// The same, and the server records.
    pub fn recorded(clients: usize, seed: u64) -> Chaos {
        let mut sim = Sim::on(config(), DELAYS, seed);
        sim.record_all();
        Chaos::on(sim, clients)
    }

    fn on(mut sim: Sim, clients: usize) -> Chaos {
        let actors = (0..clients.max(1))
            .map(|number| {
                let client = Client::mounted(&mut sim, &format!("client {number}"));
                let conns = vec![client.conn, sim.connect()];
                Actor {
                    client,
                    conns,
                    lanes: vec![None; SLOTS],
                    incarnation: 0,
                }
            })
            .collect();
        Chaos {
            sim,
            actors,
            sent: Vec::new(),
            by_xid: BTreeMap::new(),
        }
    }

    /// Everything that the server did.
    pub fn trace(&self) -> &[u8] {
        self.sim.trace()
    }

    /// The log of a server that records, which ends here.
    pub fn recording(&mut self) -> Vec<u8> {
        self.sim.recording()
    }

    /// Does one thing, and holds what was heard against the model.
    pub fn step(&mut self, step: Step) {
        match step {
            Step::Send {
                client,
                slot,
                conn,
                work,
                cache,
            } => {
                let (actor, slot) = self.place(client, slot);
                self.send(actor, slot, conn, work, cache);
            }
            Step::Retry { client, slot, conn } => {
                let (actor, slot) = self.place(client, slot);
                if let Some(index) = self.actors[actor].lanes[slot] {
                    let conn = self.conn(actor, conn);
                    self.encode_and_send(index, conn);
                }
            }
            Step::Kill { client, conn } => {
                let (actor, _) = self.place(client, 0);
                let conns = &mut self.actors[actor].conns;
                let at = usize::from(conn) % conns.len();
                self.sim.kill(conns[at]);
                conns[at] = self.sim.connect();
            }
            Step::Reboot { client } => {
                let (actor, _) = self.place(client, 0);
                self.reboot(actor);
            }
            Step::Happen { events } => {
                for _ in 0..events {
                    self.sim.step();
                }
            }
            Step::Sleep { millis } => {
                let span = Duration::from_millis(millis.into());
                self.sim.sleep(span);
            }
        }
        self.hear();
    }

    /// Every client retries until it has its answers; then all is checked, and every client leaves.
    pub fn finish(&mut self) {
        self.sim.run();
        self.hear();
        for actor in 0..self.actors.len() {
            let conn = self.sim.connect();
            for slot in 0..SLOTS {
                let Some(index) = self.actors[actor].lanes[slot] else {
                    continue;
                };
                // Once for the answer if it was lost, once more to see it repeated.
                for _ in 0..2 {
                    self.encode_and_send(index, conn);
                    self.sim.run();
                    self.hear();
                }
                assert!(self.sent[index].done, "a retry is answered");
            }
        }
        for sent in &self.sent {
            if let Some(name) = &sent.name {
                let times = self.sim.fs().creations(name);
                assert!(times <= 1, "{name:?} was executed {times} times");
                assert!(
                    times == 1 || !sent.done,
                    "{name:?} was answered and not executed"
                );
            }
        }
        let tables = self.sim.tables();
        assert_eq!(tables.clients, self.actors.len());
        assert_eq!(tables.sessions, self.actors.len());
        assert_eq!(tables.connections, self.sim.network().connections());
        assert_eq!(tables.opens as u64, self.sim.fs().held());
        self.sim.assert_nothing_is_left();
    }

    fn place(&self, client: u8, slot: u8) -> (usize, usize) {
        let actor = usize::from(client) % self.actors.len();
        (actor, usize::from(slot) % SLOTS)
    }

    fn conn(&self, actor: usize, conn: u8) -> ConnId {
        let conns = &self.actors[actor].conns;
        conns[usize::from(conn) % conns.len()]
    }

    fn send(&mut self, actor: usize, slot: usize, conn: u8, work: Work, cache: bool) {
        let conn = self.conn(actor, conn);
        let number = self.sent.len();
        let Actor {
            client,
            lanes,
            incarnation,
            ..
        } = &mut self.actors[actor];
        if let Some(last) = lanes[slot] {
            if !self.sent[last].done {
                return;
            }
            client.advance(slot as u32);
        }
        let name = format!("{actor}.{number}").into_bytes();
        let request = client.request(&mut self.sim, slot as u32, cache, |c| ask(c, work, &name));
        lanes[slot] = Some(number);
        self.by_xid.insert(request.xid(), number);
        let creates = !matches!(work, Work::Nothing | Work::Nonsense);
        self.sent.push(Sent {
            actor,
            slot,
            incarnation: *incarnation,
            request,
            cache,
            name: creates.then_some(name),
            answer: None,
            done: false,
        });
        self.encode_and_send(number, conn);
    }

    /// Sends a request with what is true now: which slots are in use, and what time it is.
    fn encode_and_send(&mut self, index: usize, conn: ConnId) {
        let Sent { actor, slot, .. } = self.sent[index];
        let lanes = self.actors[actor].lanes.iter();
        let is_used = |lane: &Option<usize>| lane.is_some_and(|last| !self.sent[last].done);
        let highest = lanes.rev().position(is_used);
        let highest = highest.map_or(slot, |above| slot.max(SLOTS - 1 - above));
        let stamp = self.sim.now().as_micros() as u32;
        let request = &self.sent[index].request;
        let request = request.encoded_anew(highest as u32, stamp);
        request.send(&mut self.sim, conn);
    }

    fn reboot(&mut self, actor: usize) {
        let actor = &mut self.actors[actor];
        actor.incarnation += 1;
        actor.lanes = vec![None; SLOTS];
        actor.client.reboot();
        actor.client.conn = self.sim.connect();
        actor.conns.push(actor.client.conn);
        actor.client.mount(&mut self.sim);
    }

    /// Holds all replies that have come against what may come.
    fn hear(&mut self) {
        for reply in self.sim.take_replies() {
            let index = self.by_xid[&reply.xid()];
            let sent = &mut self.sent[index];
            let actor = &self.actors[sent.actor];
            let is_old = actor.incarnation != sent.incarnation;
            let is_overtaken = is_old || actor.lanes[sent.slot] != Some(index);
            let statuses = reply.statuses();
            match statuses[0] {
                (Op::Sequence, Status::OK) => {}
                (Op::Sequence, Status::DELAY) => continue,
                (Op::Sequence, Status::SEQ_MISORDERED) if is_overtaken => continue,
                (Op::Sequence, Status::BADSESSION) if is_old => continue,
                other => panic!("{other:?} to request {index}"),
            }
            sent.done = true;
            if reply.status() == Status::RETRY_UNCACHED_REP {
                assert!(!sent.cache, "a reply that was to be kept was not");
                assert_eq!(statuses.len(), 2);
                continue;
            }
            match &sent.answer {
                Some(answer) => assert_eq!(answer.body(), reply.body(), "another answer"),
                None => sent.answer = Some(reply),
            }
        }
    }
}

impl Step {
    /// A step that chance chooses.
    pub fn random(rng: &mut Rng) -> Step {
        let [kind, client, slot, conn, work, cache, ..] = rng.next_u64().to_be_bytes();
        match kind % 16 {
            0..=6 => Step::Send {
                client,
                slot,
                conn,
                work: Work::ALL[usize::from(work) % Work::ALL.len()],
                cache: cache % 2 == 0,
            },
            7..=9 => Step::Retry { client, slot, conn },
            10 | 11 => Step::Kill { client, conn },
            12..=14 => Step::Happen { events: work % 8 },
            _ if work < 32 => Step::Reboot { client },
            _ => Step::Sleep { millis: work },
        }
    }
}

impl Work {
    /// All kinds.
    pub const ALL: [Work; 5] = [
        Work::Nothing,
        Work::MakeDirectory,
        Work::Open,
        Work::OpenAndClose,
        Work::Nonsense,
    ];
}

fn ask<'a>(c: &'a mut CompoundBuilder, work: Work, name: &[u8]) -> &'a mut CompoundBuilder {
    let open = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(FattrRaw::EMPTY)),
        ..open_args(b"owner", name)
    };
    match work {
        Work::Nothing => c,
        Work::MakeDirectory => c.putrootfh().create(args::Create {
            objtype: CreateType::Directory,
            objname: name,
            createattrs: FattrRaw::EMPTY,
        }),
        Work::Open => c.putrootfh().open(open).getfh(),
        Work::OpenAndClose => c.putrootfh().open(open).close(args::Close {
            seqid: 0,
            open_stateid: Stateid::CURRENT,
        }),
        Work::Nonsense => c.raw(Op::Renew.number(), &[0; 8]),
    }
}

const SLOTS: usize = 3;
/// What takes longer than most requests is reported.
fn config() -> Config {
    Sim::config().with(|config| config.slow_request = Duration::from_millis(20))
}

const DELAYS: Delays = Delays {
    message: 3_000_000,
    notice: 20_000_000,
    file_system: 5_000_000,
};
