//! Callbacks that are not answered, answered late, or answered with an error. [RFC 8881 §20.9]

use std::time::{Duration, Instant};

use nfs4_driver::engine::proto::client::CbReplyBuilder;
use nfs4_driver::engine::proto::nfs4::Status;
use nfs4_driver::engine::proto::nfs4::consts::{
    SEQ4_STATUS_BACKCHANNEL_FAULT, SEQ4_STATUS_CB_PATH_DOWN, SEQ4_STATUS_CB_PATH_DOWN_SESSION,
};
use nfs4_driver::engine::proto::rpc::Fault;
use nfs4_tests::sim::Callback;

use super::{bind, callback, called, called_again, flags, flags_become, over, patient, quick};
use super::{serve, strays, tables_become};
use crate::caller::Caller;
use crate::server::{Running, Transport};

const DOWN: u32 = SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION;

on_each!(a_connection_lost_in_mid_callback_is_followed_by_the_same_on_the_next);

async fn a_connection_lost_in_mid_callback_is_followed_by_the_same_on_the_next(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, lost) = called(&server).await;
    let second = bind(&server, &client).await;
    drop(std::mem::replace(&mut client.peer, second));
    let again = callback(&mut client.peer).await;
    assert_eq!(again.body(), lost.body(), "the same seqid, and all else");
    assert_eq!(again.sequence().sequenceid, 1);
    assert_ne!(again.xid(), lost.xid());
    client.peer.send(&again.ok()).await;
    over(&server).await;
    assert_eq!(flags(&mut client).await, 0);
    assert_eq!(next_seqid(&server, &mut client).await, 2);
}

on_each!(what_is_not_answered_in_time_waits_for_another_connection);

async fn what_is_not_answered_in_time_waits_for_another_connection(on: Transport) {
    let server = serve(on, quick()).await;
    let (mut client, late) = called(&server).await;
    flags_become(&mut client, DOWN).await;
    tokio::time::sleep(3 * quick().callback_pause).await;
    assert_eq!(flags(&mut client).await, DOWN);
    assert!(!client.peer.was_called(), "never again on that connection");
    let mut second = bind(&server, &client).await;
    let again = callback(&mut second).await;
    assert_eq!(again.body(), late.body());
    second.send(&again.ok()).await;
    over(&server).await;
    assert_eq!(flags(&mut client).await, 0);
}

on_each!(a_late_answer_settles_the_seqid_and_is_counted);

async fn a_late_answer_settles_the_seqid_and_is_counted(on: Transport) {
    let config = quick().with(|config| config.callback_pause = Duration::from_secs(60));
    let server = serve(on, config).await;
    let (mut client, late) = called(&server).await;
    flags_become(&mut client, DOWN).await;
    client.peer.send(&late.ok()).await;
    over(&server).await;
    assert_eq!(strays(&server), 1);
    client.peer = bind(&server, &client).await;
    assert_eq!(next_seqid(&server, &mut client).await, 2);
}

on_each!(an_answer_with_delay_brings_the_same_again);

async fn an_answer_with_delay_brings_the_same_again(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, first) = called(&server).await;
    client.peer.send(&first.refused(Status::DELAY)).await;
    let again = callback(&mut client.peer).await;
    assert_eq!(again.body(), first.body());
    assert_ne!(again.xid(), first.xid());
    client.peer.send(&again.ok()).await;
    over(&server).await;
    assert_eq!(next_seqid(&server, &mut client).await, 2);
}

on_each!(how_long_it_waits_is_a_setting);

async fn how_long_it_waits_is_a_setting(on: Transport) {
    let config = patient().with(|config| config.callback_pause = Duration::from_millis(400));
    let server = serve(on, config).await;
    let (mut client, mut last) = called(&server).await;
    for pause in [400, 800] {
        let start = Instant::now();
        client.peer.send(&last.refused(Status::DELAY)).await;
        last = callback(&mut client.peer).await;
        assert!(start.elapsed() >= Duration::from_millis(pause - 20));
    }
    client.peer.send(&last.refused(Status::DELAY)).await;
    over(&server).await;
    assert_eq!(flags(&mut client).await, 0);
    assert!(!client.peer.was_called(), "three times are enough");
}

on_each!(a_client_that_has_lost_count_is_met_at_1_once);

