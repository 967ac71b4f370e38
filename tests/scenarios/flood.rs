//! What one client takes from others by asking for very much, or very often: nothing.

use nfs4_engine::Config;
use nfs4_proto::nfs4::args::{self, CallbackSecParms};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_proto::xdr::{Encode, List, Writer};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Pace, Request, Sim, open_args};

#[test]
fn unconfirmed_clients_keep_no_other_client_out() {
    let mut sim = Sim::with(Sim::config().with(|config| config.max_clients = 10));
    let mut known = Client::mounted(&mut sim, "known");
    let conn = sim.connect_from("192.0.2.66");
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
    let mut sim = Sim::with(Sim::config().with(|config| config.max_sessions = 5));
    let mut client = Client::mounted(&mut sim, "a");
    assert_eq!(client.create_session(&mut sim).status(), Status::NOSPC);
    let mut other = Client::stranger(&mut sim, "b");
    other.exchange_id(&mut sim).all_ok();
    assert_eq!(other.create_session(&mut sim).status(), Status::NOSPC);
    client.reboot();
    client.mount(&mut sim);
    assert_eq!(sim.tables().sessions, 1);
    let destroy = args::DestroySession {
        sessionid: client.session,
    };
    client
        .bare(&mut sim, |c| c.destroy_session(destroy))
        .all_ok();
    other.create_session(&mut sim).all_ok();
    sim.assert_nothing_is_left();
}

/// A client that has the file "f" of so many bytes open, and what reads all of it.
fn reader(sim: &mut Sim, count: u32) -> (Client, args::Read) {
    let mut client = Client::mounted(sim, "a");
    let read = args::Read {
        stateid: client.make_file(sim, b"f", count),
        offset: 0,
        count,
    };
    (client, read)
}

/// Little memory for replies, of which one peer has a third: 64 KiB.
fn little() -> Config {
    Sim::config().with(|config| {
        config.max_reply_cache = 3 * (64 << 10);
        config.max_cached_reply = 8 << 10;
    })
}

#[test]
fn replies_to_requests_in_flight_are_not_kept_beyond_the_memory_for_them() {
    let mut sim = Sim::with(little());
    let (mut client, read) = reader(&mut sim, 7_000);
    sim.set_pace(Pace::Held);
    let mut requests = Vec::new();
    for _ in 0..3 {
        let reopen = open_args(b"opener", b"f");
        for slot in 0..8 {
            let request = client.request(&mut sim, slot, true, |c| {
                c.putrootfh().open(reopen).read(read)
            });
            request.send(&mut sim, client.conn);
            sim.settle();
            requests.push(request);
        }
        client.create_session(&mut sim).all_ok();
    }
    sim.complete_all();
    assert!(sim.tables().cached_bytes <= 64 << 10, "{:?}", sim.tables());
    let statuses = requests.iter().map(|request| {
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        reply.last()
    });
    let statuses: Vec<_> = statuses.collect();
    let of = |status| statuses.iter().filter(|last| last.1 == status).count();
    assert!(of(Status::OK) > 4, "{statuses:?}");
    assert!(of(Status::REP_TOO_BIG_TO_CACHE) > 4, "{statuses:?}");
    assert_eq!(of(Status::OK) + of(Status::REP_TOO_BIG_TO_CACHE), 24);
    sim.assert_nothing_is_left();
}

#[test]
fn all_the_memory_for_replies_can_be_promised_and_no_more() {
    let mut sim = Sim::with(little().with(|config| config.max_reply_cache = 3 * 7_300));
    let (mut client, read) = reader(&mut sim, 7_000);
    let ask = |sim: &mut Sim, client: &mut Client| {
        let reopen = open_args(b"opener", b"f");
        let request = client.request(sim, 1, true, |c| c.putrootfh().open(reopen).read(read));
        let reply = request.exchange(sim, client.conn).all_ok();
        client.advance(1);
        ok!(reply, Read).data.len()
    };
    assert_ne!(sim.tables().cached_bytes, 0, "the last reply is kept");
    // So there is memory for a part only.
    let part = ask(&mut sim, &mut client);
    assert!((6_000..7_000).contains(&part), "{part}");
    // What a SEQUENCE alone was answered costs nothing.
    for slot in [0, 1] {
        let request = client.request(&mut sim, slot, true, |c| c);
        request.exchange(&mut sim, client.conn).all_ok();
        client.advance(slot);
    }
    assert_eq!(sim.tables().cached_bytes, 0);
    assert_eq!(ask(&mut sim, &mut client), 7_000);
    sim.assert_nothing_is_left();
}

