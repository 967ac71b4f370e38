//! What is counted, as the `prometheus` crate shows it.

mod levels;
mod registry;

use std::time::Duration;

use nfs4_engine::metrics::{PrometheusOptions, PrometheusRecorder, Recorder as _};
use nfs4_engine::{Admin, ConnId};
use nfs4_proto::nfs4::args::{self, ChannelAttrs, ChannelDirFromClient};
use nfs4_proto::nfs4::{SessionId, Status};
use nfs4_tests::sim::{Client, Client40, Pace, SESSION_ATTRS, Sim, sequence_args};
use prometheus::Registry;
use prometheus::proto::{Metric, MetricFamily, MetricType};

/// A registry, and a recorder on it.
struct Watch {
    registry: Registry,
    recorder: PrometheusRecorder,
}

impl Watch {
    fn new() -> Watch {
        Watch::with(&PrometheusOptions::default())
    }

    fn with(options: &PrometheusOptions) -> Watch {
        let registry = Registry::new();
        let recorder =
            PrometheusRecorder::new(Some(&registry), options).expect("the names are free");
        Watch { registry, recorder }
    }

    /// The series of this name, after another round.
    fn family(&mut self, sim: &mut Sim, name: &str) -> Option<MetricFamily> {
        sim.record(&mut self.recorder);
        family(&self.registry, &format!("nfs4_nfs_{name}"))
    }

    /// What the series of this name and these values of labels, in the order of their names, holds:
    /// a histogram its count.
    fn get(&mut self, sim: &mut Sim, name: &str, labels: &[&str]) -> Option<u64> {
        let family = self.family(sim, name)?;
        let found = family.get_metric().iter().find(|metric| {
            let values = metric.get_label().iter().map(|label| label.value());
            values.eq(labels.iter().copied())
        });
        found.map(|metric| count(&family, metric))
    }

    #[track_caller]
    fn expect<const N: usize>(&mut self, sim: &mut Sim, name: &str, expected: [(&[&str], u64); N]) {
        for (labels, count) in expected {
            assert_eq!(self.get(sim, name, labels), Some(count), "{name}{labels:?}");
        }
    }
}

fn family(registry: &Registry, name: &str) -> Option<MetricFamily> {
    registry
        .gather()
        .into_iter()
        .find(|found| found.name() == name)
}

