//! Calls of the server's over a client's own connections. [RFC 8881 §2.10.3.1, §2.10.6, §20.9]
//!
//! What makes the server call in these scenarios is CB_RECALL_SLOT: the memory for replies runs
//! short, and a client that holds much of it is silent.

use std::time::Duration;

use nfs4_engine::snapshot::{BackChannelState, Cursor};
use nfs4_engine::{Admin, BackChannelLost, Config, ConnId, Direction, Event, TimerReason};
use nfs4_proto::nfs4::any::CbArgOp;
use nfs4_proto::nfs4::args::{self, CallbackSecParms, ChannelDirFromClient, CreateHow, OpenHow};
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, SEQ4_STATUS_BACKCHANNEL_FAULT, SEQ4_STATUS_CB_PATH_DOWN,
    SEQ4_STATUS_CB_PATH_DOWN_SESSION,
};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_proto::rpc::{AuthFlavor, AuthStat, AuthSys, Fault};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Callback, Client, Request, Sim, open_args};

const LARGE: u32 = 30_000;
const SECOND: Duration = Duration::from_secs(1);
/// The server looks for slots that must come back so often.
const PERIOD: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
const DOWN: u32 = SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION;

/// A server with little memory for replies, and a client with the file "f" of [`LARGE`] bytes and a
/// session of 64 slots, whose arguments `with` may change.
fn tight_with(with: impl FnOnce(&mut args::CreateSession<'_>)) -> (Sim, Client) {
    let config = Config {
        max_reply_cache: 16 * u64::from(LARGE),
        ..Sim::config()
    };
    let mut sim = Sim::with(config);
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let mut args = client.session_args();
    args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    args.fore_chan_attrs.maxrequests = 64;
    args.fore_chan_attrs.maxresponsesize_cached = LARGE + 1_000;
    with(&mut args);
    client.create_session_with(&mut sim, args).all_ok();
    let done = args::ReclaimComplete { one_fs: false };
    client.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
    let making = args::Open {
        openhow: OpenHow::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
        ..open_args(b"opener", b"f")
    };
    let data = vec![7; LARGE as usize];
    let write = args::Write {
        stateid: Stateid::CURRENT,
        offset: 0,
        stable: StableHow::FileSync,
        data: &data,
    };
    client
        .call(&mut sim, |c| c.putrootfh().open(making).write(write))
        .all_ok();
    (sim, client)
}

fn tight() -> (Sim, Client) {
    tight_with(|_| {})
}

/// A request that reads the whole file, to be kept, on a slot.
fn read(sim: &mut Sim, client: &mut Client, slot: u32) {
    let read = args::Read {
        stateid: Stateid::READ_BYPASS,
        offset: 0,
        count: LARGE,
    };
    let look = args::Lookup { objname: b"f" };
    let request: Request =
        client.request(sim, slot, true, |c| c.putrootfh().lookup(look).read(read));
    request.exchange(sim, client.conn).all_ok();
    client.advance(slot);
}

/// Takes so much memory that slots must come back, and waits for the call.
fn provoke(sim: &mut Sim, client: &mut Client) -> Callback {
    wait(sim, SECOND);
    for slot in 50..59 {
        read(sim, client, slot);
    }
    wait(sim, PERIOD);
    only(sim)
}

/// Uses another large reply's memory, so that yet fewer slots are wanted: another call.
fn provoke_more(sim: &mut Sim, client: &mut Client, slot: u32) -> Callback {
    read(sim, client, slot);
    wait(sim, PERIOD);
    only(sim)
}

/// Time goes on, and what happens at its end has happened.
fn wait(sim: &mut Sim, span: Duration) {
    sim.sleep(span);
    sim.settle();
}

/// The same when the client has yielded the highest slots.
fn provoke_again(sim: &mut Sim, client: &mut Client) -> Callback {
    for slot in 40..46 {
        read(sim, client, slot);
    }
    wait(sim, PERIOD);
    only(sim)
}

/// The one callback that has come.
#[track_caller]
fn only(sim: &mut Sim) -> Callback {
    let mut callbacks = sim.take_callbacks();
    assert_eq!(callbacks.len(), 1, "{callbacks:?}");
    callbacks.remove(0)
}

/// Answers by the connection that the call came by.
fn answer(sim: &mut Sim, callback: &Callback, record: Vec<u8>) {
    sim.send(callback.conn, record);
    sim.settle();
}

/// A new connection, bound to the client's session.
fn bind(sim: &mut Sim, client: &Client, conn: ConnId, dir: ChannelDirFromClient) {
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir,
        use_conn_in_rdma_mode: false,
    };
    let record = client.record(sim.xid(), b"", |c| c.bind_conn_to_session(bind));
    sim.exchange(conn, record).all_ok();
}

