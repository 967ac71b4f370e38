//! Ten thousand known clients.

use std::time::{Duration, Instant};

use nfs4_engine::GraceEnd;
use nfs4_engine::fs::Flavor;
use nfs4_engine::stable::{ClientRecord, RecordKey};
use nfs4_proto::nfs4::Status;
use nfs4_tests::sim::{Client, Sim};

use super::{LEASE, come_back, complete, config, ends, is_grace, open_anew};

const CLIENTS: usize = 10_000;

fn records() -> Vec<ClientRecord> {
    let record = |number| {
        let key = RecordKey::new(false, format!("client {number}"), Flavor::Sys, 1000);
        ClientRecord::new(key, *b"incarn-1", LEASE)
    };
    (0..CLIENTS).map(record).collect()
}

#[test]
fn a_server_with_ten_thousand_known_clients_starts_at_once_and_waits_for_them_all() {
    let records = records();
    let began = Instant::now();
    let mut sim = Sim::measured(config()).recovering(&records);
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut last = Client::stranger(&mut sim, &format!("client {}", CLIENTS - 1));
    for number in 0..CLIENTS - 1 {
        let mut client = Client::on(last.conn, &format!("client {number}"));
        client.exchange_id(&mut sim).all_ok();
        client.create_session(&mut sim).all_ok();
        complete(&mut sim, &mut client).all_ok();
        // There is no room for so many at one host.
        let sessionid = client.session;
        client
            .bare(&mut sim, |c| {
                c.destroy_session(nfs4_proto::nfs4::args::DestroySession { sessionid })
            })
            .all_ok();
        if number % 1_000 == 0 {
            let shown = sim.engine().grace(sim.clock());
            assert_eq!(shown.missing, CLIENTS - 1 - number);
            assert!(shown.some_missing.len() <= 32);
        }
    }
    assert!(is_grace(&sim));
    come_back(&mut sim, &mut last);
    complete(&mut sim, &mut last).all_ok();
    assert_eq!(ends(&mut sim), [GraceEnd::Reclaimed]);
    assert_eq!(open_anew(&mut sim, &mut last, b"f"), Status::OK);
}

#[test]
fn what_was_known_of_ten_thousand_clients_is_dropped_in_parts() {
    let mut sim = Sim::measured(config()).recovering(&records());
    sim.hold_stores(true);
    sim.jump(LEASE);
    assert!(!sim.step_timers(1), "the end is to be stored");
    sim.store_next(Ok(()));
    assert!(!is_grace(&sim));
    let mut steps = 1;
    while sim.step_timers(128) {
        steps += 1;
    }
    assert!(steps > CLIENTS / 256, "{steps} steps");
    assert_eq!(sim.engine().grace(sim.clock()).some_missing, []);
}
