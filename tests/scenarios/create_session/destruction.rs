//! DESTROY_SESSION and DESTROY_CLIENTID. [RFC 8881 §18.37, §18.50]

use nfs4_proto::nfs4::basic::SessionId;

use super::*;

#[test]
fn a_session_is_destroyed_once() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    destroy(&mut sim, &client).all_ok();
    assert_eq!(sim.tables().sessions, 0);
    let reply = destroy(&mut sim, &client);
    assert!(reply.is_only(Op::DestroySession, Status::BADSESSION));
    let reply = client.call(&mut sim, |c| c);
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    // The client is still there.
    client.create_session(&mut sim).all_ok();
}

#[test]
fn a_session_destroys_itself_with_the_last_operation_only() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let args = args::DestroySession {
        sessionid: client.session,
    };
    let reply = client.call(&mut sim, |c| c.destroy_session(args).putrootfh());
    assert_eq!(reply.last(), (Op::DestroySession, Status::NOT_ONLY_OP));
    assert_eq!(sim.tables().sessions, 1);
    client.call(&mut sim, |c| c.destroy_session(args)).all_ok();
    assert_eq!(sim.tables().sessions, 0);
    assert_eq!(sim.tables().cached_bytes, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn one_session_destroys_another_anywhere_in_a_compound() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let args = args::DestroySession {
        sessionid: client.session,
    };
    client.create_session(&mut sim).all_ok();
    let reply = client.call(&mut sim, |c| c.putrootfh().destroy_session(args).getfh());
    reply.all_ok();
    assert_eq!(sim.tables().sessions, 1);
}

#[test]
fn a_session_is_destroyed_by_its_own_connections_only() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let mut elsewhere = client.clone();
    elsewhere.conn = sim.connect();
    let reply = destroy(&mut sim, &elsewhere);
    let status = Status::CONN_NOT_BOUND_TO_SESSION;
    assert!(reply.is_only(Op::DestroySession, status));
    // A SEQUENCE associates the connection.
    elsewhere.call(&mut sim, |c| c).all_ok();
    destroy(&mut sim, &elsewhere).all_ok();
}

#[test]
fn a_strange_session_is_a_bad_session() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let known = client.session.0;
    for byte in 0..16 {
        let mut strange = known;
        strange[byte] ^= 1;
        client.session = SessionId(strange);
        let reply = client.call(&mut sim, |c| c);
        assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
        let reply = destroy(&mut sim, &client);
        assert!(reply.is_only(Op::DestroySession, Status::BADSESSION));
    }
}

#[test]
fn a_client_id_is_destroyed_when_it_holds_nothing() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = destroy_client(&mut sim, &client);
    assert!(reply.is_only(Op::DestroyClientId, Status::CLIENTID_BUSY));
    let args = args::DestroyClientId {
        clientid: client.id,
    };
    let reply = client.call(&mut sim, |c| c.destroy_clientid(args));
    assert_eq!(reply.last(), (Op::DestroyClientId, Status::CLIENTID_BUSY));
    destroy(&mut sim, &client).all_ok();
    destroy_client(&mut sim, &client).all_ok();
    assert_eq!(sim.tables().clients, 0);
    let reply = destroy_client(&mut sim, &client);
    assert!(reply.is_only(Op::DestroyClientId, Status::STALE_CLIENTID));
    sim.assert_nothing_is_left();
}

#[test]
fn one_client_can_destroy_what_another_has_by_the_same_connection() {
    let mut sim = Sim::new();
    let one = Client::mounted(&mut sim, "one");
    let mut other = Client::stranger(&mut sim, "other");
    other.conn = one.conn;
    other.mount(&mut sim);
    let session = args::DestroySession {
        sessionid: one.session,
    };
    let id = args::DestroyClientId { clientid: one.id };
    let reply = other.call(&mut sim, |c| c.destroy_clientid(id));
    assert_eq!(reply.last(), (Op::DestroyClientId, Status::CLIENTID_BUSY));
    let both = other.call(&mut sim, |c| {
        c.destroy_session(session).destroy_clientid(id)
    });
    both.all_ok();
    assert_eq!((sim.tables().clients, sim.tables().sessions), (1, 1));
    sim.assert_nothing_is_left();
}

#[test]
fn an_unconfirmed_client_id_is_destroyed_too() {
    let mut sim = Sim::new();
    let client = introduced(&mut sim);
    destroy_client(&mut sim, &client).all_ok();
    assert_eq!(sim.tables().clients, 0);
    sim.assert_nothing_is_left();
}
