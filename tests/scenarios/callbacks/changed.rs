//! Settings of callbacks and of the memory for replies change while the server runs.

use nfs4_engine::Change;
use nfs4_engine::snapshot::CallbacksView;

use super::*;

fn configure(sim: &mut Sim, set: impl FnOnce(&mut Change)) {
    sim.admin(Admin::Configure(Box::new(Change::default().with(set))));
}

/// How many callbacks of the session are under way, and how many have failed.
fn view(sim: &Sim, client: &Client) -> (u32, u64) {
    let view = sim.engine().session_view(&client.session);
    let CallbacksView {
        outstanding,
        failed,
        ..
    } = view.expect("it is there").callbacks;
    (outstanding, failed)
}

#[test]
fn a_callback_is_late_and_sent_again_by_the_new_times() {
    let (mut sim, mut client) = tight();
    bind_new(&mut sim, &client);
    configure(&mut sim, |change| {
        change.callback_timeout = Some(2 * SECOND);
        change.callback_pause = Some(SECOND);
    });
    let first = provoke(&mut sim, &mut client);
    assert_eq!(view(&sim, &client), (1, 0));
    sim.take_events();
    // It keeps the time that it was sent with.
    configure(&mut sim, |change| change.callback_timeout = Some(TIMEOUT));
    wait(&mut sim, 2 * SECOND);
    let lost = Event::BackChannelLost {
        session: client.session,
        conn: first.conn,
        why: BackChannelLost::Silent,
    };
    assert!(sim.take_events().contains(&lost));
    assert_eq!(sim.take_callbacks(), []);
    wait(&mut sim, SECOND);
    let again = only(&mut sim);
    assert_eq!(again.body(), first.body());
    assert_eq!(view(&sim, &client), (1, 0));
    answer(&mut sim, &again, again.ok());
    assert_eq!(view(&sim, &client), (0, 0));
}

#[test]
fn a_callback_that_is_never_answered_is_shown_as_failed() {
    let (mut sim, mut client) = tight();
    configure(&mut sim, |change| {
        change.callback_timeout = Some(SECOND);
        change.callback_pause = Some(SECOND);
    });
    for _ in 0..2 {
        bind_new(&mut sim, &client);
    }
    provoke(&mut sim, &mut client);
    assert_eq!(view(&sim, &client), (1, 0));
    // Three times, with pauses of one and two seconds.
    wait(&mut sim, 6 * SECOND);
    assert_eq!(view(&sim, &client), (0, 1));
    assert_eq!(sim.tables().callbacks, 0);
}

#[test]
fn with_less_memory_for_replies_slots_are_taken_back() {
    let mut sim = Sim::new();
    let mut client = Client::mounted_with(&mut sim, "a", |args| {
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
        args.fore_chan_attrs.maxrequests = 64;
        args.fore_chan_attrs.maxresponsesize_cached = LARGE + 1_000;
    });
    client.make_file(&mut sim, b"f", LARGE);
    for slot in 0..32 {
        read(&mut sim, &mut client, slot);
    }
    wait(&mut sim, 2 * PERIOD);
    assert_eq!(sim.take_callbacks(), [], "there is memory enough");
    let kept = sim.tables().cached_bytes;
    assert!(kept > 31 * LARGE as usize);
    configure(&mut sim, |change| {
        change.max_reply_cache = Some(3 * 16 * u64::from(LARGE));
    });
    assert_eq!(sim.tables().cached_bytes, kept, "what is kept stays");
    // From the next request on: one whose reply was to be kept is refused until there is memory again.
    let mut sent = |sim: &mut Sim, keep| {
        let request = client.request(sim, 0, keep, |c| c.putrootfh());
        let reply = request.exchange(sim, client.conn);
        client.advance(0);
        reply
    };
    let reply = sent(&mut sim, true);
    assert_eq!(reply.last(), (Op::PutRootFh, Status::REP_TOO_BIG_TO_CACHE));
    // A client that uses only its first slot has the others taken back, with what they keep.
    for _ in 0..2 {
        sent(&mut sim, false).all_ok();
        wait(&mut sim, PERIOD);
    }
    let left = sim.tables().cached_bytes;
    assert!(left < LARGE as usize, "{left} bytes of {kept}");
    sent(&mut sim, true).all_ok();
}