async fn a_client_that_has_lost_count_is_met_at_1_once(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, first) = called(&server).await;
    client.peer.send(&first.ok()).await;
    over(&server).await;
    let second = called_again(&server, &mut client, b"second").await;
    assert_eq!(second.sequence().sequenceid, 2);
    let misordered = second.refused(Status::SEQ_MISORDERED);
    client.peer.send(&misordered).await;
    let restarted = callback(&mut client.peer).await;
    assert_eq!(restarted.sequence().sequenceid, 1);
    let misordered = restarted.refused(Status::SEQ_MISORDERED);
    client.peer.send(&misordered).await;
    flags_become(&mut client, SEQ4_STATUS_BACKCHANNEL_FAULT).await;
    assert!(!client.peer.was_called());
}

on_each!(what_was_executed_and_not_kept_uses_the_seqid_up);

async fn what_was_executed_and_not_kept_uses_the_seqid_up(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, first) = called(&server).await;
    let unkept = first.with(Status::RETRY_UNCACHED_REP);
    client.peer.send(&unkept).await;
    over(&server).await;
    assert_eq!(next_seqid(&server, &mut client).await, 2);
}

on_each!(a_false_retry_uses_the_seqid_up_and_comes_again);

async fn a_false_retry_uses_the_seqid_up_and_comes_again(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, first) = called(&server).await;
    let other = first.refused(Status::SEQ_FALSE_RETRY);
    client.peer.send(&other).await;
    let again = callback(&mut client.peer).await;
    assert_eq!(
        (again.sequence().slotid, again.sequence().sequenceid),
        (0, 2)
    );
    client.peer.send(&again.ok()).await;
    over(&server).await;
}

on_each!(what_the_operation_itself_answers_uses_the_seqid_up);

async fn what_the_operation_itself_answers_uses_the_seqid_up(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, mut last) = called(&server).await;
    let answers = [Status::BADHANDLE, Status::NOTSUPP, Status::SERVERFAULT];
    for (seqid, status) in (2..).zip(answers) {
        client.peer.send(&last.with(status)).await;
        over(&server).await;
        last = called_again(&server, &mut client, &[seqid as u8]).await;
        let sequence = last.sequence();
        assert_eq!(
            (sequence.slotid, sequence.sequenceid),
            (0, seqid),
            "{status}"
        );
    }
}

on_each!(what_only_another_session_mends_is_a_fault);

async fn what_only_another_session_mends_is_a_fault(on: Transport) {
    for status in [Status::BADSESSION, Status::DEADSESSION, Status::BADSLOT] {
        let server = serve(on, patient()).await;
        let (mut client, first) = called(&server).await;
        client.peer.send(&first.refused(status)).await;
        flags_become(&mut client, SEQ4_STATUS_BACKCHANNEL_FAULT).await;
        assert!(!client.peer.was_called(), "{status}");
        over(&server).await;
    }
}

on_each!(a_connection_that_takes_no_callbacks_is_not_asked_again);

async fn a_connection_that_takes_no_callbacks_is_not_asked_again(on: Transport) {
    let answers: [fn(&Callback) -> Vec<u8>; 3] = [
        |callback| callback.refused(Status::CONN_NOT_BOUND_TO_SESSION),
        |callback| callback.fault(Fault::ProgUnavail),
        // Success, and no results.
        |callback| CbReplyBuilder::reply(callback.xid(), b"").finish(),
    ];
    for answer in answers {
        let server = serve(on, patient()).await;
        let (mut client, first) = called(&server).await;
        client.peer.send(&answer(&first)).await;
        flags_become(&mut client, DOWN).await;
        assert!(!client.peer.was_called());
        let mut second = bind(&server, &client).await;
        let again = callback(&mut second).await;
        assert_eq!(again.body(), first.body());
        second.send(&again.ok()).await;
        over(&server).await;
        assert_eq!(flags(&mut client).await, 0);
    }
}

on_each!(a_stop_waits_for_no_callback);

async fn a_stop_waits_for_no_callback(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, _unanswered) = called(&server).await;
    tables_become(&server, |tables| tables.flights == 1).await;
    let node = server.node.clone();
    let start = Instant::now();
    assert_eq!(server.ended().await, Ok(()));
    assert!(start.elapsed() < Duration::from_secs(2), "no timeout");
    client.peer.is_closed().await;
    assert_eq!(node.table_lengths().unwrap().flights, 0);
}

/// The seqid of the next callback, which must be on slot 0.
async fn next_seqid(server: &Running, client: &mut Caller) -> u32 {
    let next = called_again(server, client, b"next").await;
    let sequence = next.sequence();
    assert_eq!(sequence.slotid, 0);
    sequence.sequenceid
}