fn bind_new(sim: &mut Sim, client: &Client) -> ConnId {
    let conn = sim.connect();
    bind(sim, client, conn, ChannelDirFromClient::BackOrBoth);
    conn
}

/// What SEQUENCE says of the back channels.
fn flags(sim: &mut Sim, client: &mut Client) -> u32 {
    let reply = client.call(sim, |c| c).all_ok();
    ok!(reply, Sequence).status_flags
}

fn state(sim: &Sim) -> BackChannelState {
    let page = sim.engine().sessions(Cursor::default(), 1);
    page.items[0].back_channel
}

#[test]
fn a_silent_client_is_called_for_slots_that_must_come_back() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    assert_eq!(callback.conn, client.conn);
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.vers, rpc.proc), (0x4000_0000, 1, 1));
    assert_eq!(rpc.cred.flavor, AuthFlavor::NONE);
    let header = *callback.reader().header();
    assert_eq!((header.tag, header.minorversion), (&b""[..], 1));
    assert_eq!((header.callback_ident, header.ops), (0, 2));
    let sequence = callback.sequence();
    assert_eq!(sequence.sessionid, client.session);
    assert_eq!((sequence.slotid, sequence.sequenceid), (0, 1));
    assert_eq!((sequence.highest_slotid, sequence.cachethis), (0, false));
    assert!(sequence.referring_call_lists.is_empty());
    let ops = callback.ops();
    let CbArgOp::RecallSlot(recall) = ops[1] else {
        panic!("{ops:?}");
    };
    assert!(recall.target_highest_slotid < 56, "{recall:?}");

    assert_eq!((sim.tables().callbacks, sim.tables().flights), (1, 1));
    answer(&mut sim, &callback, callback.ok());
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    // It is asked once.
    wait(&mut sim, 6 * PERIOD);
    assert_eq!(sim.take_callbacks(), []);
    assert_eq!(flags(&mut sim, &mut client), 0);
    assert_eq!(sim.metrics().callbacks(), 1);
    assert_eq!(sim.metrics().callback_failures(), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn consecutive_callbacks_use_1_2_3_on_a_slot() {
    let (mut sim, mut client) = tight();
    let mut callback = provoke(&mut sim, &mut client);
    for seqid in 1..=3 {
        let sequence = callback.sequence();
        assert_eq!((sequence.slotid, sequence.sequenceid), (0, seqid));
        answer(&mut sim, &callback, callback.ok());
        if seqid < 3 {
            callback = provoke_more(&mut sim, &mut client, 15 + seqid);
        }
    }
}

#[test]
fn a_callback_has_the_minor_version_program_and_credential_of_its_session() {
    let sys = AuthSys {
        stamp: 3,
        machinename: b"host",
        uid: 7,
        gid: 8,
        gids: List::new(&[9]),
    };
    let offered = [
        CallbackSecParms::Gss(args::GssCbHandles {
            service: args::GssSvc::None,
            handle_from_server: b"s",
            handle_from_client: b"c",
        }),
        CallbackSecParms::Sys(sys),
        CallbackSecParms::None,
    ];
    let (mut sim, mut client) = tight_with(|args| {
        args.cb_program = 0x5000_0001;
        // The arguments live for as long as the program.
        args.sec_parms = List::new(Vec::leak(offered.to_vec()));
    });
    let callback = provoke(&mut sim, &mut client);
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.cred.flavor), (0x5000_0001, AuthFlavor::SYS));
    assert_eq!(AuthSys::from_body(rpc.cred.body), Ok(sys));
}

