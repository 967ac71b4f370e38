//! What the engine tells of, in the order in which it is so.

use nfs4_engine::{
    Admin, Change, ClientGone, DelegationKind, Direction, Event, SessionGone, Unbound,
};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_tests::sim::{Client, Sim};

use super::create;

#[test]
fn a_client_comes_gets_a_delegation_and_is_evicted() {
    let mut sim = Sim::new();
    let mut client = Client::mounted_with(&mut sim, "a", |args| {
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    });
    let (id, conn, session) = (client.id.0, client.conn, client.session);
    client
        .call(&mut sim, |c| create(c, b"owner", b"f"))
        .all_ok();
    sim.admin(Admin::EvictClient { client: id });
    sim.run_timers();
    let expected = [
        Event::ClientConfirmed {
            client: id,
            conn,
            peer: format!("192.0.2.1:{conn}"),
        },
        Event::SessionCreated {
            session,
            client: id,
            conn,
            slots: 8,
        },
        Event::Bound {
            conn,
            session,
            direction: Direction::Both,
        },
        Event::DelegationGranted {
            client: id,
            kind: DelegationKind::Write,
        },
        Event::Unbound {
            conn,
            session,
            reason: Unbound::SessionDestroyed,
        },
        Event::SessionDestroyed {
            session,
            reason: SessionGone::Evicted,
        },
        Event::ClientGone {
            client: id,
            reason: ClientGone::Evicted,
        },
    ];
    assert_eq!(sim.take_events(), expected);
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_that_brings_no_delegation_tells_of_none() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    sim.take_events();
    client
        .call(&mut sim, |c| create(c, b"owner", b"f"))
        .all_ok();
    assert_eq!(sim.take_events(), []);
}

#[test]
fn of_a_change_the_settings_are_named_that_have_another_value() {
    let mut sim = Sim::new();
    let same = sim.settings().lease;
    let change = Change::default().with(|change| {
        change.lease = Some(same);
        change.max_states = Some(77);
        change.delegations = Some(false);
    });
    sim.admin(Admin::Configure(Box::new(change.clone())));
    let settings = ["max_states", "delegations"].map(String::from).to_vec();
    assert_eq!(sim.take_events(), [Event::SettingsChanged { settings }]);
    // The same again changes nothing, and neither does what is refused.
    sim.admin(Admin::Configure(Box::new(change)));
    let wrong = Change::default().with(|change| {
        change.max_states = Some(1);
        change.max_sessions = Some(9);
    });
    sim.refused(Admin::Configure(Box::new(wrong)));
    assert_eq!(sim.take_events(), []);
}
