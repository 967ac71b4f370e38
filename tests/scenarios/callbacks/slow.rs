//! Callbacks without an answer are reported, after each transmission and at their end.

use nfs4_engine::{SlowCallback, SlowCallbackEnd};

use super::*;

fn slow_server() -> (Sim, Client) {
    tight_in(|config| config.slow_request = SECOND, |_| {})
}

fn reports(sim: &mut Sim) -> Vec<SlowCallback> {
    let events = sim.take_events().into_iter();
    let slow = |event| match event {
        Event::SlowCallback(slow) => Some(slow),
        _ => None,
    };
    events.filter_map(slow).collect()
}

#[test]
fn a_callback_that_is_never_answered_is_reported_with_its_client_and_each_retry() {
    let (mut sim, mut client) = slow_server();
    let callback = provoke(&mut sim, &mut client);
    assert_eq!(reports(&mut sim), []);
    wait(&mut sim, SECOND * 11 / 10);
    let told = reports(&mut sim);
    let [slow] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(slow.client, client.id.0);
    assert_eq!(slow.session, Some(client.session));
    assert_eq!(slow.conn, Some(callback.conn));
    assert_eq!((slow.op, slow.attempts), (CbOp::RecallSlot, 1));
    assert!(slow.took >= SECOND && !slow.peer.is_empty());
    assert_eq!(slow.ended, None);
    wait(&mut sim, SECOND * 5);
    assert_eq!(reports(&mut sim), [], "once for each transmission");

    let second = bind_new(&mut sim, &client);
    wait(&mut sim, TIMEOUT);
    assert_eq!(only(&mut sim).conn, second);
    let told = reports(&mut sim);
    let [again] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((again.conn, again.attempts), (Some(second), 2));
    bind_new(&mut sim, &client);
    wait(&mut sim, 4 * TIMEOUT);
    let told = reports(&mut sim);
    let end = told.last().expect("it has an end");
    assert_eq!(end.ended, Some(SlowCallbackEnd::TimedOut));
    assert_eq!(end.attempts, 3);
}

#[test]
fn the_answer_to_a_reported_callback_is_reported_too() {
    let (mut sim, mut client) = slow_server();
    let callback = provoke(&mut sim, &mut client);
    wait(&mut sim, SECOND * 3);
    assert_eq!(reports(&mut sim).len(), 1);
    answer(&mut sim, &callback, callback.ok());
    let told = reports(&mut sim);
    let [end] = &told[..] else { panic!("{told:?}") };
    assert_eq!(end.ended, Some(SlowCallbackEnd::Answered));
    assert!(end.took >= SECOND * 3);
}

#[test]
fn a_callback_that_is_answered_in_time_is_not_reported() {
    let (mut sim, mut client) = slow_server();
    let callback = provoke(&mut sim, &mut client);
    wait(&mut sim, SECOND / 2);
    answer(&mut sim, &callback, callback.ok());
    wait(&mut sim, SECOND * 3);
    assert_eq!(reports(&mut sim), []);
}