#[test]
fn an_answered_callback_renews_the_lease() {
    let (mut sim, mut client) = tight();
    let lease = sim.settings().lease;
    for slot in 50..59 {
        read(&mut sim, &mut client, slot);
    }
    wait(&mut sim, PERIOD);
    let callback = only(&mut sim);
    wait(&mut sim, TIMEOUT - SECOND);
    answer(&mut sim, &callback, callback.ok());
    wait(&mut sim, lease - SECOND);
    client.call(&mut sim, |c| c).all_ok();
    // Without it the lease runs out.
    wait(&mut sim, lease + SECOND);
    let gone = client.call(&mut sim, |c| c);
    assert!(gone.is_only(Op::Sequence, Status::BADSESSION));
}

#[test]
fn a_reply_that_answers_nothing_is_counted_and_dropped() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    let other = sim.connect();
    sim.send(other, callback.ok());
    sim.settle();
    assert_eq!(sim.metrics().stray_callback_replies, 1);
    assert_eq!(sim.tables().callbacks, 1, "another connection's reply");
    answer(&mut sim, &callback, callback.ok());
    answer(&mut sim, &callback, callback.ok());
    assert_eq!(sim.metrics().stray_callback_replies, 2);
    let next = provoke_more(&mut sim, &mut client, 16);
    assert_eq!(next.sequence().sequenceid, 2);
}

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
    // Nobody knows whether it was executed: its slot is not used again.
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
fn an_operation_that_is_delayed_comes_again_later_under_the_next_seqid() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    answer(&mut sim, &callback, callback.with(Status::DELAY));
    wait(&mut sim, 5 * SECOND);
    let again = only(&mut sim);
    assert_eq!(again.sequence().sequenceid, 2);
    assert_eq!(again.ops()[1], callback.ops()[1]);
    answer(&mut sim, &again, again.ok());
    assert_eq!(sim.tables().callbacks, 0);
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
fn destroying_the_session_ends_its_callbacks_at_once() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    let sessionid = client.session;
    client
        .call(&mut sim, |c| {
            c.destroy_session(args::DestroySession { sessionid })
        })
        .all_ok();
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    assert_eq!(sim.metrics().callback_failures(), 0);
    answer(&mut sim, &callback, callback.ok());
    assert_eq!(sim.metrics().stray_callback_replies, 1);
    sim.assert_nothing_is_left();
}

#[test]
fn the_end_of_a_client_ends_its_callbacks_at_once() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    client.reboot();
    client.mount(&mut sim);
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    answer(&mut sim, &callback, callback.ok());
    assert_eq!(sim.metrics().stray_callback_replies, 1);
}

#[test]
fn the_path_is_said_to_be_down_only_to_who_asked_for_one() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    assert_eq!(flags(&mut sim, &mut client), 0);
    assert_eq!(state(&sim), BackChannelState::None);
    let first = client.session;
    // Another session of the same client that asks.
    let mut other = client.clone();
    other.conn = sim.connect();
    let args = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..other.session_args()
    };
    other.create_session_with(&mut sim, args).all_ok();
    assert_ne!(other.session, first);
    assert_eq!(flags(&mut sim, &mut other), 0);
    sim.kill(other.conn);
    sim.settle();
    // The first has asked for none, but the client cannot be called at all.
    assert_eq!(flags(&mut sim, &mut client), SEQ4_STATUS_CB_PATH_DOWN);
    other.conn = sim.connect();
    assert_eq!(flags(&mut sim, &mut other), DOWN);
    let conn = client.conn;
    bind(&mut sim, &client, conn, ChannelDirFromClient::ForeOrBoth);
    assert_eq!(flags(&mut sim, &mut client), 0);
    assert_eq!(
        flags(&mut sim, &mut other),
        SEQ4_STATUS_CB_PATH_DOWN_SESSION
    );
}

