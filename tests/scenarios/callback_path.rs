//! The connection that is made to call a client of NFSv4.0. [RFC 7530 §10.2.1, §16.33]

use std::time::Duration;

use nfs4_engine::{Admin, ConnId, Event, SlowCallbackEnd};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_proto::nfs4::opnum::CbOp;
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{Bitmap, Stateid, Status};
use nfs4_proto::rpc::Fault;
use nfs4_tests::ok;
use nfs4_tests::sim::{Callback, Client, Client40, Dialling, Sim, open_args};

const SECOND: Duration = Duration::from_secs(1);

/// A client of minor version 0 with a delegation, and one that wants the file.
struct Held {
    sim: Sim,
    holder: Client40,
    other: Client,
    delegation: Stateid,
    fh: Vec<u8>,
    /// The connection that was made to the holder.
    back: ConnId,
}

impl Held {
    fn new() -> Held {
        Held::open_for(1)
    }

    /// With a delegation for this share access.
    fn open_for(access: u32) -> Held {
        Held::on(Sim::new(), access)
    }

    /// On this server.
    fn on(mut sim: Sim, access: u32) -> Held {
        sim.set_dialling(Dialling::Succeeds);
        let mut other = Client::mounted(&mut sim, "other");
        let made = args::Open {
            openhow: args::OpenFlag::Create(args::CreateHow::Unchecked(
                nfs4_proto::nfs4::FattrRaw::EMPTY,
            )),
            ..open_args(b"maker", b"f")
        };
        let close = args::Close {
            seqid: 0,
            open_stateid: Stateid::CURRENT,
        };
        other
            .call(&mut sim, |c| c.putrootfh().open(made).close(close))
            .all_ok();
        let mut holder = Client40::stranger(&mut sim, "holder");
        holder.uid = 0;
        holder.mount(&mut sim);
        let back = comes_up(&mut sim);
        let (fh, delegation) = open(&mut sim, &mut holder, access).expect("a delegation");
        Held {
            sim,
            holder,
            other,
            delegation,
            fh,
            back,
        }
    }

    /// The other one wants to write, and has to wait.
    #[track_caller]
    fn conflict(&mut self) -> Status {
        let args = args::Open {
            share_access: OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2,
            ..open_args(b"writer", b"f")
        };
        let reply = self.other.call(&mut self.sim, |c| c.putrootfh().open(args));
        reply.last().1
    }

    /// The same, and the holder is called.
    #[track_caller]
    fn called(&mut self) -> Callback {
        assert_eq!(self.conflict(), Status::DELAY);
        self.sim.settle();
        only(&mut self.sim)
    }

    #[track_caller]
    fn renew(&mut self) -> Status {
        self.holder.renew(&mut self.sim).last().1
    }
}

/// Time goes on in small steps, so that what timers cause happens when it should.
fn pass(sim: &mut Sim, span: Duration) {
    let step = SECOND / 4;
    let mut left = span;
    while !left.is_zero() {
        sim.sleep(left.min(step));
        sim.settle();
        left = left.saturating_sub(step);
    }
}

/// CB_NULL comes and is answered; by which connection.
#[track_caller]
fn comes_up(sim: &mut Sim) -> ConnId {
    sim.settle();
    let null = only(sim);
    assert!(null.is_null(), "{null:?}");
    sim.send(null.conn, null.answered(&[]));
    sim.settle();
    null.conn
}

#[test]
fn a_recall_that_is_not_answered_is_reported_with_its_client() {
    let config = Sim::config().with(|config| config.slow_request = SECOND);
    let mut held = Held::on(Sim::with(config), 1);
    let reports = |sim: &mut Sim| -> Vec<_> {
        let events = sim.take_events().into_iter();
        let slow = |event| match event {
            Event::SlowCallback(slow) => Some(slow),
            _ => None,
        };
        events.filter_map(slow).collect()
    };
    let recall = held.called();
    held.sim.sleep(SECOND * 3);
    let told = reports(&mut held.sim);
    let [slow] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(slow.client, held.holder.id.0);
    assert_eq!((slow.session, slow.conn), (None, Some(held.back)));
    assert_eq!((slow.op, slow.attempts), (CbOp::Recall, 1));
    held.sim.send(recall.conn, recall.alone(Status::OK));
    held.sim.settle();
    let told = reports(&mut held.sim);
    let ends: Vec<_> = told.iter().filter_map(|slow| slow.ended).collect();
    assert_eq!(ends, [SlowCallbackEnd::Answered]);
}