#[test]
fn what_was_kept_is_replayed_however_short_memory_is_and_long_its_tag() {
    let mut sim = Sim::with(little());
    let (mut client, read) = reader(&mut sim, 7_000);
    let sequence = client.sequence(7, true);
    let tag = [b't'; 1_024];
    let record = client.record(sim.xid(), &tag, |c| {
        c.sequence(sequence).putrootfh().getfh()
    });
    let first = Request { record };
    let answer = first.exchange(&mut sim, client.conn).all_ok();
    // Others take all the memory there is.
    let mut other = client.clone();
    'full: loop {
        other.create_session(&mut sim).all_ok();
        for slot in 0..8 {
            let reopen = open_args(b"opener", b"f");
            let request = other.request(&mut sim, slot, true, |c| {
                c.putrootfh().open(reopen).read(read)
            });
            if request.exchange(&mut sim, other.conn).status() != Status::OK {
                break 'full;
            }
        }
    }
    let again = first.again(&mut sim).exchange(&mut sim, client.conn);
    assert_eq!(again.body(), answer.body());
    // A new one has less room, and is told so by what does not fit.
    client.advance(7);
    let sequence = client.sequence(7, true);
    let record = client.record(sim.xid(), &tag, |c| {
        c.sequence(sequence).putrootfh().getfh()
    });
    let reply = sim.exchange(client.conn, record);
    assert_eq!(
        reply.statuses()[..],
        [
            (Op::Sequence, Status::OK),
            (Op::PutRootFh, Status::REP_TOO_BIG_TO_CACHE)
        ]
    );
    sim.assert_nothing_is_left();
}

#[test]
fn senseless_numbers_in_a_sequence_change_no_table() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let extremes = [0, 1, 7, 8, 1 << 31, u32::MAX - 1, u32::MAX];
    let before = sim.tables();
    for slotid in [8, 1 << 16, 1 << 31, u32::MAX] {
        for sequenceid in extremes {
            for highest_slotid in extremes {
                let sequence = args::Sequence {
                    slotid,
                    sequenceid,
                    highest_slotid,
                    ..client.sequence(0, true)
                };
                let reply = client.bare(&mut sim, |c| c.sequence(sequence));
                assert!(reply.is_only(Op::Sequence, Status::BADSLOT));
            }
        }
    }
    assert_eq!(sim.tables(), before);
    for highest_slotid in extremes {
        let sequence = args::Sequence {
            highest_slotid,
            ..client.sequence(0, true)
        };
        let reply = client.bare(&mut sim, |c| c.sequence(sequence)).all_ok();
        assert_eq!(ok!(reply, Sequence).highest_slotid, 7);
        client.advance(0);
    }
    sim.assert_nothing_is_left();
}

#[test]
fn binding_without_end_keeps_nothing_but_the_last_binding() {
    let mut sim = Sim::new();
    let mut a = Client::mounted(&mut sim, "a");
    let b = Client::mounted(&mut sim, "b");
    let conn = sim.connect();
    let before = sim.tables();
    for number in 0..3_000 {
        let client = if number % 2 == 0 { &a } else { &b };
        let bind = args::BindConnToSession {
            sessid: client.session,
            dir: args::ChannelDirFromClient::BackOrBoth,
            use_conn_in_rdma_mode: false,
        };
        let record = client.record(sim.xid(), b"", |c| c.bind_conn_to_session(bind));
        sim.exchange(conn, record).all_ok();
    }
    assert_eq!(sim.tables(), before);
    assert_eq!(sim.bindings().len(), 3);
    a.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn unconfirmed_4_0_clients_keep_no_other_client_out() {
    let mut sim = Sim::with(Sim::config().with(|config| config.max_clients = 10));
    let mut known = Client40::mounted(&mut sim, "known");
    for number in 0..30 {
        let mut stranger = Client40::stranger(&mut sim, &format!("stranger {number}"));
        stranger.introduce(&mut sim).all_ok();
        assert!(sim.tables().clients <= 10);
    }
    Client40::mounted(&mut sim, "new");
    Client::mounted(&mut sim, "newer");
    known.open(&mut sim, b"o", b"f");
    sim.assert_nothing_is_left();
}

#[test]
fn a_list_of_credentials_is_as_long_as_it_says_and_no_longer_than_is_sensible() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let none = [CallbackSecParms::None; 65];
    let with = |count: usize, claimed: u32| {
        let mut w = Writer::new();
        let args = args::BackchannelCtl {
            cb_program: 5,
            sec_parms: List::new(&none[..count]),
        };
        args.encode(&mut w);
        let mut bytes = w.into_vec();
        bytes[4..8].copy_from_slice(&claimed.to_be_bytes());
        bytes
    };
    let op = Op::BackchannelCtl.number();
    for (count, claimed) in [(65, 65), (1, 2), (1, u32::MAX), (0, 1 << 30)] {
        let reply = client.call(&mut sim, |c| c.raw(op, &with(count, claimed)));
        assert_eq!(reply.last(), (Op::BackchannelCtl, Status::BADXDR));
    }
    // It has no backchannel, but that is not for want of reading.
    let reply = client.call(&mut sim, |c| c.raw(op, &with(64, 64)));
    assert_eq!(reply.last(), (Op::BackchannelCtl, Status::INVAL));
}
