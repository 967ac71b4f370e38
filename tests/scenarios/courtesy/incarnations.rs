//! The client that comes back, its next incarnation, and another client of its name. [RFC 8881 §18.35.4]

use super::*;

#[test]
fn the_same_incarnation_keeps_its_record_with_all_that_it_has() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let open = opened(&mut sim, &mut one, (3, 0), b"f");
    expire(&mut sim);
    let (id, session) = (one.id, one.session);
    one.exchange_id(&mut sim).all_ok();
    assert_eq!(one.id, id);
    assert_eq!(sim.tables().courteous_clients, 1, "that renews no lease");
    let bind = args::BindConnToSession {
        sessid: session,
        dir: args::ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    one.conn = sim.connect();
    one.bare(&mut sim, |c| c.bind_conn_to_session(bind))
        .all_ok();
    assert_eq!(sim.tables().courteous_clients, 1);
    one.create_session(&mut sim).all_ok();
    assert_eq!(sim.tables().courteous_clients, 0);
    assert_eq!(tested(&mut sim, &mut one, &[open]), [Status::OK]);
    one.session = session;
    sim.assert_nothing_is_left();
}

#[test]
fn the_next_incarnation_and_another_principal_find_an_expired_client() {
    for reboots in [false, true] {
        let mut sim = Sim::new();
        let mut one = Client::mounted(&mut sim, "one");
        opened(&mut sim, &mut one, (3, 3), b"f");
        let mut other = one.clone();
        if reboots {
            other.reboot();
        } else {
            other.uid += 1;
            let reply = other.exchange_id(&mut sim);
            assert!(reply.is_only(Op::ExchangeId, Status::CLID_INUSE));
        }
        expire(&mut sim);
        other.exchange_id(&mut sim).all_ok();
        assert_eq!((sim.tables().opens, sim.tables().clients), (0, 1));
        let reply = one.call(&mut sim, |c| c);
        assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
        other.create_session(&mut sim).all_ok();
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_client_id_with_state_is_busy_and_a_session_can_end() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    opened(&mut sim, &mut one, (3, 0), b"f");
    expire(&mut sim);
    let id = args::DestroyClientId { clientid: one.id };
    let reply = one.bare(&mut sim, |c| c.destroy_clientid(id));
    assert!(reply.is_only(Op::DestroyClientId, Status::CLIENTID_BUSY));
    let session = args::DestroySession {
        sessionid: one.session,
    };
    one.bare(&mut sim, |c| c.destroy_session(session)).all_ok();
    assert_eq!((sim.tables().sessions, sim.tables().opens), (0, 1));
    one.create_session(&mut sim).all_ok();
    assert_eq!(flags(&mut sim, &mut one), 0);
    sim.assert_nothing_is_left();
}