#[track_caller]
fn only(sim: &mut Sim) -> Callback {
    let mut callbacks = sim.take_callbacks();
    assert_eq!(callbacks.len(), 1, "{callbacks:?}");
    callbacks.remove(0)
}

/// Opens the file, twice, since a new owner must confirm first.
#[track_caller]
fn open(sim: &mut Sim, client: &mut Client40, access: u32) -> Option<(Vec<u8>, Stateid)> {
    client.open(sim, b"o", b"f");
    let args = args::Open {
        share_access: access,
        openhow: args::OpenFlag::NoCreate,
        ..client.open_args(b"reader", b"f")
    };
    let reply = client
        .call(sim, |c| c.putrootfh().open(args).getfh())
        .all_ok();
    let opened = ok!(reply, Open);
    let confirm = args::OpenConfirm {
        open_stateid: opened.stateid,
        seqid: client.seqid(b"reader"),
    };
    let fh = ok!(reply, GetFh).object.to_vec();
    client.on(sim, &fh, |c| c.open_confirm(confirm)).all_ok();
    let args = args::Open {
        share_access: access,
        openhow: args::OpenFlag::NoCreate,
        ..client.open_args(b"reader", b"f")
    };
    let reply = client.call(sim, |c| c.putrootfh().open(args)).all_ok();
    match ok!(reply, Open).delegation {
        OpenDelegation::Read(read) => Some((fh, read.stateid)),
        OpenDelegation::Write(write) => Some((fh, write.stateid)),
        _ => None,
    }
}

/// The pauses between all dials, in seconds.
fn pauses(sim: &Sim) -> Vec<u64> {
    let dials = sim.dials();
    let pairs = dials.iter().zip(dials.iter().skip(1));
    pairs
        .map(|(one, next)| (next.at - one.at).as_secs())
        .collect()
}

#[test]
fn an_unreachable_client_is_dialled_at_growing_intervals() {
    let mut sim = Sim::with(Sim::config().with(|config| config.lease = Duration::from_secs(3_600)));
    let client = Client40::mounted(&mut sim, "a");
    pass(&mut sim, Duration::from_secs(1_500));
    assert_eq!(
        pauses(&sim),
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    );
    let first = &sim.dials()[0];
    assert_eq!(first.target.to_string(), "192.0.2.1:2049");
    assert_eq!(first.peer, format!("192.0.2.1:{}", client.conn));
    assert_eq!(
        client.renew(&mut sim).last().1,
        Status::OK,
        "it holds nothing"
    );
}

#[test]
fn a_refused_callback_address_is_not_dialled_until_it_changes() {
    let mut sim = Sim::new();
    sim.set_dialling(Dialling::IsRefused);
    let mut client = Client40::mounted(&mut sim, "a");
    for _ in 0..3 {
        pass(&mut sim, 60 * SECOND);
        client.renew(&mut sim).all_ok();
    }
    assert_eq!(sim.dials().len(), 1);
    sim.set_dialling(Dialling::Succeeds);
    client.listens = "198.51.100.7.0.99";
    client.mount(&mut sim);
    comes_up(&mut sim);
    assert_eq!(sim.dials()[1].target.to_string(), "198.51.100.7:99");
}

#[test]
fn a_client_without_a_callback_address_is_not_dialled() {
    let mut sim = Sim::new();
    let mut client = Client40::stranger(&mut sim, "a");
    client.listens = "0.0.0.0.0.0";
    client.mount(&mut sim);
    pass(&mut sim, 60 * SECOND);
    assert_eq!(sim.dials(), []);
}

