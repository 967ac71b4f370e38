//! What there is at the moment: connections, clients of exports, limits; and how long operations take.

use nfs4_proto::nfs4::{StableHow, Stateid};
use nfs4_tests::sim::making_args;

use super::*;

#[test]
fn a_connection_is_in_one_state() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (second, third, stranger) = (sim.connect(), sim.connect(), sim.connect());
    bind(&client, &mut sim, second, ChannelDirFromClient::Back);
    bind(&client, &mut sim, third, ChannelDirFromClient::ForeOrBoth);
    let mut expect = |sim: &mut Sim, counts: [u64; 6]| {
        let states = ["stranger", "unbound", "fore", "back", "both", "draining"];
        for (state, count) in states.into_iter().zip(counts) {
            watch.expect(sim, "connections", [(&[state], count)]);
        }
    };
    expect(&mut sim, [1, 0, 1, 1, 1, 0]);
    // A client of minor version 0 has no sessions to bind to.
    let mut old = Client40::by(stranger, "b");
    old.mount(&mut sim);
    old.renew(&mut sim).all_ok();
    expect(&mut sim, [0, 1, 1, 1, 1, 0]);
    bind(&client, &mut sim, third, ChannelDirFromClient::Fore);
    expect(&mut sim, [0, 1, 2, 1, 0, 0]);
    let request = client.request(&mut sim, 1, true, |c| c.putrootfh().lookup(named(b"x")));
    sim.set_pace(Pace::Held);
    request.send(&mut sim, third);
    sim.run();
    sim.admin(Admin::Drain { conn: third });
    expect(&mut sim, [0, 1, 1, 1, 0, 1]);
    sim.admin(Admin::StopDraining { conn: third });
    expect(&mut sim, [0, 1, 2, 1, 0, 0]);
    sim.complete_all();
    sim.set_pace(Pace::Delayed);
    destroy(&mut client, &mut sim);
    expect(&mut sim, [0, 4, 0, 0, 0, 0]);
    sim.kill(second);
    sim.run();
    expect(&mut sim, [0, 3, 0, 0, 0, 0]);
}

#[test]
fn bytes_and_clients_are_counted_by_export() {
    let mut sim = Sim::serving(&["/one", "/two"], |_| {});
    let mut watch = Watch::new();
    let mut writer = Client::mounted(&mut sim, "writer");
    let mut reader = Client::mounted(&mut sim, "reader");
    watch.expect(&mut sim, "export_clients", [(&["/one"], 0), (&["/two"], 0)]);
    let write = args::Write {
        stateid: Stateid::CURRENT,
        offset: 0,
        stable: StableHow::FileSync,
        data: &[7; 1_000],
    };
    let making = making_args(b"opener", b"f");
    let one = named(b"one");
    writer
        .call(&mut sim, |c| {
            c.putrootfh().lookup(one).open(making).write(write)
        })
        .all_ok();
    let read = args::Read {
        stateid: Stateid::READ_BYPASS,
        offset: 0,
        count: 300,
    };
    for _ in 0..2 {
        let reply = reader.call(&mut sim, |c| {
            c.putrootfh().lookup(one).lookup(named(b"f")).read(read)
        });
        reply.all_ok();
    }
    reader
        .call(&mut sim, |c| c.putrootfh().lookup(named(b"two")))
        .all_ok();
    // The directories above the exports are in none.
    writer.call(&mut sim, |c| c.putrootfh()).all_ok();
    watch.expect(
        &mut sim,
        "written_bytes_total",
        [(&["/one"], 1_000), (&["/two"], 0)],
    );
    watch.expect(
        &mut sim,
        "read_bytes_total",
        [(&["/one"], 600), (&["/two"], 0)],
    );
    watch.expect(&mut sim, "export_clients", [(&["/one"], 2), (&["/two"], 1)]);
    // A filehandle of an export that does not exist.
    let object = &[1, 0xff, 0xf0, 1, 2, 3];
    reader.call(&mut sim, |c| c.putfh(args::PutFh { object }));
    sim.admin(Admin::EvictClient {
        client: reader.id.0,
    });
    sim.run();
    watch.expect(&mut sim, "export_clients", [(&["/one"], 1), (&["/two"], 0)]);
}

