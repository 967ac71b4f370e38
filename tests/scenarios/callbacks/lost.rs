//! Callbacks whose connection is lost, or by which no answer comes. [RFC 8881 §2.10.6.2]

use super::*;

#[test]
fn a_callback_whose_connection_closes_goes_by_another_under_the_same_seqid() {
    let (mut sim, mut client) = tight();
    let first = client.conn;
    let second = bind_new(&mut sim, &client);
    let callback = provoke(&mut sim, &mut client);
    assert_eq!(callback.conn, first, "by it a request came last");
    sim.kill(first);
    sim.settle();
    let again = only(&mut sim);
    assert_eq!(again.conn, second);
    assert_eq!(again.body(), callback.body());
    assert_eq!(sim.metrics().callback_retries(), 1);
    answer(&mut sim, &again, again.ok());
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    client.conn = second;
    assert_eq!(flags(&mut sim, &mut client), 0);
    let next = provoke_more(&mut sim, &mut client, 16);
    assert_eq!(next.sequence().sequenceid, 2);
}

#[test]
fn a_callback_without_a_connection_waits_until_one_is_bound() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    sim.kill(client.conn);
    sim.settle();
    assert_eq!(sim.take_callbacks(), []);
    assert_eq!(state(&sim), BackChannelState::Down);
    client.conn = sim.connect();
    assert_eq!(flags(&mut sim, &mut client), DOWN);
    assert_eq!(sim.take_callbacks(), [], "not by one for requests");
    let conn = client.conn;
    bind(&mut sim, &client, conn, ChannelDirFromClient::ForeOrBoth);
    let again = only(&mut sim);
    assert_eq!((again.conn, again.body()), (conn, callback.body()));
    let trace = String::from_utf8_lossy(sim.trace());
    let (_, after) = trace.rsplit_once("reply 2").expect("BIND was answered");
    assert!(
        after.contains("callback 2"),
        "not before it was said that it may"
    );
    assert_eq!(flags(&mut sim, &mut client), 0);
    // It was executed the first time.
    answer(&mut sim, &again, again.with(Status::RETRY_UNCACHED_REP));
    assert_eq!(sim.tables().callbacks, 0);
    let next = provoke_again(&mut sim, &mut client);
    assert_eq!(next.sequence().sequenceid, 2);
}

#[test]
fn a_callback_that_waits_for_a_connection_ends_with_the_lease() {
    let (mut sim, mut client) = tight();
    let lease = sim.settings().lease;
    provoke(&mut sim, &mut client);
    sim.kill(client.conn);
    sim.settle();
    client.conn = sim.connect();
    for _ in 0..4 {
        wait(&mut sim, lease / 3);
        assert_eq!(flags(&mut sim, &mut client), DOWN);
    }
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    assert!(sim.metrics().callback_failures() > 0);
    // It is unknown whether the client executed it: its slot is not used again.
    bind(
        &mut sim,
        &client,
        client.conn,
        ChannelDirFromClient::ForeOrBoth,
    );
    let next = provoke_again(&mut sim, &mut client);
    assert_eq!(next.sequence().slotid, 1);
}

#[test]
fn after_a_timeout_the_same_goes_by_another_connection_three_times() {
    let (mut sim, mut client) = tight();
    let conns = [
        client.conn,
        bind_new(&mut sim, &client),
        bind_new(&mut sim, &client),
    ];
    let first = provoke(&mut sim, &mut client);
    assert_eq!(first.conn, conns[0]);
    assert_eq!(
        sim.engine().next_timeout().map(|(_, why)| why),
        Some(TimerReason::Slots)
    );
    let mut used = vec![first.conn];
    for pause in [5, 10] {
        wait(&mut sim, TIMEOUT);
        let lost = Event::BackChannelLost {
            session: client.session,
            conn: *used.last().unwrap(),
            why: BackChannelLost::Silent,
        };
        assert!(sim.take_events().contains(&lost));
        wait(&mut sim, pause * SECOND - Duration::from_millis(1));
        assert_eq!(sim.take_callbacks(), []);
        wait(&mut sim, Duration::from_millis(1));
        let again = only(&mut sim);
        assert_eq!(again.body(), first.body());
        assert_ne!(again.xid(), first.xid());
        assert!(!used.contains(&again.conn), "never twice by a live one");
        used.push(again.conn);
    }
    wait(&mut sim, TIMEOUT);
    assert_eq!(sim.tables().callbacks, 0);
    assert_eq!(sim.metrics().callbacks(), 3);
    assert_eq!(sim.metrics().callback_retries(), 2);
    assert!(sim.metrics().callback_failures() > 0);
    // All of them serve the fore channel alone now.
    assert!(
        sim.bindings()
            .iter()
            .all(|(_, _, to)| *to == Direction::Fore)
    );
    assert_eq!(flags(&mut sim, &mut client), DOWN);
}

