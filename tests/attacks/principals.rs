//! What belongs to another principal.

use std::time::Instant;

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::{ClientId, SessionId, Status};
use nfs4_tests::live::{Client, Connection, Scene, Transport};

use crate::peer;

on_each!(ids_that_are_counted_or_known_give_no_hold_on_a_session);

/// The attacker counts client ids up and down from one of its own, and knows those of its victim.
fn ids_that_are_counted_or_known_give_no_hold_on_a_session(on: Transport) {
    let name = "sessions of another principal";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let mut victim = Client::on(Connection::from(peer(9), scene.address()), Some(9));
    victim.mount("victim", 1);
    let open = victim.open("open");
    let (id, session) = (victim.id, victim.session);
    let told = scene.attack(|scene, until| {
        let mut thief = Client::on(Connection::from(peer(2), scene.address()), Some(2));
        thief.introduce("thief", 1);
        let own = thief.id;
        let mut tried = 0;
        while tried < 256 || Instant::now() < until {
            for guess in [tried + 1, u64::MAX - tried] {
                let clientid = ClientId(own.0.wrapping_add(guess));
                assert_ne!(clientid, id, "ids can be counted");
                let status = end(&mut thief, clientid);
                assert_eq!(status, Status::STALE_CLIENTID);
            }
            tried += 1;
            if tried % 64 == 1 {
                assert_eq!(end(&mut thief, id), Status::STALE_CLIENTID);
                // Neither the first again, whose reply tells the session, nor the next.
                for sequence in 1..=2 {
                    assert_eq!(thief.enter_as(id, sequence), Status::CLID_INUSE);
                }
                assert_eq!(bind(&mut thief, session), Status::BADSESSION);
                assert_eq!(destroy(&mut thief, session), Status::BADSESSION);
            }
        }
        // It belongs to no other session.
        assert_eq!(end(&mut thief, own), Status::OK);
        format!("STALE_CLIENTID {} times, CLID_INUSE, BADSESSION", 2 * tried)
    });
    victim.remove(open, "open");
    victim.unmount();
    drop(victim);
    scene.end("principal, keyed ids", told);
}

fn end(client: &mut Client, clientid: ClientId) -> Status {
    client.status(|c| c.destroy_clientid(args::DestroyClientId { clientid }))
}

fn destroy(client: &mut Client, sessionid: SessionId) -> Status {
    client.status(|c| c.destroy_session(args::DestroySession { sessionid }))
}

fn bind(client: &mut Client, sessid: SessionId) -> Status {
    client.status(|c| {
        c.bind_conn_to_session(args::BindConnToSession {
            sessid,
            dir: ChannelDirFromClient::Fore,
            use_conn_in_rdma_mode: false,
        })
    })
}
