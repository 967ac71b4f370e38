//! Clients that share connections which break all the time: whatever is lost and sent again, it is
//! carried out once, and nothing is left of it.

mod lane;
mod ledger;
mod line;
mod observer;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use nfs4_driver::engine::TableLengths;
use nfs4_driver::engine::proto::client::ReplyReader;
use nfs4_driver::engine::proto::nfs4::{Bitmap, ClientId, Op, SessionId, Status, Verifier, args};
use nfs4_driver::engine::proto::xdr::List;
use nfs4_driver::{Limits, SystemClock};
use nfs4_tests::sim::Rng;
use tokio::task::JoinSet;

use self::lane::{Lane, Seen, call};
use self::ledger::{Change, Ledger};
use self::line::Lines;
use self::observer::{Counts, Observer};
use self::worker::Worker;
use crate::server::{Running, Transport, node};

on_each!(
    what_is_lost_with_connections_is_executed_once,
    flavor = "multi_thread",
    worker_threads = 2
);

async fn what_is_lost_with_connections_is_executed_once(on: Transport) {
    traffic(&[on]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn also_when_several_transports_serve_one_node() {
    traffic(&[Transport::Tokio, Transport::Threads, Transport::AsyncStd]).await;
}

/// Traffic over connections to these transports of one node.
async fn traffic(transports: &[Transport]) {
    let rounds = number("NFS4_TRAFFIC_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let seed = number("NFS4_TRAFFIC_SEED").unwrap_or_else(rand);
    println!("NFS4_TRAFFIC_SEED={seed:#x} NFS4_TRAFFIC_ROUNDS={rounds}");
    let start = Instant::now();
    let ledger = Arc::new(Ledger::new());
    let clock = Arc::new(SystemClock::new());
    let node = node(Limits::default(), Arc::clone(&ledger) as _, clock);
    let mut servers = Vec::new();
    for on in transports {
        servers.push(Running::share(*on, node.clone()).await);
    }
    let observer = Observer::start(node.clone());
    let addresses = servers.iter().map(|server| server.address).collect();
    let lines = Arc::new(Lines::new(addresses, CONNECTIONS).await);

    let clients = mount_all(&lines, seed).await;
    let sessions: Vec<SessionId> = clients.iter().flat_map(|client| client.sessions).collect();
    let workers = work(&lines, &sessions, rounds, seed).await;
    let changes = check_ledger(&ledger, &workers);
    let seen = Seen::sum(workers.iter().map(|worker| worker.lane.seen));
    println!("{seen:?}, {} cuts in {:?}", lines.cuts(), start.elapsed());
    assert!(lines.cuts() >= 10 && seen.lost >= 10 && seen.repeated >= 10);
    assert!(seen.moved >= 10 && seen.compounds >= 1_000);

    lines.leave_forsaken();
    servers[0].has_connections(CONNECTIONS).await;
    let mut lanes: Vec<Lane> = workers.into_iter().map(|worker| worker.lane).collect();
    assert_eq!(names(&mut lanes[0]).await, Vec::<Vec<u8>>::new());
    unmount_all(clients, &mut lanes).await;
    check_counts(&observer.end(), &changes, seen.repeated);
    drop(lanes);
    let faults = Arc::into_inner(lines).unwrap().close();
    assert_eq!(faults, Vec::<String>::new());
    servers[0].has_connections(0).await;
    assert_eq!(ledger.held(), 0, "files are held");
    let tables = node.table_lengths().unwrap();
    // What they remind of has gone, and is looked for when they are due.
    let mut empty = TableLengths::default();
    empty.timers = tables.timers;
    assert_eq!(tables, empty);
    for server in servers {
        assert_eq!(server.ended().await, Ok(()));
    }
}

/// What the server counted is what the clients had done.
fn check_counts(counts: &Counts, changes: &BTreeMap<(Change, Vec<u8>), u64>, repeated: u64) {
    println!("{} looks, {} replays", counts.rounds, counts.replays);
    assert!(counts.replays >= repeated && repeated > 0, "{counts:?}");
    assert_eq!(counts.refused, 0, "none was refused for what another did");
    assert!(counts.rounds > 10, "{counts:?}");
    assert_eq!(counts.most_sessions, SESSIONS * CLIENTS as usize);
    for (change, op) in [
        (Change::Open, Op::Open),
        (Change::Make, Op::Create),
        (Change::Remove, Op::Remove),
        (Change::Rename, Op::Rename),
        (Change::Write, Op::Write),
    ] {
        let executed = changes.keys().filter(|(kind, _)| *kind == change).count();
        assert_eq!(counts.of(op), executed as u64, "{op}");
    }
    assert_eq!(counts.of(Op::Open), counts.of(Op::Close));
}

/// A client with its sessions.
struct Client {
    id: ClientId,
    sessions: [SessionId; SESSIONS],
}

async fn mount_all(lines: &Arc<Lines>, seed: u64) -> Vec<Client> {
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut lane = lane(lines, SessionId::default(), 0, Rng::new(seed ^ number));
        clients.push(mount(&mut lane, &format!("client {number}")).await);
    }
    clients
}

async fn mount(lane: &mut Lane, name: &str) -> Client {
    let exchange = args::ExchangeId {
        clientowner: args::ClientOwner {
            verifier: Verifier::default(),
            ownerid: name.as_bytes(),
        },
        flags: 0,
        state_protect: args::StateProtect::None,
        client_impl_id: None,
    };
    let reply = lane.bare(call().exchange_id(exchange).finish()).await;
    let reply = reply.unwrap();
    let made = ReplyReader::parse(&reply).unwrap().exchange_id().unwrap();
    let mut sessions = [SessionId::default(); SESSIONS];
    for (session, at) in sessions.iter_mut().zip(0..) {
        let channel = args::ChannelAttrs {
            headerpadsize: 0,
            maxrequestsize: 1 << 20,
            maxresponsesize: 1 << 20,
            maxresponsesize_cached: 4_096,
            maxoperations: 8,
            maxrequests: SLOTS,
            rdma_ird: None,
        };
        let create = args::CreateSession {
            clientid: made.clientid,
            sequence: made.sequenceid + at,
            flags: 0,
            fore_chan_attrs: channel,
            back_chan_attrs: channel,
            cb_program: 0,
            sec_parms: List::new(&[]),
        };
        let reply = lane.bare(call().create_session(create).finish()).await;
        let reply = reply.unwrap();
        let made = ReplyReader::parse(&reply).unwrap().create_session();
        let made = made.unwrap();
        assert_eq!(made.fore_chan_attrs.maxrequests, SLOTS);
        *session = made.sessionid;
    }
    // On a slot that is used for nothing else.
    lane.session = sessions[0];
    lane.slot = SLOTS - 1;
    let reclaimed = args::ReclaimComplete { one_fs: false };
    let done = lane.compound(true).reclaim_complete(reclaimed).finish();
    lane.ask(done).await;
    Client {
        id: made.clientid,
        sessions,
    }
}

/// Every slot but the last of each session is used at the same time.
async fn work(lines: &Arc<Lines>, sessions: &[SessionId], rounds: usize, seed: u64) -> Vec<Worker> {
    let mut chance = Rng::new(seed);
    let mut running = JoinSet::new();
    for (at, session) in sessions.iter().enumerate() {
        for slot in 0..SLOTS - 1 {
            let mut lane = lane(lines, *session, slot, Rng::new(chance.next_u64()));
            lane.cut_one_of = CUT_ONE_OF;
            let sessions = sessions.to_vec();
            running.spawn(async move {
                let mut worker = Worker::begin(lane, format!("{at}.{slot}")).await;
                for round in 0..rounds {
                    worker.work(round, &sessions).await;
                }
                let mut worker = worker.end().await;
                worker.lane.cut_one_of = 0;
                worker
            });
        }
    }
    let mut workers = Vec::new();
    while let Some(worker) = running.join_next().await {
        workers.push(worker.unwrap());
    }
    workers
}

/// All that was to be changed was changed, and was changed once.
fn check_ledger(ledger: &Ledger, workers: &[Worker]) -> BTreeMap<(Change, Vec<u8>), u64> {
    let changes = workers.iter().flat_map(|worker| &worker.changes);
    let expected: BTreeMap<_, u64> = changes.map(|change| (change.clone(), 1)).collect();
    let executions = ledger.executions();
    for (change, times) in &executions {
        assert_eq!(expected.get(change), Some(times), "{change:?}");
    }
    assert_eq!(executions.len(), expected.len());
    executions
}

/// What is in the root directory.
async fn names(lane: &mut Lane) -> Vec<Vec<u8>> {
    let readdir = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier::default(),
        dircount: 4_096,
        maxcount: 4_096,
        attr_request: Bitmap::EMPTY,
    };
    let reply = lane.look(|c| {
        c.putrootfh().readdir(readdir);
    });
    let reply = reply.await;
    let mut results = lane.results(&reply);
    results.putrootfh().unwrap();
    let found = results.readdir().unwrap();
    found
        .entries
        .iter()
        .map(|entry| entry.name.to_vec())
        .collect()
}

async fn unmount_all(clients: Vec<Client>, lanes: &mut [Lane]) {
    for client in clients {
        for sessionid in client.sessions {
            let lane = lanes.iter_mut().find(|lane| lane.session == sessionid);
            let lane = lane.unwrap();
            let destroy = args::DestroySession { sessionid };
            let mut call = lane.compound(true).destroy_session(destroy).finish();
            lane.ask_last(&mut call).await;
        }
        let destroy = args::DestroyClientId {
            clientid: client.id,
        };
        let call = call().destroy_clientid(destroy).finish();
        let reply = lanes[0].bare(call).await.unwrap();
        let status = ReplyReader::parse(&reply).unwrap().status();
        assert_eq!(status, Status::OK);
    }
}

fn lane(lines: &Arc<Lines>, session: SessionId, slot: u32, rng: Rng) -> Lane {
    Lane {
        lines: Arc::clone(lines),
        rng,
        session,
        slot,
        sequence: 1,
        cut_one_of: 0,
        seen: Seen::default(),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    Some(parsed.unwrap_or_else(|why| panic!("{variable} is {text}: {why}")))
}

/// A seed of this run's own.
fn rand() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}

const CONNECTIONS: usize = 16;
const CLIENTS: u64 = 3;
const SESSIONS: usize = 2;
const SLOTS: u32 = 5;
/// What each slot does, unless told otherwise.
const ROUNDS: usize = 150;
const CUT_ONE_OF: u64 = 40;