fn count(family: &MetricFamily, metric: &Metric) -> u64 {
    match family.get_field_type() {
        MetricType::COUNTER => metric.get_counter().get_value() as u64,
        MetricType::GAUGE => metric.get_gauge().get_value() as u64,
        MetricType::HISTOGRAM => metric.get_histogram().get_sample_count(),
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn destroy(client: &mut Client, sim: &mut Sim) {
    let sessionid = client.session;
    client
        .call(sim, |c| {
            c.destroy_session(args::DestroySession { sessionid })
        })
        .all_ok();
}

fn bind(client: &Client, sim: &mut Sim, conn: ConnId, dir: ChannelDirFromClient) {
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir,
        use_conn_in_rdma_mode: false,
    };
    let xid = sim.xid();
    let record = client.record(xid, b"", |c| c.bind_conn_to_session(bind));
    sim.exchange(conn, record).all_ok();
}

fn named(objname: &[u8]) -> args::Lookup<'_> {
    args::Lookup { objname }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn sessions_are_counted_from_their_making_to_their_end() {
    let mut sim = Sim::without_courtesy();
    let mut watch = Watch::new();
    let lease = sim.settings().lease;
    let mut asking = Client::mounted(&mut sim, "asking");
    sim.sleep(3 * SECOND);
    let mut rebooted = Client::mounted(&mut sim, "rebooted");
    watch.expect(&mut sim, "sessions_created_total", [(&[], 2)]);
    watch.expect(&mut sim, "sessions_active", [(&[], 2)]);
    watch.expect(&mut sim, "sessions_duration_seconds", [(&[], 0)]);

    destroy(&mut asking, &mut sim);
    rebooted.reboot();
    rebooted.mount(&mut sim);
    watch.expect(&mut sim, "sessions_active", [(&[], 1)]);
    sim.sleep(2 * lease + SECOND);
    let ended = Client::mounted(&mut sim, "ended").session;
    sim.admin(Admin::DestroySession { session: ended });
    let evicted = Client::mounted(&mut sim, "evicted").id.0;
    sim.admin(Admin::EvictClient { client: evicted });
    watch.expect(&mut sim, "sessions_created_total", [(&[], 5)]);
    watch.expect(&mut sim, "sessions_active", [(&[], 0)]);
    watch.expect(
        &mut sim,
        "sessions_destroyed_total",
        [
            (&["client_request"], 1),
            (&["replaced"], 1),
            (&["lease_expired"], 1),
            (&["admin_evict"], 2),
        ],
    );
    let family = watch.family(&mut sim, "sessions_duration_seconds").unwrap();
    let lived = family.get_metric()[0].get_histogram();
    assert_eq!(lived.get_sample_count(), 5);
    let buckets = lived.get_bucket();
    assert_eq!(buckets.len(), 20);
    // Three at once, one after 3 s, one when its lease was found to have run out.
    let up_to = |seconds: f64| {
        let bucket = buckets.iter().find(|b| b.upper_bound() == seconds);
        bucket.unwrap().cumulative_count()
    };
    assert_eq!((up_to(1.0), up_to(2.0), up_to(4.0)), (3, 3, 4));
    assert_eq!((up_to(64.0), up_to(128.0)), (4, 5));
    assert!(lived.get_sample_sum() > 93.0, "{}", lived.get_sample_sum());
}

#[test]
fn every_kind_of_sequence_error_is_told_from_the_others() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    let before = 1;
    let conn = client.conn;
    let raw = |sim: &mut Sim, client: &Client, args: args::Sequence| {
        let record = client.record(sim.xid(), b"", |c| c.sequence(args));
        sim.exchange(conn, record).status()
    };
    let own = client.session;
    let bad = sequence_args(SessionId([7; 16]), 0, 1);
    assert_eq!(raw(&mut sim, &client, bad), Status::BADSESSION);
    assert_eq!(
        raw(&mut sim, &client, sequence_args(own, 8, 1)),
        Status::BADSLOT
    );
    let early = sequence_args(own, 1, 5);
    assert_eq!(raw(&mut sim, &client, early), Status::SEQ_MISORDERED);

    let kept = client.request(&mut sim, 2, true, |c| c.putrootfh());
    kept.exchange(&mut sim, conn).all_ok();
    for _ in 0..2 {
        kept.again(&mut sim).exchange(&mut sim, conn).all_ok();
    }
    let other = client.request(&mut sim, 2, true, |c| c.putrootfh().getfh());
    let status = other.exchange(&mut sim, conn).status();
    assert_eq!(status, Status::SEQ_FALSE_RETRY);

    let unkept = client.request(&mut sim, 3, false, |c| c.putrootfh());
    unkept.exchange(&mut sim, conn).all_ok();
    let status = unkept.again(&mut sim).exchange(&mut sim, conn).status();
    assert_eq!(status, Status::RETRY_UNCACHED_REP);

    sim.set_pace(Pace::Held);
    let held = client.request(&mut sim, 4, true, |c| c.putrootfh().lookup(named(b"x")));
    held.send(&mut sim, conn);
    sim.run();
    let status = held.again(&mut sim).exchange(&mut sim, conn).status();
    assert_eq!(status, Status::DELAY);
    sim.complete_all();
    sim.set_pace(Pace::Delayed);

    let mut cut = client.request(&mut sim, 5, true, |c| c).record;
    cut.truncate(cut.len() - 4);
    let mark = (u32::try_from(cut.len()).unwrap() - 4) | 1 << 31;
    cut[..4].copy_from_slice(&mark.to_be_bytes());
    assert_eq!(sim.exchange(conn, cut).status(), Status::BADXDR);

    let reply = client.call(&mut sim, |c| (0..20).fold(c, |c, _| c.putrootfh()));
    assert_eq!(reply.status(), Status::TOO_MANY_OPS);

    // Not the first operation: it was sent all the same.
    let second = sequence_args(own, 6, 1);
    let reply = client.call(&mut sim, |c| c.sequence(second));
    assert_eq!(reply.status(), Status::SEQUENCE_POS);

    watch.expect(&mut sim, "sequence_total", [(&[], before + 15)]);
    watch.expect(&mut sim, "replay_hits_total", [(&[], 2)]);
    watch.expect(
        &mut sim,
        "sequence_errors_total",
        [
            (&["bad_session"], 1),
            (&["bad_slot"], 1),
            (&["seq_misordered"], 1),
            (&["false_retry"], 1),
            (&["slot_busy"], 1),
            (&["replay_hit"], 2),
            (&["retry_uncached"], 1),
            (&["bad_xdr"], 1),
            (&["too_big"], 1),
        ],
    );
}

