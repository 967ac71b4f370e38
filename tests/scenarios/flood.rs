//! What one client takes from others by asking for very much, or very often: nothing.

use nfs4_engine::Config;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Client, Sim};

#[test]
fn those_who_only_say_their_name_keep_nobody_out() {
    let mut sim = Sim::with(Config {
        max_clients: 10,
        ..Sim::config()
    });
    let mut known = Client::mounted(&mut sim, "known");
    let conn = sim.connect();
    let mut strangers = Vec::new();
    for number in 0..100 {
        let mut stranger = Client::on(conn, &format!("stranger {number}"));
        stranger.exchange_id(&mut sim).all_ok();
        strangers.push(stranger);
        assert!(sim.tables().clients <= 10);
    }
    // Neither a new client nor one that has rebooted.
    Client::mounted(&mut sim, "new");
    known.call(&mut sim, |c| c.putrootfh()).all_ok();
    known.reboot();
    known.mount(&mut sim);
    // The last of them are still known, and the first have to say their name again.
    let last = strangers.last_mut().expect("there are a hundred");
    last.create_session(&mut sim).all_ok();
    let reply = strangers[0].create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    strangers[0].mount(&mut sim);
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_reboots_has_the_room_of_its_own_sessions() {
    let mut sim = Sim::with(Config {
        max_sessions: 2,
        ..Sim::config()
    });
    let mut client = Client::mounted(&mut sim, "a");
    client.create_session(&mut sim).all_ok();
    let mut other = Client::stranger(&mut sim, "b");
    other.exchange_id(&mut sim).all_ok();
    assert_eq!(other.create_session(&mut sim).status(), Status::NOSPC);
    client.reboot();
    client.mount(&mut sim);
    assert_eq!(sim.tables().sessions, 1);
    other.create_session(&mut sim).all_ok();
    sim.assert_nothing_is_left();
}
