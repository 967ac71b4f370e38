//! What is counted of delegations.

use nfs4_engine::metrics::{PrometheusOptions, PrometheusRecorder};
use prometheus::{Registry, TextEncoder};

use super::*;

/// The lines of the series of delegations.
fn lines(sim: &mut Sim, registry: &Registry, recorder: &mut PrometheusRecorder) -> Vec<String> {
    sim.record(recorder);
    let text = TextEncoder::new()
        .encode_to_string(&registry.gather())
        .expect("it is text");
    let series = text
        .lines()
        .filter_map(|line| line.strip_prefix("nfs4_nfs_delegations_"));
    series.map(str::to_owned).collect()
}

#[test]
fn grants_recalls_and_revocations_are_counted_by_kind() {
    let registry = Registry::new();
    let options = PrometheusOptions::default();
    let mut recorder =
        PrometheusRecorder::new(Some(&registry), &options).expect("the names are free");
    let (mut sim, mut one, mut two) = two();
    make(&mut sim, &mut one, b"g");
    make(&mut sim, &mut one, b"h");
    let expect = |sim: &mut Sim, recorder: &mut PrometheusRecorder, counts: [u64; 6]| {
        let [active, read, granted, written, recalled, revoked] = counts;
        let lines = lines(sim, &registry, recorder);
        for (series, count) in [
            ("active{type=\"read\"}", active),
            ("active{type=\"write\"}", read),
            ("granted_total{type=\"read\"}", granted),
            ("granted_total{type=\"write\"}", written),
            (
                "recalled_total{reason=\"conflict\",type=\"write\"}",
                recalled,
            ),
            ("revoked_total{type=\"write\"}", revoked),
        ] {
            let line = format!("{series} {count}");
            assert!(lines.contains(&line), "{line}: {lines:#?}");
        }
    };
    expect(&mut sim, &mut recorder, [0; 6]);
    delegated(&mut sim, &mut one, 1, b"g", READ);
    delegated(&mut sim, &mut one, 1, b"h", READ);
    delegated(&mut sim, &mut one, 3, b"f", WRITE);
    expect(&mut sim, &mut recorder, [2, 1, 2, 1, 0, 0]);
    let args = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 1, b"f");
    let reply = open(&mut sim, &mut two, args);
    assert_last(&reply, Op::Open, Status::DELAY);
    expect(&mut sim, &mut recorder, [2, 1, 2, 1, 1, 0]);
    let lease = sim.settings().lease;
    for _ in 0..4 {
        sim.sleep(lease / 3);
        one.call(&mut sim, |c| c).all_ok();
    }
    expect(&mut sim, &mut recorder, [2, 0, 2, 1, 1, 1]);
    drop(recorder);
    let mut recorder = PrometheusRecorder::new(Some(&registry), &options).expect("they are there");
    expect(&mut sim, &mut recorder, [2, 0, 2, 1, 1, 1]);
}
