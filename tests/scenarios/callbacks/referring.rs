//! A recall can overtake the reply that granted what it recalls. [RFC 8881 §2.10.6.3]

use nfs4_proto::nfs4::callback::args::ReferringCall;
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_READ;
use nfs4_proto::nfs4::res::OpenDelegation;

use super::*;

/// A client that can be called back, and has a session.
fn reachable(sim: &mut Sim, owner: &str) -> Client {
    let mut client = Client::stranger(sim, owner);
    client.exchange_id(sim).all_ok();
    another_session(sim, &mut client);
    let done = args::ReclaimComplete { one_fs: false };
    client.call(sim, |c| c.reclaim_complete(done)).all_ok();
    client
}

/// One more session of a client, by the connection that it uses.
fn another_session(sim: &mut Sim, client: &mut Client) {
    let args = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..client.session_args()
    };
    client.create_session_with(sim, args).all_ok();
}

/// A server with a file, a client that has it delegated by a request on this slot, and another.
fn delegated_on(slot: u32) -> (Sim, Client, Client) {
    let mut sim = Sim::new();
    let mut maker = Client::mounted(&mut sim, "maker");
    let mode = Fattr::mode(0o666);
    let making = args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(mode.raw())),
        ..open_args(b"opener", b"f")
    };
    let made = maker.call(&mut sim, |c| c.putrootfh().open(making).getfh());
    let made = made.all_ok();
    let close = args::Close {
        seqid: 0,
        open_stateid: ok!(made, Open).stateid,
    };
    maker
        .call(&mut sim, |c| {
            let object = ok!(made, GetFh).object;
            c.putfh(args::PutFh { object }).close(close)
        })
        .all_ok();
    let mut holder = reachable(&mut sim, "holder");
    let other = reachable(&mut sim, "other");
    let open = args::Open {
        share_access: OPEN4_SHARE_ACCESS_READ,
        ..open_args(b"reader", b"f")
    };
    let request = holder.request(&mut sim, slot, true, |c| c.putrootfh().open(open));
    let reply = request.exchange(&mut sim, holder.conn).all_ok();
    let delegation = ok!(reply, Open).delegation;
    assert!(
        matches!(delegation, OpenDelegation::Read(_)),
        "{delegation:?}"
    );
    holder.advance(slot);
    (sim, holder, other)
}

/// The recall that another client's OPEN for writing causes.
fn recalled(sim: &mut Sim, other: &mut Client) -> Callback {
    let reply = other.call(sim, |c| c.putrootfh().open(open_args(b"writer", b"f")));
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    sim.settle();
    let callback = only(sim);
    assert!(
        matches!(callback.ops()[1], CbArgOp::Recall(_)),
        "{callback:?}"
    );
    callback
}

/// The requests that a callback refers to, each with its session.
fn referred(callback: &Callback) -> Vec<(SessionId, ReferringCall)> {
    let lists = callback.sequence().referring_call_lists;
    let calls = lists.iter().flat_map(|list| {
        let calls = list.referring_calls.iter();
        calls.map(move |call| (list.sessionid, call))
    });
    calls.collect()
}

#[test]
fn a_recall_names_the_request_whose_reply_the_client_may_not_have_seen() {
    let (mut sim, holder, mut other) = delegated_on(3);
    let callback = recalled(&mut sim, &mut other);
    let call = ReferringCall {
        sequenceid: 1,
        slotid: 3,
    };
    assert_eq!(referred(&callback), [(holder.session, call)]);
}

#[test]
fn other_slots_do_not_say_that_the_reply_was_seen() {
    let (mut sim, mut holder, mut other) = delegated_on(3);
    for _ in 0..3 {
        holder.call(&mut sim, |c| c).all_ok();
    }
    let callback = recalled(&mut sim, &mut other);
    assert_eq!(referred(&callback).len(), 1);
}

#[test]
fn a_client_that_has_used_the_slot_again_has_seen_the_reply() {
    let (mut sim, mut holder, mut other) = delegated_on(3);
    let next = holder.request(&mut sim, 3, true, |c| c);
    next.exchange(&mut sim, holder.conn).all_ok();
    holder.advance(3);
    let callback = recalled(&mut sim, &mut other);
    assert_eq!(referred(&callback), []);
}

#[test]
fn a_recall_by_another_session_names_the_session_of_the_request() {
    let (mut sim, mut holder, mut other) = delegated_on(3);
    let first = holder.session;
    let old = holder.conn;
    holder.conn = sim.connect();
    another_session(&mut sim, &mut holder);
    sim.kill(old);
    sim.settle();
    let callback = recalled(&mut sim, &mut other);
    assert_eq!(callback.sequence().sessionid, holder.session);
    let call = ReferringCall {
        sequenceid: 1,
        slotid: 3,
    };
    assert_eq!(referred(&callback), [(first, call)]);
}

#[test]
fn what_is_sent_again_refers_to_the_same_though_the_slot_was_used_meanwhile() {
    let (mut sim, mut holder, mut other) = delegated_on(3);
    let second = bind_new(&mut sim, &holder);
    let callback = recalled(&mut sim, &mut other);
    let next = holder.request(&mut sim, 3, true, |c| c);
    next.exchange(&mut sim, second).all_ok();
    holder.advance(3);
    sim.kill(callback.conn);
    sim.settle();
    let again = only(&mut sim);
    assert_eq!(
        again.conn,
        if callback.conn == second {
            holder.conn
        } else {
            second
        }
    );
    assert_eq!(again.body(), callback.body());
}
