//! A SEQUENCE that is refused changes nothing. [RFC 8881 §2.10.6.1.2]

use nfs4_proto::nfs4::args::{self, ChannelAttrs};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Client, Pace, Request, SESSION_ATTRS, Sim};

/// A request that is refused, of a client whose slot 0 was used.
type Refused = fn(&mut Sim, Client) -> Request;

const REFUSED: [(Status, Refused); 10] = [
    (Status::BADSESSION, |sim, mut client| {
        client.session.0[4] ^= 1;
        client.request(sim, 0, true, |c| c)
    }),
    (Status::BADSLOT, |sim, client| {
        client.request(sim, 99, true, |c| c)
    }),
    (Status::SEQ_FALSE_RETRY, |sim, mut client| {
        client.slots[0] -= 1;
        client.request(sim, 0, true, |c| c.putrootfh().getfh().getfh())
    }),
    (Status::SEQ_MISORDERED, |sim, mut client| {
        client.slots[0] += 1;
        client.request(sim, 0, true, |c| c)
    }),
    (Status::SEQ_MISORDERED, |sim, mut client| {
        client.slots[0] -= 2;
        client.request(sim, 0, true, |c| c)
    }),
    (Status::DELAY, |sim, client| {
        client.request(sim, BUSY, true, |c| c)
    }),
    (Status::REQ_TOO_BIG, |sim, client| {
        let objname = &[b'x'; 1024];
        client.request(sim, 0, true, |c| c.lookup(args::Lookup { objname }))
    }),
    (Status::TOO_MANY_OPS, |sim, client| {
        client.request(sim, 0, true, |c| c.putrootfh().getfh().getfh().getfh())
    }),
    (Status::REP_TOO_BIG_TO_CACHE, |sim, client| {
        // The tag comes back, and SEQUENCE does not fit after it.
        let sequence = client.sequence(0, true);
        let tag = [b't'; 100];
        let record = client.record(sim.xid(), &tag, |c| c.sequence(sequence).putrootfh());
        Request { record }
    }),
    (Status::BADXDR, |sim, client| {
        let sequence = Op::Sequence.number();
        let record = client.record(sim.xid(), b"", |c| c.raw(sequence, &client.session.0));
        Request { record }
    }),
];

/// A slot whose request runs all the time.
const BUSY: u32 = 7;

#[test]
fn a_refused_request_poisons_no_slot() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let mut args = client.session_args();
    args.fore_chan_attrs = ChannelAttrs {
        maxrequestsize: 1024,
        maxresponsesize_cached: 160,
        maxoperations: 4,
        ..SESSION_ATTRS
    };
    client.create_session_with(&mut sim, args).all_ok();
    for _ in 0..3 {
        client.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    sim.set_pace(Pace::Held);
    let busy = client.request(&mut sim, BUSY, true, |c| {
        c.putrootfh().lookup(args::Lookup { objname: b"x" })
    });
    busy.send(&mut sim, client.conn);
    sim.settle();
    for (status, refused) in REFUSED {
        let before = (sim.tables(), sim.metrics().replay_hits);
        let request = refused(&mut sim, client.clone());
        let reply = request.exchange(&mut sim, client.conn);
        assert!(reply.is_only(Op::Sequence, status), "{reply:?}");
        assert_eq!((sim.tables(), sim.metrics().replay_hits), before);
        // The last request is answered again, and the next is served under the seqid it has.
        let mut last = client.clone();
        last.slots[0] -= 1;
        let last = last.request(&mut sim, 0, true, |c| c.putrootfh());
        last.exchange(&mut sim, client.conn).all_ok();
        client.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    sim.complete_all();
    let reply = sim.take_reply(busy.xid()).expect("it is answered");
    assert_eq!(reply.last(), (Op::Lookup, Status::NOENT));
    sim.assert_nothing_is_left();
}
