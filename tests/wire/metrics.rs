//! What a recorder hears of clients on sockets.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use nfs4_driver::engine::metrics::{PrometheusOptions, PrometheusRecorder};
use nfs4_driver::engine::proto::client::{CbCallReader, CbReplyBuilder};
use nfs4_driver::engine::proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_driver::engine::proto::nfs4::{CbOp, StableHow, Stateid, Status, args};
use nfs4_driver::engine::{Config, Now};
use nfs4_driver::{Limits, ManualClock, Node};
use nfs4_vfs::{MemFs, MemFsConfig};
use prometheus::Registry;
use prometheus::proto::MetricType;

use crate::caller::{CHANNEL, CLOSE, Caller, open};
use crate::files::{Held, root_attrs};
use crate::flight::wait_for;
use crate::peer::Peer;
use crate::server::{Running, Transport, node, node_of};

/// A registry, its recorder, and which of its series were looked at.
pub(crate) struct Watch {
    registry: Registry,
    recorder: PrometheusRecorder,
    looked_at: BTreeSet<String>,
}

impl Watch {
    pub(crate) fn new() -> Watch {
        let registry = Registry::new();
        let recorder = PrometheusRecorder::new(Some(&registry), &PrometheusOptions::default());
        Watch {
            recorder: recorder.unwrap(),
            registry,
            looked_at: BTreeSet::new(),
        }
    }

    /// What a series has after another round: a histogram its count. The values of labels are in
    /// the order of their names.
    fn get(&mut self, node: &Node, name: &str, labels: &[&str]) -> Option<u64> {
        node.record(&mut self.recorder).unwrap();
        let name = format!("nfs4_nfs_{name}");
        let families = self.registry.gather();
        self.looked_at.insert(name.clone());
        let family = families.iter().find(|family| family.name() == name)?;
        let metric = family.get_metric().iter().find(|metric| {
            let values = metric.get_label().iter().map(|label| label.value());
            values.eq(labels.iter().copied())
        })?;
        Some(match family.get_field_type() {
            MetricType::COUNTER => metric.get_counter().get_value() as u64,
            MetricType::GAUGE => metric.get_gauge().get_value() as u64,
            MetricType::HISTOGRAM => metric.get_histogram().get_sample_count(),
            other => panic!("{other:?}"),
        })
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, node: &Node, name: &str, labels: &[&str], count: u64) {
        let found = self.get(node, name, labels);
        assert_eq!(found, Some(count), "{name}{labels:?}");
    }
}

on_each!(every_series_follows_what_happens_on_sockets);

