//! Each status that an answer to CB_SEQUENCE may have. [RFC 8881 §20.9.3]

use super::*;

#[test]
fn a_false_retry_of_what_was_sent_again_means_executed() {
    let (mut sim, mut client) = tight();
    bind_new(&mut sim, &client);
    provoke(&mut sim, &mut client);
    sim.kill(client.conn);
    sim.settle();
    let again = only(&mut sim);
    answer(&mut sim, &again, again.refused(Status::SEQ_FALSE_RETRY));
    assert_eq!(sim.tables().callbacks, 0);
    client.conn = again.conn;
    let next = provoke_more(&mut sim, &mut client, 16);
    assert_eq!(next.sequence().sequenceid, 2);
}

#[test]
fn a_false_retry_of_what_was_sent_once_comes_again_under_the_next_seqid() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    answer(
        &mut sim,
        &callback,
        callback.refused(Status::SEQ_FALSE_RETRY),
    );
    let again = only(&mut sim);
    assert_eq!(again.sequence().sequenceid, 2);
    assert_eq!(again.ops()[1], callback.ops()[1]);
    answer(&mut sim, &again, again.ok());
    assert_eq!(sim.tables().callbacks, 0);
}

#[test]
fn after_delay_the_same_seqid_comes_again_later_by_any_connection() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    answer(&mut sim, &callback, callback.refused(Status::DELAY));
    wait(&mut sim, 4 * SECOND);
    assert_eq!(sim.take_callbacks(), []);
    wait(&mut sim, SECOND);
    let again = only(&mut sim);
    assert_eq!((again.conn, again.body()), (callback.conn, callback.body()));
    answer(&mut sim, &again, again.refused(Status::DELAY));
    wait(&mut sim, TIMEOUT);
    let last = only(&mut sim);
    assert_eq!(last.body(), callback.body());
    answer(&mut sim, &last, last.refused(Status::DELAY));
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    let next = provoke_more(&mut sim, &mut client, 16);
    assert_eq!(next.sequence().sequenceid, 1);
    assert_eq!(flags(&mut sim, &mut client), 0);
}

#[test]
fn an_operation_that_is_delayed_is_over_and_asked_for_anew() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    answer(&mut sim, &callback, callback.with(Status::DELAY));
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    wait(&mut sim, PERIOD);
    let again = only(&mut sim);
    assert_eq!(again.sequence().sequenceid, 2);
    assert_eq!(again.ops()[1], callback.ops()[1]);
    answer(&mut sim, &again, again.ok());
    assert_eq!(sim.tables().callbacks, 0);
}

#[test]
fn an_operation_that_is_refused_is_not_asked_for_again() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    answer(&mut sim, &callback, callback.with(Status::NOTSUPP));
    wait(&mut sim, 4 * PERIOD);
    assert_eq!(sim.take_callbacks(), []);
    let next = provoke_more(&mut sim, &mut client, 16);
    assert_eq!(next.sequence().sequenceid, 2, "less is asked for anew");
}

#[test]
fn after_misordered_the_slot_begins_again_at_1_once() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    answer(&mut sim, &callback, callback.ok());
    let second = provoke_more(&mut sim, &mut client, 16);
    assert_eq!(second.sequence().sequenceid, 2);
    answer(&mut sim, &second, second.refused(Status::SEQ_MISORDERED));
    let anew = only(&mut sim);
    assert_eq!(anew.sequence().sequenceid, 1);
    assert_eq!(anew.ops()[1], second.ops()[1]);
    answer(&mut sim, &anew, anew.refused(Status::SEQ_MISORDERED));
    assert_eq!(flags(&mut sim, &mut client), SEQ4_STATUS_BACKCHANNEL_FAULT);
    assert_eq!(state(&sim), BackChannelState::Fault);
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
}

#[test]
fn a_client_that_does_not_know_its_session_is_not_called_by_it_again() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    answer(&mut sim, &callback, callback.refused(Status::BADSESSION));
    let session = client.session;
    assert!(
        sim.take_events()
            .contains(&Event::BackChannelFaulty { session })
    );
    assert_eq!(flags(&mut sim, &mut client), SEQ4_STATUS_BACKCHANNEL_FAULT);
    wait(&mut sim, 4 * PERIOD);
    assert_eq!(sim.take_callbacks(), []);
}

#[test]
fn a_slot_that_the_client_does_not_have_is_not_used_again() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    assert_eq!(callback.sequence().slotid, 0);
    answer(&mut sim, &callback, callback.refused(Status::BADSLOT));
    assert_eq!(
        flags(&mut sim, &mut client),
        SEQ4_STATUS_BACKCHANNEL_FAULT,
        "without slot 0 there is none"
    );
}

#[test]
fn a_connection_that_the_client_takes_no_callbacks_by_is_left() {
    let refusals: [fn(&Callback) -> Vec<u8>; 3] = [
        |callback| callback.refused(Status::CONN_NOT_BOUND_TO_SESSION),
        |callback| callback.fault(Fault::ProgUnavail),
        |callback| callback.fault(Fault::AuthError(AuthStat::TooWeak)),
    ];
    for refuse in refusals {
        let (mut sim, mut client) = tight();
        let second = bind_new(&mut sim, &client);
        let callback = provoke(&mut sim, &mut client);
        answer(&mut sim, &callback, refuse(&callback));
        let again = only(&mut sim);
        assert_eq!((again.conn, again.body()), (second, callback.body()));
        answer(&mut sim, &again, refuse(&again));
        assert_eq!(sim.take_callbacks(), []);
        assert_eq!(flags(&mut sim, &mut client), DOWN);
        bind(&mut sim, &client, second, ChannelDirFromClient::BackOrBoth);
        let last = only(&mut sim);
        assert_eq!(last.body(), callback.body());
        answer(&mut sim, &last, last.ok());
        assert_eq!(flags(&mut sim, &mut client), 0);
    }
}

#[test]
fn what_the_client_refuses_leaves_the_slot_as_it_was() {
    for status in [Status::REQ_TOO_BIG, Status::BADXDR, Status::SEQUENCE_POS] {
        let (mut sim, mut client) = tight();
        let callback = provoke(&mut sim, &mut client);
        answer(&mut sim, &callback, callback.refused(status));
        assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
        assert_eq!(sim.metrics().callback_failures(), 1);
        wait(&mut sim, PERIOD);
        let next = only(&mut sim);
        assert_eq!(next.sequence().sequenceid, 1, "{status}");
    }
}

#[test]
fn what_cannot_be_read_says_nothing_of_the_seqid() {
    let (mut sim, mut client) = tight();
    bind_new(&mut sim, &client);
    let callback = provoke(&mut sim, &mut client);
    answer(&mut sim, &callback, callback.answered(b"\0\0\0\0"));
    assert_eq!(sim.tables().callbacks, 1);
    wait(&mut sim, 5 * SECOND);
    let again = only(&mut sim);
    assert_ne!(again.conn, callback.conn);
    assert_eq!(again.body(), callback.body());
    answer(&mut sim, &again, again.ok());
    assert_eq!(sim.tables().callbacks, 0);
}
