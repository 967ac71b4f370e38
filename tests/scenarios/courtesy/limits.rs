//! Clients with expired leases give way to those that have one, the oldest first.

use super::*;
use nfs4_engine::Config;

fn clients(sim: &mut Sim, hosts: std::ops::Range<u32>) -> Vec<Client> {
    hosts
        .map(|host| {
            let conn = sim.connect_from(&format!("198.51.100.{host}"));
            let mut client = Client::on(conn, &format!("away {host}"));
            client.mount(sim);
            client
        })
        .collect()
}

fn few(with: impl FnOnce(&mut Config)) -> Sim {
    Sim::with(Sim::config().with(with))
}

#[test]
fn records_of_expired_clients_make_room_for_others_the_oldest_first() {
    let mut sim = few(|config| config.max_clients = 30);
    let mut away = clients(&mut sim, 0..30);
    assert_eq!(sim.tables().clients, 30);
    sim.sleep(sim.settings().lease / 2);
    // The first ten renew theirs, so that the next are the oldest.
    for client in &mut away[..10] {
        client.call(&mut sim, |c| c).all_ok();
    }
    expire(&mut sim);
    assert_eq!(sim.tables().courteous_clients, 30);
    clients(&mut sim, 100..120);
    assert_eq!(
        (sim.tables().clients, sim.tables().courteous_clients),
        (30, 10)
    );
    for client in &mut away[..10] {
        client.call(&mut sim, |c| c).all_ok();
    }
    for client in &mut away[10..] {
        let reply = client.call(&mut sim, |c| c);
        assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    }
    sim.assert_nothing_is_left();
}

#[test]
fn a_peer_takes_from_itself_first() {
    let mut sim = few(|config| config.max_clients = 30);
    clients(&mut sim, 0..4);
    let conn = sim.connect_from("192.0.2.66");
    let greedy = |sim: &mut Sim, number: u32| {
        let mut client = Client::on(conn, &format!("greedy {number}"));
        let reply = client.exchange_id(sim);
        match reply.status() {
            Status::OK => client.create_session(sim).status(),
            status => status,
        }
    };
    expire(&mut sim);
    let first = (0..30).take_while(|number| greedy(&mut sim, *number) == Status::OK);
    let first = first.count();
    assert!((6..=10).contains(&first), "{first}");
    let spared = sim.tables().courteous_clients;
    expire(&mut sim);
    for number in 100..100 + first as u32 {
        assert_eq!(greedy(&mut sim, number), Status::OK, "in place of its own");
        assert!(sim.tables().courteous_clients >= spared);
    }
    sim.assert_nothing_is_left();
}