#[test]
fn confirmed_again_nothing_changes_and_with_another_address_the_old_connection_goes() {
    let mut sim = Sim::new();
    sim.set_dialling(Dialling::Succeeds);
    let mut client = Client40::mounted(&mut sim, "a");
    let first = comes_up(&mut sim);
    client.confirm(&mut sim).all_ok();
    client.mount(&mut sim);
    sim.settle();
    assert_eq!((sim.dials().len(), sim.take_callbacks().len()), (1, 0));
    client.listens = "192.0.2.1.9.9";
    client.mount(&mut sim);
    let second = comes_up(&mut sim);
    assert_ne!(first, second);
    assert!(!sim.network().is_alive(first) && sim.network().is_alive(second));
}

#[test]
fn a_probe_that_is_not_answered_or_refused_is_made_again_on_another_connection() {
    let mut sim = Sim::new();
    sim.set_dialling(Dialling::Succeeds);
    Client40::mounted(&mut sim, "a");
    sim.settle();
    let silent = only(&mut sim);
    pass(&mut sim, 11 * SECOND + SECOND / 2);
    assert!(!sim.network().is_alive(silent.conn));
    let refused = only(&mut sim);
    assert_ne!(refused.conn, silent.conn);
    sim.send(refused.conn, refused.fault(Fault::ProgUnavail));
    sim.settle();
    assert!(!sim.network().is_alive(refused.conn));
    pass(&mut sim, 2 * SECOND);
    comes_up(&mut sim);
    assert_eq!(sim.tables().flights, 0);
}

#[test]
fn a_recall_is_answered_and_the_delegation_given_back() {
    let mut held = Held::new();
    let recall = held.called();
    assert_eq!(recall.conn, held.back);
    held.sim.send(recall.conn, recall.alone(Status::OK));
    held.sim.settle();
    assert_eq!(
        (held.sim.tables().callbacks, held.sim.tables().flights),
        (0, 0)
    );
    let give_back = args::DelegReturn {
        deleg_stateid: held.delegation,
    };
    held.holder
        .on(&mut held.sim, &held.fh, |c| c.delegreturn(give_back))
        .all_ok();
    assert_eq!(held.sim.metrics().callbacks(), 1);
    assert_eq!(held.sim.metrics().callback_failures(), 0);
}

#[test]
fn a_holder_may_get_the_attributes_before_it_returns_the_delegation() {
    let mut held = Held::open_for(3);
    let recall = held.called();
    held.sim.send(recall.conn, recall.alone(Status::OK));
    held.sim.settle();
    let attrs = args::GetAttr {
        attr_request: Bitmap::of(&[num::CHANGE, num::SIZE]),
    };
    let alone = held
        .holder
        .on(&mut held.sim, &held.fh, |c| c.getattr(attrs));
    assert_eq!(alone.last().1, Status::DELAY, "who asks is not known");
    let give_back = args::DelegReturn {
        deleg_stateid: held.delegation,
    };
    held.holder
        .on(&mut held.sim, &held.fh, |c| {
            c.getattr(attrs).delegreturn(give_back)
        })
        .all_ok();
    assert_eq!(held.conflict(), Status::OK);
}

#[test]
fn a_busy_client_gets_the_callback_again_on_the_same_connection() {
    let mut held = Held::new();
    let first = held.called();
    held.sim.send(first.conn, first.alone(Status::DELAY));
    pass(&mut held.sim, 6 * SECOND);
    let again = only(&mut held.sim);
    assert_eq!((again.conn, again.body()), (first.conn, first.body()));
    assert_ne!(again.xid(), first.xid());
    assert_eq!(held.sim.metrics().callback_retries(), 1);
}

#[test]
fn what_is_not_answered_in_time_goes_by_another_connection_three_times() {
    let mut held = Held::new();
    let mut last = held.called();
    for rest in [1, 2] {
        pass(&mut held.sim, 10 * SECOND);
        assert!(!held.sim.network().is_alive(last.conn));
        pass(&mut held.sim, rest * SECOND + SECOND / 2);
        comes_up(&mut held.sim);
        let again = only(&mut held.sim);
        assert_eq!(again.body(), last.body());
        last = again;
    }
    assert_eq!(held.sim.metrics().callback_failures(), 0);
    pass(&mut held.sim, 11 * SECOND);
    assert_eq!(held.sim.metrics().callback_failures(), 1);
}

