//! Opens that deny others, or that others deny.

use super::*;

#[test]
fn an_open_gives_way_to_another_that_it_excludes_and_nothing_else_does() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let alone = opened(&mut sim, &mut one, (3, 3), b"f");
    let other = opened(&mut sim, &mut one, (3, 0), b"g");
    let held = sim.fs().held();
    expire(&mut sim);
    let mut two = Client::mounted(&mut sim, "two");
    opened(&mut sim, &mut two, (1, 0), b"f");
    assert_eq!(sim.fs().held(), held, "one let go, one taken");
    assert_eq!((sim.tables().opens, sim.tables().lost_states), (2, 1));
    assert_eq!(flags(&mut sim, &mut one), SOME);
    let answers = tested(&mut sim, &mut one, &[alone, other]);
    assert_eq!(answers, [Status::EXPIRED, Status::OK]);
    // It is another client's affair.
    assert_eq!(tested(&mut sim, &mut two, &[alone]), [Status::BAD_STATEID]);
    assert_eq!(free(&mut sim, &mut two, alone), Status::BAD_STATEID);
    let read = args::Read {
        stateid: alone,
        offset: 0,
        count: 1,
    };
    let lookup = args::Lookup { objname: b"f" };
    let reply = one.call(&mut sim, |c| c.putrootfh().lookup(lookup).read(read));
    assert_eq!(reply.last(), (Op::Read, Status::EXPIRED));
    let close = args::Close {
        seqid: 0,
        open_stateid: alone,
    };
    let reply = one.call(&mut sim, |c| c.putrootfh().lookup(lookup).close(close));
    assert_eq!(reply.last(), (Op::Close, Status::EXPIRED));
    assert_eq!(flags(&mut sim, &mut one), SOME);
    assert_eq!(free(&mut sim, &mut one, alone), Status::OK);
    assert_eq!(flags(&mut sim, &mut one), 0);
    assert_eq!(free(&mut sim, &mut one, alone), Status::BAD_STATEID);
    assert_eq!(tested(&mut sim, &mut one, &[alone]), [Status::BAD_STATEID]);
    // The one that has a lease denies nothing, so there is room for both.
    opened(&mut sim, &mut one, (1, 0), b"f");
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_gives_way_to_one_that_denies_what_it_may() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let writes = opened(&mut sim, &mut one, (2, 0), b"f");
    let reads = opened(&mut sim, &mut one, (1, 0), b"g");
    expire(&mut sim);
    let mut two = Client::mounted(&mut sim, "two");
    for name in [b"f", b"g"] {
        opened(&mut sim, &mut two, (3, 2), name);
    }
    let answers = tested(&mut sim, &mut one, &[writes, reads]);
    assert_eq!(answers, [Status::EXPIRED, Status::OK]);
    let reply = open(&mut sim, &mut one, (2, 0), b"f");
    assert_eq!(reply.last(), (Op::Open, Status::SHARE_DENIED));
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_has_lost_all_is_told_so_until_it_has_something_new() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let first = opened(&mut sim, &mut one, (3, 3), b"f");
    expire(&mut sim);
    let mut two = Client::mounted(&mut sim, "two");
    opened(&mut sim, &mut two, (3, 0), b"f");
    assert_eq!(flags(&mut sim, &mut one), ALL);
    let second = opened(&mut sim, &mut one, (3, 0), b"g");
    assert_eq!(flags(&mut sim, &mut one), SOME);
    let close = args::Close {
        seqid: 0,
        open_stateid: second,
    };
    let lookup = args::Lookup { objname: b"g" };
    one.call(&mut sim, |c| c.putrootfh().lookup(lookup).close(close))
        .all_ok();
    assert_eq!(free(&mut sim, &mut one, first), Status::OK);
    assert_eq!(flags(&mut sim, &mut one), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_that_another_client_denies_costs_an_expired_one_nothing() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let kept = opened(&mut sim, &mut one, (1, 0), b"f");
    sim.sleep(sim.settings().lease / 2);
    let mut two = Client::mounted(&mut sim, "two");
    opened(&mut sim, &mut two, (1, 2), b"f");
    sim.sleep(sim.settings().lease / 2 + SECOND);
    let mut three = Client::mounted(&mut sim, "three");
    // It conflicts with both, and one of them has a lease.
    let reply = open(&mut sim, &mut three, (2, 1), b"f");
    assert_eq!(reply.last(), (Op::Open, Status::SHARE_DENIED));
    assert_eq!(tested(&mut sim, &mut one, &[kept]), [Status::OK]);
    assert_eq!(flags(&mut sim, &mut one), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_gives_way_to_reads_and_writes_without_one() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    let denies = [
        opened(&mut sim, &mut one, (3, 1), b"f"),
        opened(&mut sim, &mut one, (3, 2), b"g"),
        opened(&mut sim, &mut one, (3, 2), b"h"),
    ];
    expire(&mut sim);
    let mut two = Client::mounted(&mut sim, "two");
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 1,
    };
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    let [f, g, h] = [b"f", b"g", b"h"].map(|name| args::Lookup { objname: name });
    two.call(&mut sim, |c| c.putrootfh().lookup(f).read(read))
        .all_ok();
    two.call(&mut sim, |c| c.putrootfh().lookup(g).write(write))
        .all_ok();
    two.call(&mut sim, |c| c.putrootfh().lookup(h).read(read))
        .all_ok();
    let answers = tested(&mut sim, &mut one, &denies);
    assert_eq!(answers, [Status::EXPIRED, Status::EXPIRED, Status::OK]);
    sim.assert_nothing_is_left();
}

#[test]
fn many_opens_of_a_file_give_way_in_parts() {
    const MANY: u32 = 3_000;
    let config = Sim::config().with(|config| config.max_opens_per_client = 10_000);
    let mut sim = Sim::with(config);
    let mut one = Client::mounted(&mut sim, "one");
    let opens: Vec<Stateid> = (0..MANY)
        .map(|number| {
            let owner = number.to_be_bytes();
            let args = args::Open {
                owner: super::super::holder::owner(&owner),
                // One in three is in the way.
                ..opening((1 + u32::from(number % 3 == 0) * 2, 0), b"f")
            };
            let reply = one.call(&mut sim, |c| c.putrootfh().open(args)).all_ok();
            ok!(reply, Open).stateid
        })
        .collect();
    expire(&mut sim);
    let mut two = Client::mounted(&mut sim, "two");
    let mut tries = 0;
    loop {
        let reply = open(&mut sim, &mut two, (1, 2), b"f");
        tries += 1;
        match reply.status() {
            Status::OK => break,
            status => assert_eq!(status, Status::DELAY),
        }
        assert!(tries < 20, "it makes progress");
    }
    assert!(tries > 3, "not at once: {tries}");
    sim.run_timers();
    let parts = opens.chunks(100);
    let answers: Vec<Status> = parts
        .flat_map(|part| tested(&mut sim, &mut one, part))
        .collect();
    let lost = answers.iter().filter(|status| **status == Status::EXPIRED);
    assert_eq!(lost.count(), 1_000);
    let kept = answers.iter().filter(|status| **status == Status::OK);
    assert_eq!(kept.count(), 2_000);
    sim.assert_nothing_is_left();
}
