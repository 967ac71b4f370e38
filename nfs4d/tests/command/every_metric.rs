//! Every series is moved by traffic, read over HTTP, and described in `docs/metrics.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nfs4_engine::proto::client::CbReplyBuilder;
use nfs4_engine::proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_engine::proto::nfs4::{Bitmap, CbOp, ClientId, LockType, Owner, Status, attr::num};
use nfs4_engine::proto::rpc::CallHeader;
use nfs4_tests::live::{Client, Connection};

use crate::daemon::Server;
use crate::exports::Ground;
use crate::metrics::get;

/// The families of a server: how they began, and which have moved since.
struct Watch<'a> {
    server: &'a Server,
    first: BTreeMap<String, f64>,
    families: BTreeMap<String, Family>,
    moved: BTreeSet<String>,
}

/// A family as it is described: its type, and its labels but the bounds of buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
}

impl<'a> Watch<'a> {
    fn new(server: &'a Server) -> Watch<'a> {
        let mut watch = Watch {
            server,
            first: BTreeMap::new(),
            families: BTreeMap::new(),
            moved: BTreeSet::new(),
        };
        watch.first = watch.read();
        watch
    }

    /// Notes which families have changed since the start; all series.
    fn read(&mut self) -> BTreeMap<String, f64> {
        let text = get(self.server.metrics(), "/metrics");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        let mut all = BTreeMap::new();
        let mut name = "";
        for line in text.lines() {
            if let Some(described) = line.strip_prefix("# TYPE ") {
                let (family, kind) = described.split_once(' ').expect("a name and a type");
                name = family;
                let known = self.families.entry(family.to_owned()).or_default();
                known.kind = kind.to_owned();
            } else if line.starts_with(name) && !name.is_empty() {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                let value: f64 = value.parse().expect("a number");
                let family = self.families.get_mut(name).expect("it is described");
                family.labels.extend(labels(series));
                if self.first.get(series).copied().unwrap_or(0.0) != value {
                    self.moved.insert(name.to_owned());
                }
                all.insert(series.to_owned(), value);
            }
        }
        all
    }

    /// Reads until this family has moved, and calls `between` before each other time.
    #[track_caller]
    fn until_moved(&mut self, family: &str, mut between: impl FnMut()) {
        let start = Instant::now();
        loop {
            self.read();
            if self.moved.contains(family) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{family} does not move");
            between();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of a series.
    #[track_caller]
    fn value(&mut self, series: &str) -> f64 {
        let all = self.read();
        *all.get(series).unwrap_or_else(|| panic!("no {series}"))
    }
}

/// The names of the labels of a series.
fn labels(series: &str) -> impl Iterator<Item = String> {
    let inside = series.split_once('{').map_or("", |(_, inside)| inside);
    let names = inside.split("\",").filter_map(|pair| pair.split_once('='));
    let names = names.map(|(name, _)| name.to_owned());
    names.filter(|name| name != "le")
}

#[test]
fn every_series_is_moved_by_traffic_and_described() {
    let (reader, stderr) = std::io::pipe().expect("a pipe");
    // Each line is lost.
    drop(reader);
    let lease = ["--lease-time", "4", "--metrics", "127.0.0.1:0"];
    let busy = Server::start_with(&lease, stderr);
    let mut watch = Watch::new(&busy);
    requests(&busy, &mut watch);
    delegations(&busy, &mut watch);
    locks(&busy, &mut watch);
    connections(&busy, &mut watch);
    for family in [LAG, LOCK_WAIT, LOCK_HOLD] {
        watch.until_moved(family, || {});
    }

    let crowded = Server::start(&["--metrics", "127.0.0.1:0"]);
    let mut crowd = Watch::new(&crowded);
    many_sessions(&crowded, &mut crowd);
    constants(&mut crowd);

    let (_ground, exporting) = directory();
    let mut exported = Watch::new(&exporting);
    exported.first.clear();
    exported.until_moved("nfs4_nfs_local_requests_total", || {
        let mut client = Client::on(Connection::new(exporting.address), Some(1_000));
        client.mount("local", 1);
        client.call(|c| {
            c.putrootfh().getattr(args::GetAttr {
                attr_request: Bitmap::of(&[num::SIZE]),
            })
        });
    });

    let mut families = watch.families;
    families.extend(crowd.families);
    families.extend(exported.families);
    let moved: BTreeSet<String> = watch.moved.union(&crowd.moved).cloned().collect();
    let moved: BTreeSet<String> = moved.union(&exported.moved).cloned().collect();
    for name in families.keys() {
        let is_constant = CONSTANTS.contains(&name.as_str());
        assert!(
            moved.contains(name) || is_constant,
            "no traffic moves {name}"
        );
    }
    assert_eq!(described(), families, "docs/metrics.md and the server");
}

/// A server of a directory.
fn directory() -> (Ground, Server) {
    let ground = Ground::new("metrics");
    let data = ground.directory("data");
    let server = ground.serve(&["--export", &data, "--metrics", "127.0.0.1:0"]);
    (ground, server)
}

/// Requests, a retransmission, one that comes out of order, bytes.
fn requests(server: &Server, watch: &mut Watch<'_>) {
    let mut client = Client::connect(server.address);
    client.mount("requests", 1);
    let open = client.open("bytes");
    client.write(open, 0, &[7; 5_000]);
    client.read(open, 0, 3_000);
    let call = client.compose().putrootfh().finish();
    let first = client.connection.exchange(&call).expect("it answers");
    let again = client.connection.exchange(&call).expect("it answers");
    assert_eq!(first, again);
    let read = "nfs4_nfs_read_bytes_total{export=\"/\"}";
    assert_eq!(watch.value(read), 3_000.0);
    let written = "nfs4_nfs_written_bytes_total{export=\"/\"}";
    assert_eq!(watch.value(written), 5_000.0);
    let clients = "nfs4_nfs_export_clients{export=\"/\"}";
    assert_eq!(watch.value(clients), 1.0);
    assert_eq!(watch.value("nfs4_nfs_replay_hits_total"), 1.0);
    client.remove(open, "bytes");
    client.unmount();
    assert_eq!(watch.value(clients), 0.0);
}

/// Delegations that are asked about, recalled and revoked, over callbacks that are answered, lost and
/// refused.
fn delegations(server: &Server, watch: &mut Watch<'_>) {
    let mut holder = Client::connect(server.address);
    holder.reachable = true;
    holder.mount("holder", 1);
    let opened = holder.try_open("held").expect("an open");
    assert!(opened.delegation.is_some(), "nothing is delegated");
    let mut other = Client::connect(server.address);
    other.mount("other", 1);
    // While a GETATTR waits for the holder's answer, its slot is in use.
    let object = &holder.file.clone()[..];
    let waiting = format!("{SLOTS}{{session_id=\"{}\"}}", hex(&other.session.0));
    let start = Instant::now();
    loop {
        let attr_request = Bitmap::of(&[num::SIZE]);
        let ask = other
            .compose()
            .putfh(args::PutFh { object })
            .getattr(args::GetAttr { attr_request })
            .finish();
        other.connection.send(&ask).expect("it is there");
        let call = holder.connection.record().expect("a callback");
        let in_use = watch.value(&waiting);
        let answer = holder.connection.back.answer(&call);
        holder.connection.send(&answer).expect("it is there");
        other.connection.reply().expect("it answers");
        if in_use > 0.0 {
            break;
        }
        // The machine was too busy to look within 200 ms.
        assert!(start.elapsed() < PATIENCE, "no slot is in use");
    }
    watch.until_moved(CALLBACK_DURATION, || {});

    // The recall goes by one connection, and by another when that is gone.
    let second = Connection::new(server.address);
    let before = std::mem::replace(&mut holder.connection, second);
    let bind = args::BindConnToSession {
        sessid: holder.session,
        dir: ChannelDirFromClient::ForeOrBoth,
        use_conn_in_rdma_mode: false,
    };
    holder.bare(|c| c.bind_conn_to_session(bind));
    assert_eq!(other.try_open("held").err(), Some(Status::DELAY));
    let mut before = before;
    before.record().expect("a recall");
    drop(before);
    let again = holder.connection.record().expect("the same recall");
    watch.until_moved(RETRIES, || {});
    let (header, _) = CallHeader::decode(&again).expect("a call");
    let refusal = CbReplyBuilder::reply(header.xid, b"")
        .raw(CbOp::Sequence.number(), Status::REQ_TOO_BIG, &[])
        .finish();
    holder.connection.send(&refusal).expect("it is there");
    watch.until_moved(FAILURES, || {});
    // It stays alive, and gives nothing back.
    watch.until_moved(REVOKED, || {
        holder.call(|c| c);
        other.call(|c| c);
    });
}

/// A lock that another client waits for.
fn locks(server: &Server, watch: &mut Watch<'_>) {
    let mut owner = Client::connect(server.address);
    owner.mount("owner of a lock", 1);
    let mut waiter = Client::connect(server.address);
    waiter.mount("waiter for a lock", 1);
    for (client, locktype, status) in [
        (&mut owner, LockType::Write, Status::OK),
        (&mut waiter, LockType::WriteWait, Status::DENIED),
    ] {
        let open_stateid = client.open("locked");
        let object = &client.file.clone()[..];
        let lock = args::Lock {
            locktype,
            reclaim: false,
            offset: 0,
            length: 1,
            locker: args::Locker::New(args::OpenToLockOwner {
                open_seqid: 0,
                open_stateid,
                lock_seqid: 0,
                lock_owner: Owner {
                    clientid: ClientId(0),
                    owner: b"locker",
                },
            }),
        };
        let ended = client.in_session(|c| c.putfh(args::PutFh { object }).lock(lock));
        assert_eq!(ended, status);
    }
    watch.until_moved("nfs4_nfs_lock_waiters", || {});
}

/// A stranger that sends a part of a record.
fn connections(server: &Server, watch: &mut Watch<'_>) {
    let mut stranger = Connection::new(server.address);
    let part = [&(0x8000_0000_u32 | 100_000).to_be_bytes()[..], &[0; 50_000]].concat();
    stranger.send(&part).expect("it listens");
    watch.until_moved("nfs4_nfs_held_bytes", || {});
    assert!(watch.value("nfs4_nfs_connections{state=\"stranger\"}") >= 1.0);
}

/// More sessions than have series of their own, and more lines of a kind than the log takes at once.
fn many_sessions(server: &Server, watch: &mut Watch<'_>) {
    let mut connection = Connection::new(server.address);
    for number in 0..1_000 {
        connection = another(connection, number);
    }
    let of_sessions = |all: &BTreeMap<String, f64>| {
        let series = all.keys().filter(|series| series.starts_with(SLOTS));
        series.count()
    };
    let all = watch.read();
    assert_eq!(of_sessions(&all), 1_000);
    assert_eq!(all["nfs4_nfs_sessions_without_series"], 0.0);
    drop(another(connection, 1_000));
    let all = watch.read();
    assert_eq!(of_sessions(&all), 0);
    assert_eq!(all["nfs4_nfs_sessions_without_series"], 1_001.0);
    assert_eq!(all["nfs4_nfs_sessions_active"], 1_001.0);
    watch.until_moved("nfs4_nfs_log_lines_left_out_total", || {});
}

/// One more client on a connection, which it returns.
fn another(connection: Connection, number: u32) -> Connection {
    let mut client = Client::on(connection, None);
    client.mount(&format!("client {number}"), 1);
    client.connection
}

/// What no traffic moves has the value of the settings.
fn constants(watch: &mut Watch<'_>) {
    let config = nfs4_engine::Config::default();
    let limits = nfs4_driver::Limits::default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("it is after 1970").as_secs_f64();
    let build = format!(
        "nfs4_nfs_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(watch.value(&build), 1.0);
    let age = now - watch.value("nfs4_nfs_start_time_seconds");
    assert!((0.0..600.0).contains(&age), "started {age} s ago");
    for (series, value) in [
        ("table_limit{table=\"clients\"}", config.max_clients.into()),
        (
            "table_limit{table=\"sessions\"}",
            config.max_sessions.into(),
        ),
        ("table_limit{table=\"states\"}", config.max_states.into()),
        ("delegations_limit", config.max_delegations.into()),
        (
            "replay_cache_limit_bytes",
            config.max_reply_cache + (8 << 20),
        ),
        ("connections_limit", limits.max_connections.into()),
        ("held_limit_bytes{peers=\"clients\"}", limits.max_held),
        (
            "held_limit_bytes{peers=\"strangers\"}",
            limits.max_held_by_strangers,
        ),
    ] {
        assert_eq!(
            watch.value(&format!("nfs4_nfs_{series}")),
            value as f64,
            "{series}"
        );
    }
}

/// The families that `docs/metrics.md` describes.
fn described() -> BTreeMap<String, Family> {
    let rows = DOCS.lines().filter(|line| line.starts_with("| `nfs4_nfs_"));
    let names = |cell: &str| -> Vec<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, series, kind, labels, ..] = cells[..] else {
            panic!("a row of too few cells: {row}");
        };
        let family = Family {
            kind: kind.to_owned(),
            labels: names(labels).into_iter().collect(),
        };
        (names(series).remove(0), family)
    })
    .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const DOCS: &str = include_str!("../../../docs/metrics.md");
const PATIENCE: Duration = Duration::from_secs(60);
const SLOTS: &str = "nfs4_nfs_slots_in_use";
const CALLBACK_DURATION: &str = "nfs4_nfs_backchannel_callback_duration_seconds";
const RETRIES: &str = "nfs4_nfs_backchannel_callback_retries_total";
const FAILURES: &str = "nfs4_nfs_backchannel_callback_failures_total";
const REVOKED: &str = "nfs4_nfs_delegations_revoked_total";
const LAG: &str = "nfs4_nfs_timer_lag_seconds";
const LOCK_WAIT: &str = "nfs4_nfs_engine_lock_wait_seconds";
const LOCK_HOLD: &str = "nfs4_nfs_engine_lock_hold_seconds";
/// Their values are looked at in [`constants`].
const CONSTANTS: [&str; 7] = [
    "nfs4_nfs_build_info",
    "nfs4_nfs_connections_limit",
    "nfs4_nfs_delegations_limit",
    "nfs4_nfs_held_limit_bytes",
    "nfs4_nfs_replay_cache_limit_bytes",
    "nfs4_nfs_start_time_seconds",
    "nfs4_nfs_table_limit",
];