#[test]
fn opens_of_expired_clients_make_room_for_others() {
    let mut sim = few(|config| config.max_states = 64);
    let mut away = clients(&mut sim, 0..4);
    let names: Vec<String> = (0..100).map(|number| format!("f{number}")).collect();
    for (client, names) in away.iter_mut().zip(names.chunks(10)) {
        for name in names {
            opened(&mut sim, client, (3, 0), name.as_bytes());
        }
    }
    expire(&mut sim);
    assert_eq!(sim.tables().states, 40);
    let conn = sim.connect_from("203.0.113.1");
    let mut greedy = Client::on(conn, "greedy");
    greedy.mount(&mut sim);
    let mut got = 0;
    for name in &names {
        let reply = open(&mut sim, &mut greedy, (3, 0), name.as_bytes());
        match reply.status() {
            Status::OK => {
                got += 1;
                if got == 10 {
                    assert_eq!(sim.tables().courteous_clients, 3, "one had to go");
                }
            }
            status => {
                assert_eq!(status, Status::DQUOT);
                break;
            }
        }
    }
    assert_eq!(got, 21, "a third, as if it were alone");
    assert_eq!(sim.tables().courteous_clients, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn what_an_expired_client_has_makes_room_in_parts() {
    let mut sim = few(|config| {
        config.max_states = 3_000;
        config.max_opens_per_client = 3_000;
    });
    let mut away = clients(&mut sim, 0..1);
    let made = (0..2_000_u32).take_while(|number| {
        let name = number.to_be_bytes().map(|byte| b'a' + byte % 16);
        let owner = number.to_be_bytes();
        let args = args::Open {
            owner: super::super::holder::owner(&owner),
            ..opening((3, 0), &name[2..])
        };
        let reply = away[0].call(&mut sim, |c| c.putrootfh().open(args));
        reply.status() == Status::OK
    });
    assert_eq!(made.count(), 1_000);
    expire(&mut sim);
    configure(&mut sim, |change| change.max_states = Some(1_002));
    let conn = sim.connect_from("203.0.113.1");
    let mut two = Client::on(conn, "two");
    two.mount(&mut sim);
    opened(&mut sim, &mut two, (3, 0), b"A");
    let reply = open(&mut sim, &mut two, (3, 0), b"B");
    assert_eq!(reply.last(), (Op::Open, Status::DELAY), "not refused");
    sim.run_timers();
    opened(&mut sim, &mut two, (3, 0), b"B");
    assert_eq!((sim.tables().clients, sim.tables().opens), (1, 2));
    sim.assert_nothing_is_left();
}

#[test]
fn sessions_and_delegations_of_expired_clients_make_room() {
    let mut sim = few(|config| config.max_sessions = 12);
    clients(&mut sim, 0..12);
    expire(&mut sim);
    clients(&mut sim, 20..26);
    assert_eq!(
        (sim.tables().sessions, sim.tables().courteous_clients),
        (12, 6)
    );
    sim.assert_nothing_is_left();
}

#[test]
fn replies_kept_for_expired_clients_go_first_when_memory_is_short() {
    let mut sim = few(|config| {
        config.max_reply_cache = 256 << 10;
        config.max_cached_reply = 64 << 10;
    });
    let mut away = clients(&mut sim, 0..30);
    away[0].make_file(&mut sim, b"f", 60_000);
    for client in &mut away {
        let read = args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count: 12_000,
        };
        let lookup = args::Lookup { objname: b"f" };
        client
            .call(&mut sim, |c| c.putrootfh().lookup(lookup).read(read))
            .all_ok();
    }
    let kept = sim.tables().cached_bytes;
    assert!(kept > 128 << 10, "{kept}");
    expire(&mut sim);
    sim.sleep(20 * SECOND);
    let tables = sim.tables();
    assert!(tables.cached_bytes < kept, "{tables:?}");
    assert!(tables.courteous_clients < 30 && tables.courteous_clients > 0);
    let reply = away[0].call(&mut sim, |c| c);
    assert!(
        reply.is_only(Op::Sequence, Status::BADSESSION),
        "the oldest"
    );
    away[29].call(&mut sim, |c| c).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_table_full_of_clients_that_are_away_refuses_no_other() {
    const HOSTS: u32 = 1_024;
    const EACH: u32 = 64;
    let mut sim = Sim::measured(Sim::config().with(|config| {
        config.max_clients = HOSTS * EACH;
        config.max_sessions = HOSTS * EACH;
    }));
    for host in 0..HOSTS {
        let conn = sim.connect_from(&format!("198.18.{}.{}", host / 256, host % 256));
        for number in 0..EACH {
            let mut client = Client::on(conn, &format!("{host} {number}"));
            client.exchange_id(&mut sim).all_ok();
            client.create_session(&mut sim).all_ok();
        }
        sim.forget();
    }
    expire(&mut sim);
    let all = (HOSTS * EACH) as usize;
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.courteous_clients), (all, all));
    assert!(tables.timers < 64, "one for all: {}", tables.timers);
    // Others come, from hosts that had clients and from one that had none.
    for host in ["198.18.0.7", "203.0.113.1"] {
        let conn = sim.connect_from(host);
        for number in 0..40 {
            let mut client = Client::on(conn, &format!("{host} {number} anew"));
            client.mount(&mut sim);
            opened(&mut sim, &mut client, (3, 0), b"f");
        }
    }
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.courteous_clients), (all, all - 80));
    sim.sleep(DAY);
    assert_eq!(sim.tables().courteous_clients, 80, "those that came last");
}
