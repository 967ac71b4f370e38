//! What CREATE_SESSION has agreed of the sizes of requests and replies. [RFC 8881 §18.36.3]

use nfs4_proto::nfs4::args::{ChannelAttrs, CreateSession};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_tests::sim::SESSION_ATTRS;

use super::*;

#[test]
fn a_request_longer_than_agreed_is_too_big() {
    let attrs = ChannelAttrs {
        maxrequestsize: 1024,
        ..SESSION_ATTRS
    };
    let (mut sim, mut client) = measured(attrs);
    let write = |data| args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: nfs4_proto::nfs4::basic::StableHow::FileSync,
        data,
    };
    let empty = client.request(&mut sim, 0, true, |c| c.putrootfh().write(write(&[])));
    // The record mark does not count, the RPC header does.
    let most = 1024 - (empty.record.len() - 4);
    let data = vec![0; most + 4];
    let request = client.request(&mut sim, 0, true, |c| c.putrootfh().write(write(&data)));
    let reply = request.exchange(&mut sim, client.conn);
    assert_refused(&reply, Status::REQ_TOO_BIG);
    let request = client.request(&mut sim, 0, true, |c| {
        c.putrootfh().write(write(&data[..most]))
    });
    let reply = request.exchange(&mut sim, client.conn);
    assert_eq!(reply.last(), (Op::Write, Status::ISDIR));
    client.advance(0);
    assert_not_poisoned(&mut sim, &mut client);
}

#[test]
fn more_operations_than_agreed_are_too_many() {
    let attrs = ChannelAttrs {
        maxoperations: 4,
        ..SESSION_ATTRS
    };
    let (mut sim, mut client) = measured(attrs);
    let reply = client.call(&mut sim, |c| c.putrootfh().getfh().getfh().getfh());
    assert_refused(&reply, Status::TOO_MANY_OPS);
    client
        .call(&mut sim, |c| c.putrootfh().getfh().getfh())
        .all_ok();
    assert_not_poisoned(&mut sim, &mut client);
}

#[test]
fn a_reply_too_big_stops_at_the_operation_that_would_overflow_before_its_effects() {
    // Enough for SEQUENCE, PUTROOTFH and a little more, not for CREATE.
    let attrs = ChannelAttrs {
        maxresponsesize: 400,
        maxresponsesize_cached: 120,
        maxoperations: 32,
        ..SESSION_ATTRS
    };
    let (mut sim, mut client) = measured(attrs);
    let request = client.request(&mut sim, 0, true, |c| mkdir(c, b"d"));
    let first = request.exchange(&mut sim, client.conn);
    let expected = [
        (Op::Sequence, Status::OK),
        (Op::PutRootFh, Status::OK),
        (Op::Create, Status::REP_TOO_BIG_TO_CACHE),
    ];
    assert_eq!(first.statuses(), expected);
    assert!(first.len() <= 120);
    assert_eq!(sim.fs().creations(b"d"), 0);
    assert_replayed(&mut sim, &client, &request, &first);
    client.advance(0);
    // Not to be kept, it fits.
    let request = client.request(&mut sim, 0, false, |c| mkdir(c, b"d"));
    request.exchange(&mut sim, client.conn).all_ok();
    client.advance(0);

    let request = client.request(&mut sim, 0, false, |c| {
        for at in 0..8_u8 {
            mkdir(c, &[b'0' + at]);
        }
        c
    });
    let reply = request.exchange(&mut sim, client.conn);
    assert_eq!(reply.status(), Status::REP_TOO_BIG);
    assert!(reply.len() <= 400);
    let made = reply
        .statuses()
        .iter()
        .filter(|done| **done == (Op::Create, Status::OK))
        .count();
    assert_eq!(sim.fs().requests("Create") as usize, made + 1);
    client.advance(0);
    let request = client.request(&mut sim, 0, false, |c| c.putrootfh());
    request.exchange(&mut sim, client.conn).all_ok();
}

#[test]
fn a_reply_that_not_even_sequence_fits_into_is_refused_at_sequence() {
    let attrs = ChannelAttrs {
        maxresponsesize_cached: 40,
        ..SESSION_ATTRS
    };
    let (mut sim, mut client) = measured(attrs);
    let reply = client.call(&mut sim, |c| c.putrootfh());
    assert_refused(&reply, Status::REP_TOO_BIG_TO_CACHE);
    let request = client.request(&mut sim, 0, false, |c| c.putrootfh());
    request.exchange(&mut sim, client.conn).all_ok();
    client.advance(0);

    // The tag comes back before it.
    let args = CreateSession {
        fore_chan_attrs: ChannelAttrs {
            maxresponsesize: 256,
            ..SESSION_ATTRS
        },
        ..client.session_args()
    };
    client.create_session_with(&mut sim, args).all_ok();
    for (tag, status) in [(176, Status::OK), (177, Status::REP_TOO_BIG)] {
        let sequence = client.sequence(0, false);
        let record = client.record(sim.xid(), &vec![b't'; tag], |c| c.sequence(sequence));
        let reply = sim.exchange(client.conn, record);
        assert!(reply.is_only(Op::Sequence, status), "{tag}: {reply:?}");
        assert!(status != Status::OK || reply.len() <= 256);
        client.slots[0] += 1;
    }
    client.slots[0] -= 1;
    assert_not_poisoned(&mut sim, &mut client);
}
