//! The end of sessions with callbacks, and what SEQUENCE says of their paths. [RFC 8881 §18.46.3]

use super::*;

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
fn the_path_is_reported_down_only_to_a_client_that_asked_for_one() {
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