#[test]
fn slots_and_connections_are_shown_by_session_while_it_lasts() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    let other = Client::mounted(&mut sim, "b");
    let (id, other) = (hex(&client.session.0), hex(&other.session.0));
    sim.set_pace(Pace::Held);
    for slot in [1, 2] {
        let request = client.request(&mut sim, slot, true, |c| c.putrootfh().lookup(named(b"x")));
        request.send(&mut sim, client.conn);
    }
    let second = sim.connect();
    bind(&client, &mut sim, second, ChannelDirFromClient::Fore);
    sim.run();
    watch.expect(&mut sim, "slots_in_use", [(&[&id], 2), (&[&other], 0)]);
    watch.expect(&mut sim, "connections_bound", [(&[&id], 2), (&[&other], 1)]);

    sim.complete_all();
    sim.kill(second);
    sim.run();
    watch.expect(&mut sim, "slots_in_use", [(&[&id], 0)]);
    watch.expect(&mut sim, "connections_bound", [(&[&id], 1)]);

    destroy(&mut client, &mut sim);
    for name in ["slots_in_use", "connections_bound"] {
        assert_eq!(watch.get(&mut sim, name, &[&id]), None, "{name}");
        assert!(watch.get(&mut sim, name, &[&other]).is_some(), "{name}");
    }
}

#[test]
fn series_by_session_can_be_switched_off() {
    let mut sim = Sim::new();
    let options = PrometheusOptions::default().with(|options| options.per_session = false);
    let mut watch = Watch::with(&options);
    Client::mounted(&mut sim, "a");
    assert!(watch.family(&mut sim, "slots_in_use").is_none());
    assert!(watch.family(&mut sim, "connections_bound").is_none());
    watch.expect(&mut sim, "sessions_active", [(&[], 1)]);
}

#[test]
fn the_replay_cache_is_as_large_as_the_table_says() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    client.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
    let cached = sim.tables().cached_bytes as u64;
    assert!(cached > 0);
    watch.expect(&mut sim, "replay_cache_bytes", [(&[], cached)]);
    destroy(&mut client, &mut sim);
    watch.expect(&mut sim, "replay_cache_bytes", [(&[], 0)]);
}

#[test]
fn every_table_has_a_gauge_that_follows_it() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    for sessions in [1, 0] {
        let tables = format!("{:?}", sim.tables());
        let shown = tables.trim_start_matches("TableLengths { ");
        for field in shown.trim_end_matches(" }").split(", ") {
            let (table, entries) = field.split_once(": ").unwrap();
            if table != "cached_bytes" {
                let entries = entries.parse().unwrap();
                watch.expect(&mut sim, "table_entries", [(&[table], entries)]);
            }
        }
        watch.expect(&mut sim, "table_entries", [(&["sessions"], sessions)]);
        if sessions > 0 {
            destroy(&mut client, &mut sim);
        }
    }
}