/// BACKCHANNEL_CTL with these credentials.
fn control(
    sim: &mut Sim,
    client: &mut Client,
    cb_program: u32,
    sec_parms: &[CallbackSecParms<'_>],
) -> (Op, Status) {
    let args = args::BackchannelCtl {
        cb_program,
        sec_parms: List::new(sec_parms),
    };
    client.call(sim, |c| c.backchannel_ctl(args)).last()
}

const SYS: CallbackSecParms<'static> = CallbackSecParms::Sys(AuthSys {
    stamp: 0,
    machinename: b"",
    uid: 5,
    gid: 6,
    gids: List::empty(),
});
const LONG: [CallbackSecParms<'static>; 1] = [CallbackSecParms::Sys(AuthSys {
    stamp: 0,
    machinename: &[b'm'; 200],
    uid: 5,
    gid: 6,
    gids: List::empty(),
})];
const GSS: CallbackSecParms<'static> = CallbackSecParms::Gss(args::GssCbHandles {
    service: args::GssSvc::None,
    handle_from_server: b"s",
    handle_from_client: b"c",
});

#[test]
fn backchannel_ctl_counts_from_the_next_callback_on() {
    let (mut sim, mut client) = tight();
    let done = (Op::BackchannelCtl, Status::OK);
    assert_eq!(control(&mut sim, &mut client, 70, &[SYS]), done);
    assert_eq!(
        control(
            &mut sim,
            &mut client,
            71,
            &[CallbackSecParms::None, SYS, GSS]
        ),
        done
    );
    let callback = provoke(&mut sim, &mut client);
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.cred.flavor), (71, AuthFlavor::NONE));
    answer(&mut sim, &callback, callback.ok());
    assert_eq!(control(&mut sim, &mut client, 72, &[GSS, SYS]), done);
    // Without credentials the program alone is another one.
    assert_eq!(control(&mut sim, &mut client, 73, &[]), done);
    let callback = provoke_again(&mut sim, &mut client);
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.cred.flavor), (73, AuthFlavor::SYS));
}

#[test]
fn backchannel_ctl_is_refused_where_it_makes_no_sense() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let inval = (Op::BackchannelCtl, Status::INVAL);
    assert_eq!(control(&mut sim, &mut client, 1, &[SYS]), inval);
    let conn = client.conn;
    bind(&mut sim, &client, conn, ChannelDirFromClient::ForeOrBoth);
    assert_eq!(control(&mut sim, &mut client, 1, &[GSS]), inval);
    assert_eq!(
        control(&mut sim, &mut client, 1, &[SYS]),
        (Op::BackchannelCtl, Status::OK)
    );
    let garbled = client.call(&mut sim, |c| {
        c.raw(
            Op::BackchannelCtl.number(),
            &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9],
        )
    });
    assert_eq!(garbled.last(), (Op::BackchannelCtl, Status::BADXDR));
    let args = args::BackchannelCtl {
        cb_program: 1,
        sec_parms: List::empty(),
    };
    let alone = client.bare(&mut sim, |c| c.backchannel_ctl(args));
    assert!(alone.is_only(Op::BackchannelCtl, Status::OP_NOT_IN_SESSION));
}

#[test]
fn a_back_channel_without_room_for_a_callback_is_refused() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    for (operations, slots) in [(1, 8), (2, 0)] {
        let mut args = client.session_args();
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
        args.back_chan_attrs.maxoperations = operations;
        args.back_chan_attrs.maxrequests = slots;
        let reply = client.create_session_with(&mut sim, args);
        assert!(reply.is_only(Op::CreateSession, Status::TOOSMALL));
    }
    // Who wants no callbacks may offer what he likes.
    let mut args = client.session_args();
    args.back_chan_attrs.maxoperations = 0;
    client.create_session_with(&mut sim, args).all_ok();
}

#[test]
fn a_callback_longer_than_the_client_takes_is_not_sent() {
    let (mut sim, mut client) = tight_with(|args| {
        args.back_chan_attrs.maxrequestsize = 128;
        args.sec_parms = List::new(&LONG);
    });
    for slot in 50..59 {
        read(&mut sim, &mut client, slot);
    }
    wait(&mut sim, PERIOD);
    assert_eq!(sim.take_callbacks(), []);
    assert_eq!(sim.metrics().callback_failures(), 1);
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
}