async fn every_series_follows_what_happens_on_sockets(on: Transport) {
    let clock = Arc::new(ManualClock::new(Now::default()));
    let files = Arc::new(Held::default());
    let held = Arc::clone(&files) as _;
    let node = node(Limits::default(), held, Arc::clone(&clock) as _);
    let server = Running::share(on, node.clone()).await;
    let mut watch = Watch::new();
    watch.expect(&node, "sessions_created_total", &[], 0);

    let mut client = Caller::mounted(server.address, b"counted").await;
    let session = hex(&client.session.0);
    watch.expect(&node, "sessions_created_total", &[], 1);
    watch.expect(&node, "sessions_active", &[], 1);
    watch.expect(&node, "table_entries", &["sessions"], 1);
    watch.expect(&node, "connections_bind_total", &["fore"], 1);
    watch.expect(&node, "connections_bound", &[&session], 1);
    let created = ["1", "CREATE_SESSION", "NFS4_OK"];
    watch.expect(&node, "compound_operations_total", &created, 1);
    let cached = node.table_lengths().unwrap().cached_bytes as u64;
    assert!(cached > 0);
    watch.expect(&node, "replay_cache_bytes", &[], cached);

    // EXCHANGE_ID, CREATE_SESSION and RECLAIM_COMPLETE, and one that takes 3 s.
    watch.expect(&node, "compound_duration_seconds", &["1"], 3);
    files.hold(true);
    let look = args::GetAttr {
        attr_request: Default::default(),
    };
    let call = client.request(1, |c| c.putrootfh().getattr(look));
    client.peer.send(&call).await;
    wait_for(&files, 1).await;
    watch.expect(&node, "slots_in_use", &[&session], 1);
    clock.advance(Duration::from_secs(3));
    files.take(0).complete(Ok(root_attrs()));
    client.reply().await.all_ok();
    watch.expect(&node, "slots_in_use", &[&session], 0);
    watch.expect(&node, "compound_duration_seconds", &["1"], 4);

    let before = watch.get(&node, "sequence_total", &[]).unwrap();
    client.send(&call).await.all_ok();
    watch.expect(&node, "replay_hits_total", &[], 1);
    watch.expect(&node, "sequence_errors_total", &["replay_hit"], 1);
    drop(client.request(1, |c| c));
    let early = client.request(1, |c| c);
    let refused = client.send(&early).await;
    assert_eq!(refused.status(), Status::SEQ_MISORDERED);
    watch.expect(&node, "sequence_errors_total", &["seq_misordered"], 1);
    watch.expect(&node, "sequence_total", &[], before + 2);

    let mut second = Peer::connect(server.address).await;
    let back = args::ChannelDirFromClient::Back;
    client.bind(&mut second, back).await.all_ok();
    watch.expect(&node, "connections_bind_total", &["back"], 1);
    watch.expect(&node, "connections_bound", &[&session], 2);
    drop(second);
    server.has_connections(1).await;
    watch.expect(&node, "connections_unbind_total", &["disconnect"], 1);
    watch.expect(&node, "connections_bound", &[&session], 1);

    clock.advance(2 * Config::default().lease + Config::default().courtesy);
    run_timers(&node);
    watch.expect(&node, "sessions_destroyed_total", &["lease_expired"], 1);
    watch.expect(&node, "sessions_duration_seconds", &[], 1);
    watch.expect(&node, "connections_unbind_total", &["reaper"], 1);
    watch.expect(&node, "sessions_active", &[], 0);
    watch.expect(&node, "replay_cache_bytes", &[], 0);
    assert_eq!(watch.get(&node, "slots_in_use", &[&session]), None);

    look_at_levels(&node, &mut watch);
    for family in watch.registry.gather() {
        let name = family.name();
        // See `delegations`, and below.
        if name.starts_with("nfs4_nfs_delegations_") || CALLBACKS.contains(&name) {
            continue;
        }
        assert!(watch.looked_at.contains(name), "{name} is not looked at");
    }
}

/// What there is at the end: one connection, and no client.
fn look_at_levels(node: &Node, watch: &mut Watch) {
    let (config, limits) = (Config::default(), Limits::default());
    let version = env!("CARGO_PKG_VERSION");
    for (name, label, value) in [
        ("build_info", Some(version), 1),
        ("connections", Some("unbound"), 1),
        ("connections", Some("fore"), 0),
        ("connections_limit", None, limits.max_connections.into()),
        ("export_clients", Some("/"), 0),
        ("held_bytes", Some("strangers"), 0),
        ("held_limit_bytes", Some("clients"), limits.max_held),
        ("lock_waiters", None, 0),
        ("read_bytes_total", Some("/"), 0),
        ("written_bytes_total", Some("/"), 0),
        (
            "replay_cache_limit_bytes",
            None,
            config.max_reply_cache + (8 << 20),
        ),
        ("sessions_without_series", None, 0),
        ("start_time_seconds", None, 0),
        ("table_limit", Some("clients"), config.max_clients.into()),
        // No timer has slept.
        ("timer_lag_seconds", None, 0),
        ("operation_duration_seconds", Some("CREATE_SESSION"), 1),
    ] {
        watch.expect(node, name, label.as_slice(), value);
    }
    for name in ["engine_lock_hold_seconds", "engine_lock_wait_seconds"] {
        assert!(watch.get(node, name, &[]).is_some_and(|count| count > 0));
    }
}

