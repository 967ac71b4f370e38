//! CREATE_SESSION once more under the same `csa_sequence`. [RFC 8881 §18.36.4]

use nfs4_proto::client::{CallCredential, CompoundBuilder};

use super::*;

#[test]
fn a_replay_gets_the_same_answer_and_makes_no_session() {
    let mut sim = Sim::new();
    let client = introduced(&mut sim);
    let args = client.session_args();
    let first = client.bare(&mut sim, |c| c.create_session(args)).all_ok();
    let conn = sim.connect();
    let record = client.record(sim.xid(), b"", |c| c.create_session(args));
    let again = sim.exchange(conn, record);
    assert_eq!(first.body(), again.body());
    assert_eq!(sim.tables().sessions, 1);
}

#[test]
fn a_replay_is_answered_also_within_a_session() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    let args = client.session_args();
    let first = client.create_session(&mut sim).all_ok();
    let within = client.call(&mut sim, |c| c.create_session(args)).all_ok();
    assert_eq!(ok!(first, CreateSession), ok!(within, CreateSession));
    assert_eq!(sim.tables().sessions, 1);
}

#[test]
fn a_replay_is_answered_only_to_the_principal_answered_first() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    let args = client.session_args();
    client.create_session(&mut sim).all_ok();
    let mut other = Client::stranger(&mut sim, "other");
    other.uid = 2000;
    other.mount(&mut sim);
    let refused = (Op::CreateSession, Status::CLID_INUSE);
    let alone = other.bare(&mut sim, |c| c.create_session(args));
    let within = other.call(&mut sim, |c| c.create_session(args));
    let mut nobody = CompoundBuilder::call(sim.xid(), &CallCredential::None, b"", 1);
    let record = nobody.create_session(args).finish();
    let without = sim.exchange(client.conn, record);
    for reply in [alone, within, without] {
        assert_eq!(reply.last(), refused, "{reply:?}");
    }
    client.bare(&mut sim, |c| c.create_session(args)).all_ok();
}

#[test]
fn a_replay_makes_its_connection_one_of_the_session_that_can_be_called_back() {
    for flags in [0, CREATE_SESSION4_FLAG_CONN_BACK_CHAN] {
        let mut sim = Sim::new();
        let mut client = introduced(&mut sim);
        let args = CreateSession {
            flags,
            ..client.session_args()
        };
        let first = client.create_session_with(&mut sim, args).all_ok();
        assert_eq!(ok!(first, CreateSession).flags, flags);
        // The reply is lost, with its connection.
        sim.kill(client.conn);
        sim.settle();
        client.conn = sim.connect();
        client.bare(&mut sim, |c| c.create_session(args)).all_ok();
        let reply = client.call(&mut sim, |c| c).all_ok();
        assert_eq!(ok!(reply, Sequence).status_flags, 0, "{flags}");
    }
}
