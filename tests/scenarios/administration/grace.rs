//! The grace period, which the administrator sees and ends.

use std::time::Duration;

use nfs4_engine::{Admin, Change, Event, GraceEnd};
use nfs4_proto::nfs4::Status;
use nfs4_tests::sim::{Client, Sim};

use super::create;

const GRACE: Duration = Duration::from_secs(60);

fn in_grace() -> (Sim, Client) {
    let mut sim = Sim::with(Sim::config().with(|config| config.grace = GRACE));
    let mut client = Client::mounted(&mut sim, "a");
    let refused = client.call(&mut sim, |c| create(c, b"owner", b"f"));
    assert_eq!(refused.status(), Status::GRACE);
    sim.take_events();
    (sim, client)
}

fn ends(sim: &mut Sim) -> Vec<GraceEnd> {
    let events = sim.take_events().into_iter();
    let ends = events.filter_map(|event| match event {
        Event::GraceEnded { reason } => Some(reason),
        _ => None,
    });
    ends.collect()
}

#[test]
fn the_administrator_ends_the_grace_period_once() {
    let (mut sim, mut client) = in_grace();
    let shown = sim.engine().grace(sim.clock());
    assert!(shown.active && shown.length == GRACE && shown.remaining <= GRACE);
    sim.admin(Admin::EndGrace);
    assert_eq!(ends(&mut sim), [GraceEnd::Administrator]);
    assert!(!sim.engine().grace(sim.clock()).active);
    assert_eq!(sim.engine().grace(sim.clock()).remaining, Duration::ZERO);
    let opened = client.call(&mut sim, |c| create(c, b"owner", b"f"));
    opened.all_ok();
    sim.admin(Admin::EndGrace);
    sim.sleep(GRACE);
    assert_eq!(ends(&mut sim), [], "it is reported once");
}

#[test]
fn a_grace_period_that_is_over_is_reported_without_any_request() {
    let (mut sim, _client) = in_grace();
    sim.sleep(GRACE);
    assert_eq!(ends(&mut sim), [GraceEnd::Over]);
}

#[test]
fn another_length_moves_the_end_and_the_report() {
    let (mut sim, _client) = in_grace();
    let length =
        |grace| Admin::Configure(Box::new(Change::default().with(|c| c.grace = Some(grace))));
    sim.admin(length(GRACE * 2));
    sim.sleep(GRACE);
    assert!(sim.engine().grace(sim.clock()).active);
    assert_eq!(ends(&mut sim), []);
    sim.admin(length(Duration::from_secs(1)));
    sim.sleep(Duration::from_millis(1));
    assert_eq!(ends(&mut sim), [GraceEnd::Over]);
}

#[test]
fn without_a_grace_period_no_end_is_reported() {
    let mut sim = Sim::new();
    sim.sleep(GRACE);
    sim.admin(Admin::EndGrace);
    assert_eq!(ends(&mut sim), []);
}