#[test]
fn a_connection_for_callbacks_alone_is_closed_after_a_timeout() {
    let (mut sim, mut client) = tight();
    let back = sim.connect();
    bind(&mut sim, &client, back, ChannelDirFromClient::Back);
    let first = client.conn;
    client.conn = sim.connect();
    client.call(&mut sim, |c| c).all_ok();
    sim.kill(first);
    sim.settle();
    let callback = provoke(&mut sim, &mut client);
    assert_eq!(callback.conn, back);
    wait(&mut sim, TIMEOUT);
    assert!(!sim.network().is_alive(back));
    assert_eq!(flags(&mut sim, &mut client), DOWN);
}

#[test]
fn a_late_reply_settles_the_seqid_and_is_dropped() {
    let (mut sim, mut client) = tight();
    let conns: Vec<_> = (0..2).map(|_| bind_new(&mut sim, &client)).collect();
    let first = provoke(&mut sim, &mut client);
    for pause in [15, 20, 10] {
        wait(&mut sim, pause * SECOND);
    }
    sim.take_callbacks();
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 3));
    bind(
        &mut sim,
        &client,
        conns[0],
        ChannelDirFromClient::BackOrBoth,
    );
    // Its slot is left alone …
    wait(&mut sim, PERIOD);
    let second = only(&mut sim);
    assert_eq!(
        (second.sequence().slotid, second.sequence().sequenceid),
        (1, 1)
    );
    answer(&mut sim, &second, second.ok());
    // … until the reply comes.
    answer(&mut sim, &first, first.ok());
    assert_eq!(sim.metrics().stray_callback_replies, 1);
    assert_eq!(sim.tables().flights, 0);
    let third = provoke_more(&mut sim, &mut client, 16);
    assert_eq!(
        (third.sequence().slotid, third.sequence().sequenceid),
        (0, 2)
    );
}

#[test]
fn a_late_reply_is_good_for_what_is_still_to_be_sent_again() {
    let (mut sim, mut client) = tight();
    bind_new(&mut sim, &client);
    let first = provoke(&mut sim, &mut client);
    wait(&mut sim, TIMEOUT + SECOND);
    answer(&mut sim, &first, first.ok());
    assert_eq!(sim.metrics().stray_callback_replies, 1);
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    wait(&mut sim, TIMEOUT);
    assert_eq!(sim.take_callbacks(), [], "executed once is enough");
    assert_eq!(sim.metrics().callback_failures(), 0);
}

#[test]
fn no_callback_leaves_by_a_draining_connection() {
    let (mut sim, mut client) = tight();
    let second = bind_new(&mut sim, &client);
    // It has a request to finish, so that it is not closed at once.
    sim.set_pace(nfs4_tests::sim::Pace::Held);
    let look = args::Lookup { objname: b"f" };
    let slow = client.request(&mut sim, 1, true, |c| c.putrootfh().lookup(look));
    slow.send(&mut sim, second);
    sim.settle();
    sim.set_pace(nfs4_tests::sim::Pace::Delayed);
    sim.admin(Admin::Drain { conn: second });
    let callback = provoke(&mut sim, &mut client);
    sim.kill(client.conn);
    sim.settle();
    assert_eq!(sim.take_callbacks(), []);
    sim.admin(Admin::StopDraining { conn: second });
    sim.settle();
    let again = only(&mut sim);
    assert_eq!((again.conn, again.body()), (second, callback.body()));
    sim.complete_all();
}