#[test]
fn bindings_are_counted_by_direction_and_by_the_reason_of_their_end() {
    let mut sim = Sim::with(Sim::config().with(|config| {
        config.max_connections_per_session = 3;
        config.courtesy = Duration::ZERO;
    }));
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = Client::mounted(&mut sim, "b");
    let (back, both) = (sim.connect(), sim.connect());
    bind(&client, &mut sim, back, ChannelDirFromClient::Back);
    bind(&client, &mut sim, both, ChannelDirFromClient::ForeOrBoth);
    watch.expect(
        &mut sim,
        "connections_bind_total",
        [(&["fore"], 2), (&["back"], 1), (&["both"], 1)],
    );
    // To another session, gone, with its session, and with its lease.
    bind(&other, &mut sim, back, ChannelDirFromClient::Fore);
    sim.kill(both);
    sim.run();
    destroy(&mut client, &mut sim);
    other.call(&mut sim, |c| c).all_ok();
    sim.sleep(2 * sim.settings().lease + SECOND);
    watch.expect(
        &mut sim,
        "connections_unbind_total",
        [
            (&["explicit"], 1),
            (&["disconnect"], 1),
            (&["session_destroy"], 1),
            (&["reaper"], 2),
        ],
    );
}

#[test]
fn operations_are_counted_by_minor_version_and_status() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    for minor in [1, 1, 2] {
        client.minor = minor;
        client.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
        client.call(&mut sim, |c| c.putrootfh().lookup(named(b"absent")));
    }
    let old = Client40::mounted(&mut sim, "b");
    old.renew(&mut sim).all_ok();
    old.call(&mut sim, |c| c.putrootfh().lookup(named(b"absent")));
    // Refused before anything is begun.
    client.bare(&mut sim, |c| c.putrootfh());
    // In the order of the labels' names: minor, operation, status.
    watch.expect(
        &mut sim,
        "compound_operations_total",
        [
            (&["1", "GETFH", "NFS4_OK"], 2),
            (&["2", "GETFH", "NFS4_OK"], 1),
            (&["1", "PUTROOTFH", "NFS4_OK"], 4),
            (&["1", "LOOKUP", "NFS4ERR_NOENT"], 2),
            (&["2", "LOOKUP", "NFS4ERR_NOENT"], 1),
            (&["2", "PUTROOTFH", "NFS4ERR_OP_NOT_IN_SESSION"], 1),
            (&["1", "EXCHANGE_ID", "NFS4_OK"], 1),
            (&["0", "SETCLIENTID", "NFS4_OK"], 1),
            (&["0", "RENEW", "NFS4_OK"], 1),
            (&["0", "LOOKUP", "NFS4ERR_NOENT"], 1),
        ],
    );
}

#[test]
fn the_time_of_a_compound_falls_into_its_bucket() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    let at_once = watch.get(&mut sim, "compound_duration_seconds", &["1"]);
    assert_eq!(at_once, Some(3));
    // The confirmation of a client of minor version 0 is one more than its introduction.
    Client40::mounted(&mut sim, "b");
    let of_old = watch.get(&mut sim, "compound_duration_seconds", &["0"]);
    assert_eq!(of_old, Some(2));
    assert_eq!(
        watch.get(&mut sim, "compound_duration_seconds", &["2"]),
        None
    );
    client.minor = 2;
    sim.set_pace(Pace::Held);
    let request = client.request(&mut sim, 1, true, |c| c.putrootfh().lookup(named(b"x")));
    request.send(&mut sim, client.conn);
    sim.run();
    sim.sleep(3 * SECOND);
    sim.complete_all();
    let family = watch.family(&mut sim, "compound_duration_seconds").unwrap();
    let minor_2 = &family.get_metric()[2];
    let took = minor_2.get_histogram();
    assert_eq!((took.get_sample_count(), took.get_sample_sum()), (1, 3.0));
    for bucket in took.get_bucket() {
        let has = bucket.upper_bound() > 3.0;
        assert_eq!(bucket.cumulative_count(), u64::from(has), "{bucket:?}");
    }
}

#[test]
fn measures_that_a_reply_outgrows_are_too_big() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let fore_chan_attrs = ChannelAttrs {
        maxrequestsize: 512,
        ..SESSION_ATTRS
    };
    let args = args::CreateSession {
        fore_chan_attrs,
        ..client.session_args()
    };
    client.create_session_with(&mut sim, args).all_ok();
    let reply = client.call(&mut sim, |c| c.putrootfh().lookup(named(&[b'x'; 600])));
    assert_eq!(reply.status(), Status::REQ_TOO_BIG);
    watch.expect(&mut sim, "sequence_errors_total", [(&["too_big"], 1)]);
}
