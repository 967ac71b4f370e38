//! Which operation may stand where. [RFC 8881 §2.10.2, §16.2]

use nfs4_proto::nfs4::{Op, OpNum, Status, args};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim};

#[test]
fn an_empty_compound_is_ok_and_does_nothing() {
    let mut sim = Sim::new();
    let client = Client::stranger(&mut sim, "a");
    let reply = client.bare(&mut sim, |c| c);
    assert_eq!(reply.status(), Status::OK);
    assert_eq!(reply.statuses(), []);
}

#[test]
fn the_tag_is_echoed_as_it_came() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for tag in [&b""[..], b"x", "größe\0".as_bytes(), &[b'a'; 1024]] {
        let sequence = client.sequence(0, true);
        let record = client.record(sim.xid(), tag, |c| c.sequence(sequence).putrootfh());
        let reply = sim.exchange(client.conn, record).all_ok();
        client.advance(0);
        assert_eq!(reply.reader().tag(), tag);
    }
}

#[test]
fn a_tag_that_is_not_utf8_is_invalid_and_comes_back() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let sequence = client.sequence(0, true);
    let record = client.record(sim.xid(), b"\xff", |c| c.sequence(sequence));
    let reply = sim.exchange(client.conn, record);
    assert_eq!(reply.status(), Status::INVAL);
    assert_eq!(reply.statuses(), []);
    assert_eq!(reply.reader().tag(), b"\xff");
}

/// Whether each minor version is served, and with which others.
fn served(min_minor_version: u32, max_minor_version: u32) -> Vec<u32> {
    let config = Sim::config().with(|config| {
        config.min_minor_version = min_minor_version;
        config.max_minor_version = max_minor_version;
    });
    let mut sim = Sim::with(config);
    let mut client = Client::stranger(&mut sim, "a");
    let mut served = Vec::new();
    for minor in [1, 2, 3, u32::MAX] {
        client.minor = minor;
        let reply = client.exchange_id(&mut sim);
        if reply.status() == Status::OK {
            served.push(minor);
        } else {
            assert_eq!(reply.status(), Status::MINOR_VERS_MISMATCH, "{minor}");
            assert_eq!(reply.statuses(), [], "no results");
        }
    }
    assert_eq!(sim.tables().clients, usize::from(!served.is_empty()));
    served
}

#[test]
fn every_range_of_minor_versions_is_served_and_no_more() {
    assert_eq!(served(1, 1), [1]);
    assert_eq!(served(1, 2), [1, 2]);
    assert_eq!(served(2, 2), [2]);
}

#[test]
fn a_wrong_minor_version_is_said_before_a_bad_tag_and_of_an_empty_compound() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.minor = 3;
    let record = client.record(sim.xid(), b"\xff", |c| c);
    let reply = sim.exchange(client.conn, record);
    assert_eq!(reply.status(), Status::MINOR_VERS_MISMATCH);
}

#[test]
fn an_unknown_operation_is_illegal_ahead_of_every_session_error() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    for number in [0, 1, 2, 77, 10_044, u32::MAX] {
        let reply = client.bare(&mut sim, |c| c.raw(OpNum(number), &[]).putrootfh());
        assert!(reply.is_only(Op::Illegal, Status::OP_ILLEGAL), "{number}");
    }
    // Those of minor version 2 do not exist in minor version 1.
    let seek = Op::Seek.number();
    let reply = client.bare(&mut sim, |c| c.raw(seek, &[]));
    assert!(reply.is_only(Op::Illegal, Status::OP_ILLEGAL));
    client.minor = 2;
    let reply = client.bare(&mut sim, |c| c.raw(seek, &[]));
    assert_eq!(reply.statuses().len(), 1);
    assert_ne!(reply.status(), Status::OP_ILLEGAL);
}

#[test]
fn an_unknown_operation_after_others_ends_the_compound_there() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = client.call(&mut sim, |c| {
        c.putrootfh().raw(OpNum(77), &[]).raw(OpNum(78), &[])
    });
    let expected = [
        (Op::Sequence, Status::OK),
        (Op::PutRootFh, Status::OK),
        (Op::Illegal, Status::OP_ILLEGAL),
    ];
    assert_eq!(reply.statuses(), expected);
}

#[test]
fn an_operation_of_minor_version_0_is_not_supported() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let renew = Op::Renew.number();
    let reply = client.call(&mut sim, |c| c.raw(renew, &[0; 8]));
    assert_eq!(reply.last(), (Op::Renew, Status::NOTSUPP));
    let reply = client.bare(&mut sim, |c| c.raw(renew, &[0; 8]));
    assert!(reply.is_only(Op::Renew, Status::NOTSUPP));
}