#[test]
fn no_callback_leaves_by_a_connection_whose_client_ended_its_half() {
    let (mut sim, mut client) = tight();
    let second = bind_new(&mut sim, &client);
    let callback = provoke(&mut sim, &mut client);
    let first = client.conn;
    assert_eq!(callback.conn, first, "by it a request came last");
    sim.take_events();
    sim.end_half(first);
    let lost = |conn| Event::BackChannelLost {
        session: client.session,
        conn,
        why: BackChannelLost::HalfClosed,
    };
    assert!(sim.take_events().contains(&lost(first)));
    sim.settle();
    let again = only(&mut sim);
    assert_eq!((again.conn, again.body()), (second, callback.body()));
    // None is left, and the client is told.
    sim.end_half(second);
    sim.end_half(second);
    sim.settle();
    assert_eq!(sim.take_callbacks(), []);
    assert_eq!(state(&sim), BackChannelState::Down);
    client.conn = sim.connect();
    assert_eq!(flags(&mut sim, &mut client), DOWN);
    // What ends at last has nothing to do with callbacks any more.
    sim.kill(first);
    sim.kill(second);
    sim.settle();
    let conn = client.conn;
    bind(&mut sim, &client, conn, ChannelDirFromClient::ForeOrBoth);
    let last = only(&mut sim);
    assert_eq!((last.conn, last.body()), (conn, callback.body()));
    answer(&mut sim, &last, last.ok());
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
}

#[test]
fn a_connection_for_callbacks_alone_is_closed_when_its_client_ends_its_half() {
    let (mut sim, client) = tight();
    let back = sim.connect();
    bind(&mut sim, &client, back, ChannelDirFromClient::Back);
    sim.end_half(back);
    sim.settle();
    assert!(!sim.network().is_alive(back));
    assert_eq!(state(&sim), BackChannelState::Ok, "by the other one");
}

/// Whether the server would call the client for a lock, as it says of an open file.
fn is_called(sim: &mut Sim, client: &mut Client) -> bool {
    let open = open_args(b"opener", b"f");
    let reply = client.call(sim, |c| c.putrootfh().open(open)).all_ok();
    ok!(reply, Open).rflags & OPEN4_RESULT_MAY_NOTIFY_LOCK != 0
}

#[test]
fn nothing_is_promised_between_a_failure_and_what_puts_it_right() {
    let (mut sim, mut client) = tight();
    let second = bind_new(&mut sim, &client);
    assert!(is_called(&mut sim, &mut client));
    let callback = provoke(&mut sim, &mut client);
    assert!(is_called(&mut sim, &mut client), "the answer may come");
    wait(&mut sim, TIMEOUT);
    assert!(!is_called(&mut sim, &mut client));
    // The same is answered by another connection.
    wait(&mut sim, 5 * SECOND);
    let again = only(&mut sim);
    assert_eq!((again.conn, again.body()), (second, callback.body()));
    assert!(!is_called(&mut sim, &mut client));
    answer(&mut sim, &again, again.ok());
    assert!(is_called(&mut sim, &mut client));
}

#[test]
fn a_connection_that_is_bound_again_does_not_get_the_same_callback_again() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    wait(&mut sim, TIMEOUT);
    assert!(!is_called(&mut sim, &mut client));
    let conn = client.conn;
    bind(&mut sim, &client, conn, ChannelDirFromClient::ForeOrBoth);
    assert!(is_called(&mut sim, &mut client));
    wait(&mut sim, 2 * TIMEOUT);
    assert_eq!(sim.take_callbacks(), [], "it lives, and has got it");
    assert_eq!(sim.tables().callbacks, 1);
    answer(&mut sim, &callback, callback.ok());
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
}