#[test]
fn what_is_wanted_while_a_connection_is_made_leaves_as_soon_as_it_is_up() {
    let mut held = Held::new();
    held.sim.kill(held.back);
    held.sim.settle();
    assert_eq!(held.conflict(), Status::DELAY);
    assert_eq!(held.renew(), Status::OK, "it is being made again");
    assert_eq!(held.sim.tables().callbacks, 1);
    pass(&mut held.sim, SECOND);
    comes_up(&mut held.sim);
    let recall = only(&mut held.sim);
    held.sim.send(recall.conn, recall.alone(Status::OK));
    held.sim.settle();
    assert_eq!(held.sim.tables().callbacks, 0);
}

#[test]
fn renew_tells_a_holder_when_no_connection_can_be_made() {
    let mut held = Held::new();
    held.sim.set_dialling(Dialling::Fails);
    held.sim.kill(held.back);
    pass(&mut held.sim, 2 * SECOND);
    assert_eq!(held.renew(), Status::CB_PATH_DOWN);
    // It has renewed the lease all the same.
    pass(&mut held.sim, 80 * SECOND);
    assert_eq!(held.renew(), Status::CB_PATH_DOWN);
    held.sim.set_dialling(Dialling::Succeeds);
    pass(&mut held.sim, 50 * SECOND);
    comes_up(&mut held.sim);
    assert_eq!(held.renew(), Status::OK);
}

#[test]
fn a_client_that_refuses_callbacks_after_the_probe_gets_no_more() {
    let mut held = Held::new();
    let recall = held.called();
    let refusal = Fault::AuthError(nfs4_proto::rpc::AuthStat::TooWeak);
    held.sim.send(recall.conn, recall.fault(refusal));
    held.sim.settle();
    assert!(!held.sim.network().is_alive(held.back));
    pass(&mut held.sim, 60 * SECOND);
    assert_eq!(held.sim.take_callbacks(), []);
    assert_eq!(held.sim.dials().len(), 1);
    assert_eq!(held.renew(), Status::CB_PATH_DOWN);
}

#[test]
fn of_a_client_that_goes_nothing_stays() {
    let mut held = Held::on(Sim::without_courtesy(), 1);
    held.called();
    pass(&mut held.sim, Duration::from_secs(200));
    held.sim.settle();
    let tables = held.sim.tables();
    assert_eq!(
        (tables.callbacks, tables.flights, tables.clients),
        (0, 0, 0)
    );
    assert!(!held.sim.network().is_alive(held.back));
    for dial in held.sim.dials() {
        assert!(
            dial.conn
                .is_none_or(|conn| !held.sim.network().is_alive(conn))
        );
    }
}

#[test]
fn nor_of_one_that_is_thrown_out_while_it_is_called() {
    let mut held = Held::new();
    assert_eq!(held.conflict(), Status::DELAY);
    held.called();
    assert_eq!(held.sim.tables().flights, 1);
    let client = held.holder.id.0;
    held.sim.admin(Admin::EvictClient { client });
    held.sim.settle();
    let tables = held.sim.tables();
    assert_eq!((tables.callbacks, tables.read_delegations), (0, 0));
    assert!(!held.sim.network().is_alive(held.back));
    assert_eq!(held.conflict(), Status::OK, "the file is free");
    assert_eq!(held.renew(), Status::EXPIRED);
    held.sim.assert_nothing_is_left();
}

#[test]
fn a_dialled_connection_that_no_client_needs_is_closed() {
    let mut sim = Sim::new();
    sim.set_dialling(Dialling::IsHeld);
    let mut client = Client40::mounted(&mut sim, "a");
    let dial = sim.dials()[0].id;
    client.listens = "192.0.2.1.9.9";
    client.mount(&mut sim);
    let conn = sim.end_dial(dial);
    sim.settle();
    assert!(!sim.network().is_alive(conn));
    assert_eq!(sim.take_callbacks(), []);
    let second = sim.dials()[1].id;
    sim.end_dial(second);
    comes_up(&mut sim);
}