#[test]
fn what_needs_a_session_does_not_run_without() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let reply = client.bare(&mut sim, |c| c.putrootfh().getfh());
    assert!(reply.is_only(Op::PutRootFh, Status::OP_NOT_IN_SESSION));
}

#[test]
fn what_needs_no_session_stands_alone_without_one() {
    let mut sim = Sim::new();
    let client = Client::stranger(&mut sim, "a");
    let introduction = client.introduction();
    let reply = client.bare(&mut sim, |c| c.exchange_id(introduction).putrootfh());
    assert!(reply.is_only(Op::ExchangeId, Status::NOT_ONLY_OP));
    let reply = client.bare(&mut sim, |c| {
        c.exchange_id(introduction).exchange_id(introduction)
    });
    assert!(reply.is_only(Op::ExchangeId, Status::NOT_ONLY_OP));
    assert_eq!(sim.tables().clients, 0, "nothing was executed");
}

#[test]
fn sequence_stands_first_only() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let again = client.sequence(1, true);
    let reply = client.call(&mut sim, |c| c.putrootfh().sequence(again));
    assert_eq!(reply.last(), (Op::Sequence, Status::SEQUENCE_POS));
    // It was not taken for a request on slot 1.
    let request = client.request(&mut sim, 1, true, |c| c);
    request.exchange(&mut sim, client.conn).all_ok();
}

#[test]
fn bind_conn_to_session_is_the_only_operation() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: args::ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    let reply = client.call(&mut sim, |c| c.bind_conn_to_session(bind));
    assert_eq!(reply.last(), (Op::BindConnToSession, Status::NOT_ONLY_OP));
}

#[test]
fn a_malformed_operation_fails_after_those_before_it_were_executed() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let lookup = Op::Lookup.number();
    // The length of the name says more than there is.
    let reply = client.call(&mut sim, |c| {
        c.putrootfh().getfh().raw(lookup, &[0, 0, 0, 9, b'x'])
    });
    let expected = [
        (Op::Sequence, Status::OK),
        (Op::PutRootFh, Status::OK),
        (Op::GetFh, Status::OK),
        (Op::Lookup, Status::BADXDR),
    ];
    assert_eq!(reply.statuses(), expected);
    assert_eq!(sim.fs().requests("Lookup"), 0);
}

#[test]
fn a_compound_that_ends_early_fails_where_it_ends() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = client.call(&mut sim, |c| {
        let count = c.putrootfh().count();
        c.set_count(count + 1)
    });
    assert_eq!(reply.status(), Status::BADXDR);
    assert_eq!(reply.statuses().len(), 3);
    assert_eq!(reply.statuses()[1], (Op::PutRootFh, Status::OK));
}

#[test]
fn a_malformed_first_operation_is_bad_xdr() {
    let mut sim = Sim::new();
    let client = Client::stranger(&mut sim, "a");
    for op in [Op::Sequence, Op::ExchangeId, Op::CreateSession] {
        let reply = client.bare(&mut sim, |c| c.raw(op.number(), &[1, 2, 3]));
        assert!(reply.is_only(op, Status::BADXDR), "{op}");
    }
}

#[test]
fn what_needs_a_filehandle_says_so() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = client.call(&mut sim, |c| c.getfh());
    assert_eq!(reply.last(), (Op::GetFh, Status::NOFILEHANDLE));
    let reply = client.call(&mut sim, |c| c.restorefh());
    assert_eq!(reply.last(), (Op::RestoreFh, Status::NOFILEHANDLE));
}

#[test]
fn a_strange_filehandle_is_bad() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for object in [&b""[..], b"\xff\0\0abc", &[1; 128]] {
        let reply = client.call(&mut sim, |c| c.putfh(args::PutFh { object }).getfh());
        assert_eq!(reply.last(), (Op::PutFh, Status::BADHANDLE));
    }
}

#[test]
fn clients_of_minor_versions_1_and_2_share_a_connection() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::stranger(&mut sim, "two");
    two.minor = 2;
    two.conn = one.conn;
    two.mount(&mut sim);
    let root = |reply: Reply| ok!(reply.all_ok(), GetFh).object.to_vec();
    let first = root(one.call(&mut sim, |c| c.putrootfh().getfh()));
    let second = root(two.call(&mut sim, |c| c.putrootfh().getfh()));
    assert_eq!(first, second);
    sim.assert_nothing_is_left();
}