on_each!(callbacks_are_counted_as_often_as_they_are_sent);

/// The memory for replies runs short, and a silent client is asked for slots.
async fn callbacks_are_counted_as_often_as_they_are_sent(on: Transport) {
    let clock = Arc::new(ManualClock::new(Now::default()));
    let config = Config::default().with(|config| {
        // One peer has a third of it.
        config.max_reply_cache = 3 * 16 * u64::from(LARGE);
    });
    let root = Arc::new(MemFs::new(
        MemFsConfig::new(1, 16 << 20).with(|files| files.root_mode = 0o777),
    ));
    let node = node_of(config, Limits::default(), root, Arc::clone(&clock) as _);
    let server = Running::share(on, node.clone()).await;
    let mut watch = Watch::new();
    for name in CALLBACKS {
        watch.expect(&node, name.strip_prefix("nfs4_nfs_").unwrap(), &[], 0);
    }
    let mut client = Caller::stranger(server.address).await;
    client.introduce(b"silent").await.all_ok();
    let flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    client.enter(CHANNEL, flags).await.all_ok();
    let mut second = Peer::connect(server.address).await;
    let both = args::ChannelDirFromClient::BackOrBoth;
    client.bind(&mut second, both).await.all_ok();
    fill_the_cache(&mut client, &clock).await;

    clock.advance(Duration::from_secs(5));
    run_timers(&node);
    let call = client.peer.record().await.unwrap();
    watch.expect(&node, "backchannel_callbacks_total", &[], 1);
    drop(client.peer);
    let again = second.record().await.unwrap();
    let xid = CbCallReader::parse(&again).unwrap().rpc().xid;
    assert_ne!(CbCallReader::parse(&call).unwrap().rpc().xid, xid);
    watch.expect(&node, "backchannel_callbacks_total", &[], 2);
    watch.expect(&node, "backchannel_callback_retries_total", &[], 1);
    let before = watch.get(&node, "backchannel_callback_failures_total", &[]);
    let refusal = CbReplyBuilder::reply(xid, b"")
        .raw(CbOp::Sequence.number(), Status::REQ_TOO_BIG, &[])
        .finish();
    second.send(&refusal).await;
    assert!(second.is_served().await, "it has been read");
    let failures = before.unwrap() + 1;
    watch.expect(&node, "backchannel_callback_failures_total", &[], failures);
    watch.expect(&node, "backchannel_callback_duration_seconds", &[], 1);
}

/// Has large replies kept on high slots.
async fn fill_the_cache(client: &mut Caller, clock: &ManualClock) {
    let write = args::Write {
        stateid: Stateid::CURRENT,
        offset: 0,
        stable: StableHow::FileSync,
        data: &[7; LARGE as usize],
    };
    let reply = client.call(|c| c.putrootfh().open(open(b"f")).write(write).close(CLOSE));
    reply.await.all_ok();
    clock.advance(Duration::from_secs(1));
    let look = args::Lookup { objname: b"f" };
    let read = args::Read {
        stateid: Stateid::READ_BYPASS,
        offset: 0,
        count: LARGE,
    };
    for slot in 50..59 {
        let call = client.request(slot, |c| c.putrootfh().lookup(look).read(read));
        client.send(&call).await.all_ok();
    }
}

fn run_timers(node: &Node) {
    while node.timer().run(Waker::noop()).unwrap() == Some(Duration::ZERO) {}
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const CALLBACKS: [&str; 4] = [
    "nfs4_nfs_backchannel_callback_duration_seconds",
    "nfs4_nfs_backchannel_callback_failures_total",
    "nfs4_nfs_backchannel_callback_retries_total",
    "nfs4_nfs_backchannel_callbacks_total",
];
/// A reply of so many bytes holds a good part of the memory for replies.
const LARGE: u32 = 30_000;
