//! Recorders on registries: which series there are, and which recorders share them.

use super::*;

/// The list of all series. A new series needs a test above of what moves it.
#[test]
fn these_are_the_series() {
    let mut sim = Sim::new();
    let mut watch = Watch::new();
    Client::mounted(&mut sim, "a");
    sim.record(&mut watch.recorder);
    let families = watch.registry.gather();
    let names: Vec<&str> = families
        .iter()
        .map(|family| family.name().strip_prefix("nfs4_nfs_").unwrap())
        .collect();
    let expected = [
        "backchannel_callback_duration_seconds",
        "backchannel_callback_failures_total",
        "backchannel_callback_retries_total",
        "backchannel_callbacks_total",
        "build_info",
        "compound_duration_seconds",
        "compound_operations_total",
        "connections",
        "connections_bind_total",
        "connections_bound",
        "connections_limit",
        "connections_unbind_total",
        "delegations_active",
        "delegations_granted_total",
        "delegations_limit",
        "delegations_recalled_total",
        "delegations_revoked_total",
        "engine_lock_hold_seconds",
        "engine_lock_wait_seconds",
        "export_clients",
        "held_bytes",
        "held_limit_bytes",
        "lock_waiters",
        "operation_duration_seconds",
        "read_bytes_total",
        "replay_cache_bytes",
        "replay_cache_limit_bytes",
        "replay_hits_total",
        "sequence_errors_total",
        "sequence_total",
        "sessions_active",
        "sessions_created_total",
        "sessions_destroyed_total",
        "sessions_duration_seconds",
        "sessions_without_series",
        "slots_in_use",
        "start_time_seconds",
        "table_entries",
        "table_limit",
        "timer_lag_seconds",
        "written_bytes_total",
    ];
    assert_eq!(names, expected);
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&families)
        .unwrap();
    assert!(
        text.contains("nfs4_nfs_sessions_created_total 1\n"),
        "{text}"
    );
}

#[test]
fn recorders_on_one_registry_share_their_series_and_registries_do_not() {
    let options = PrometheusOptions::default();
    let mut first = Watch::with(&options);
    let mut second = Watch {
        registry: first.registry.clone(),
        recorder: PrometheusRecorder::new(Some(&first.registry), &options).unwrap(),
    };
    let mut apart = Watch::with(&options);
    let (mut one, mut two) = (Sim::new(), Sim::new());
    Client::mounted(&mut one, "a");
    Client::mounted(&mut two, "a");
    Client::mounted(&mut two, "b");
    first.expect(&mut one, "sessions_active", [(&[], 1)]);
    second.expect(&mut two, "sessions_active", [(&[], 3)]);
    second.expect(&mut two, "sessions_created_total", [(&[], 3)]);
    apart.expect(&mut one, "sessions_created_total", [(&[], 0)]);
    let Watch { registry, recorder } = second;
    drop(recorder);
    // What was counted stays, what is there went with the recorder.
    first.expect(&mut one, "sessions_active", [(&[], 1)]);
    first.expect(&mut one, "sessions_created_total", [(&[], 3)]);
    let mut third = Watch {
        recorder: PrometheusRecorder::new(Some(&registry), &options).unwrap(),
        registry,
    };
    third.expect(&mut two, "sessions_active", [(&[], 3)]);
}

#[test]
fn a_namespace_has_series_of_its_own() {
    let registry = Registry::new();
    let mut sim = Sim::new();
    Client::mounted(&mut sim, "a");
    for namespace in ["nfs4", "dittofs", "nfs4"] {
        let options =
            PrometheusOptions::default().with(|options| options.namespace = namespace.to_owned());
        let mut recorder = PrometheusRecorder::new(Some(&registry), &options).unwrap();
        sim.record(&mut recorder);
    }
    let created = |name: &str| {
        let family = family(&registry, &format!("{name}_nfs_sessions_created_total")).unwrap();
        count(&family, &family.get_metric()[0])
    };
    assert_eq!((created("nfs4"), created("dittofs")), (1, 0));
    let nonsense =
        PrometheusOptions::default().with(|options| options.namespace = "no name".to_owned());
    assert!(PrometheusRecorder::new(Some(&registry), &nonsense).is_err());
}

#[test]
fn without_a_registry_nothing_happens() {
    let mut sim = Sim::new();
    let mut recorder = PrometheusRecorder::new(None, &PrometheusOptions::default()).unwrap();
    assert!(!recorder.wants_sessions());
    let mut client = Client::mounted(&mut sim, "a");
    sim.record(&mut recorder);
    destroy(&mut client, &mut sim);
    sim.record(&mut recorder);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let registry = Registry::new();
    let taken = prometheus::IntCounter::new("nfs4_nfs_sequence_total", "another's").unwrap();
    registry.register(Box::new(taken)).unwrap();
    PrometheusRecorder::new(Some(&registry), &PrometheusOptions::default()).unwrap_err();
}