#[test]
fn an_operation_takes_the_time_from_its_start_to_its_result() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    let client = Client::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let request = client.request(&mut sim, 1, true, |c| {
        c.putrootfh().getfh().lookup(named(b"absent"))
    });
    request.send(&mut sim, client.conn);
    sim.run();
    sim.sleep(3 * SECOND);
    sim.complete_all();
    let family = watch
        .family(&mut sim, "operation_duration_seconds")
        .unwrap();
    let of = |op: &str| {
        let metrics = family.get_metric().iter();
        let mut found = metrics.filter(|metric| metric.get_label()[0].value() == op);
        let histogram = found.next().expect("it was executed").get_histogram();
        let first = histogram.get_bucket()[0].cumulative_count();
        (
            histogram.get_sample_count(),
            histogram.get_sample_sum(),
            first,
        )
    };
    assert_eq!(of("LOOKUP"), (1, 3.0, 0), "it failed after 3 s");
    assert_eq!(of("GETFH"), (1, 0.0, 1));
    assert_eq!(of("PUTROOTFH"), (1, 0.0, 1));
    // That of RECLAIM_COMPLETE, and this one.
    assert_eq!(of("SEQUENCE"), (2, 0.0, 2));
    assert_eq!(of("EXCHANGE_ID"), (1, 0.0, 1));
}

#[test]
fn limits_are_those_of_the_settings() {
    let config = Sim::config().with(|config| {
        config.max_clients = 101;
        config.max_sessions = 102;
        config.max_states = 1_030;
        config.max_delegations = 104;
        config.max_reply_cache = 5 << 20;
    });
    let mut sim = Sim::with(config);
    let mut watch = Watch::new();
    let mut client = Client::mounted(&mut sim, "a");
    client.make_file(&mut sim, b"f", 1);
    watch.expect(
        &mut sim,
        "table_limit",
        [
            (&["clients"], 101),
            (&["sessions"], 102),
            (&["states"], 1_030),
        ],
    );
    watch.expect(&mut sim, "delegations_limit", [(&[], 104)]);
    // And 8 MiB for replies of minor version 0.
    watch.expect(&mut sim, "replay_cache_limit_bytes", [(&[], 13 << 20)]);
    watch.expect(
        &mut sim,
        "table_entries",
        [(&["clients"], 1), (&["sessions"], 1), (&["states"], 1)],
    );
    watch.expect(&mut sim, "lock_waiters", [(&[], 0)]);
    watch.expect(&mut sim, "build_info", [(&[env!("CARGO_PKG_VERSION")], 1)]);
    let started = sim.clock().wall.seconds as u64;
    watch.expect(&mut sim, "start_time_seconds", [(&[], started)]);
}

#[test]
fn many_sessions_have_no_series_of_their_own() {
    let mut sim = Sim::new();
    let options = PrometheusOptions::default().with(|options| options.per_session_limit = 2);
    let mut watch = Watch::with(&options);
    let mut clients: Vec<Client> = ["a", "b"]
        .map(|name| Client::mounted(&mut sim, name))
        .into();
    let series = |watch: &mut Watch, sim: &mut Sim| {
        let family = watch.family(sim, "slots_in_use");
        family.map_or(0, |family| family.get_metric().len())
    };
    assert_eq!(series(&mut watch, &mut sim), 2);
    watch.expect(&mut sim, "sessions_without_series", [(&[], 0)]);
    clients.push(Client::mounted(&mut sim, "c"));
    assert_eq!(series(&mut watch, &mut sim), 0);
    watch.expect(&mut sim, "sessions_without_series", [(&[], 3)]);
    assert!(watch.family(&mut sim, "connections_bound").is_none());
    destroy(&mut clients[0], &mut sim);
    assert_eq!(series(&mut watch, &mut sim), 2);
    watch.expect(&mut sim, "sessions_without_series", [(&[], 0)]);
}
