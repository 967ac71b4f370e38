//! Fills the tables to the default limits in each hostile shape, and prints how long the engine took
//! for its longest turn, by what the turn was for: so long its lock is held at a stretch.
//!
//! ```sh
//! GLIBC_TUNABLES=glibc.malloc.mxfast=0 cargo run --release -p nfs4-tests --example worst_hold
//! ```
//!
//! What is set there `nfs4d` sets itself. A word after the command chooses shapes by their names.

use std::collections::BTreeMap;
use std::time::Duration;

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, Stateid};
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Sim, making_args};

mod beside;

type Play = fn(&mut Sim);

const SHAPES: [(&str, Play); 18] = [
    ("clients without state", many_clients),
    ("a client that reboots for ever", reboots),
    ("many opens of one file", opens_of_one_file),
    ("a replaced client's opens", replaced_opens),
    ("a client's opens whose lease is over", expired_opens),
    ("many delegations", many_delegations),
    ("reboots beside delegations", reboots_beside_delegations),
    ("many ranges, unlocked at once", ranges),
    ("a long line for a lock", long_line),
    (
        "a long line behind a client that is away",
        line_behind_the_gone,
    ),
    ("sessions full of kept replies", kept_replies),
    ("TEST_STATEID of a long list", long_list),
    ("RELEASE_LOCKOWNER", released),
    ("draining beside all that is parked", beside::drained),
    ("a connection closed with its callbacks", beside::closed),
    ("clients evicted with their callbacks", beside::evicted),
    ("full tables listed and counted", beside::listed),
    ("kept replies of 4.0", beside::kept_of_40),
];

fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    for (name, play) in SHAPES.into_iter().filter(|(name, _)| name.contains(&only)) {
        println!("{name}");
        let turns = measure(play);
        let mut longest: BTreeMap<_, (usize, Duration)> = BTreeMap::new();
        for (kind, took) in turns {
            let (count, longest) = longest.entry(kind).or_default();
            *count += 1;
            *longest = took.max(*longest);
        }
        for (kind, (count, longest)) in longest {
            println!("{:>8} µs of {count:>7}: {kind}", longest.as_micros());
        }
    }
}

/// Plays a shape several times, which gives the same turns: each took the least of its times, for
/// the machine does other things.
fn measure(play: Play) -> Vec<(&'static str, Duration)> {
    let mut least: Vec<(&'static str, Duration)> = Vec::new();
    for run in 0..RUNS {
        let mut sim = Sim::measured(Sim::config());
        play(&mut sim);
        let turns = sim.turns();
        if run == 0 {
            least = turns;
            continue;
        }
        assert_eq!(least.len(), turns.len(), "each run is the same");
        for (least, (_, took)) in least.iter_mut().zip(turns) {
            least.1 = least.1.min(took);
        }
    }
    least
}

fn many_clients(sim: &mut Sim) {
    let conn = sim.connect();
    for number in 0..2 * CLIENTS {
        Client::on(conn, &format!("{number}")).exchange_id(sim);
    }
    expire(sim);
}

fn reboots(sim: &mut Sim) {
    let mut client = Client::stranger(sim, "a");
    // Others are there, whose reminders are of use.
    for number in 0..CLIENTS / 4 {
        Client::on(client.conn, &format!("{number}")).exchange_id(sim);
    }
    for _ in 0..2 * CLIENTS {
        client.reboot();
        client.exchange_id(sim);
    }
    expire(sim);
}

/// Opens a file by so many owners, whose names have this length.
fn open_many(sim: &mut Sim, client: &mut Client, count: u32, name_len: usize) {
    for first in (0..count).step_by(BATCH as usize) {
        let names: Vec<_> = (first..first + BATCH)
            .map(|number| format!("{number:0name_len$}"))
            .collect();
        client.call(sim, |c| {
            names.iter().fold(c, |c, name| {
                c.putrootfh().open(args::Open {
                    share_access: 3 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
                    ..making_args(name.as_bytes(), b"f")
                })
            })
        });
    }
}

fn opens_of_one_file(sim: &mut Sim) {
    for number in 0..6 {
        let mut client = wide(sim, &format!("{number}"), 0);
        open_many(sim, &mut client, OPENS, 8);
    }
    let mut other = wide(sim, "other", CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
    other.call(sim, |c| c.putrootfh().open(making_args(b"o", b"f")));
    expire(sim);
}

/// The next incarnation of a client takes its place.
fn replace(sim: &mut Sim, mut client: Client) {
    client.reboot();
    client.exchange_id(sim).all_ok();
    sim.jump(Duration::ZERO);
    client.create_session(sim);
    while sim.step_timers(TIMER_BUDGET) {}
    expire(sim);
}

fn replaced_opens(sim: &mut Sim) {
    let mut client = wide(sim, "a", 0);
    open_many(sim, &mut client, OPENS, 1_000);
    replace(sim, client);
}

fn expired_opens(sim: &mut Sim) {
    let mut client = wide(sim, "a", 0);
    open_many(sim, &mut client, OPENS, 100);
    expire(sim);
}

fn many_delegations(sim: &mut Sim) {
    delegate_many(sim, 0);
    // Each is recalled, which sets a reminder.
    let mut other = wide(sim, "other", 0);
    for number in 0..4_000 {
        let name = format!("d0-{number}");
        other.call(sim, |c| {
            c.putrootfh().open(making_args(b"o", name.as_bytes()))
        });
    }
    expire(sim);
}

fn delegate_many(sim: &mut Sim, number: u32) {
    let name = format!("{number}");
    let mut client = wide(sim, &name, CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
    for first in (0..DELEGATIONS).step_by(BATCH as usize) {
        let names: Vec<_> = (first..first + BATCH)
            .map(|file| format!("d{number}-{file}"))
            .collect();
        client.call(sim, |c| {
            names.iter().fold(c, |c, name| {
                c.putrootfh().open(making_args(b"o", name.as_bytes()))
            })
        });
    }
}

/// As long as all of these are of use, as many reminders of none may be there.
fn reboots_beside_delegations(sim: &mut Sim) {
    for number in 0..5 {
        delegate_many(sim, number);
    }
    let delegated = sim.tables().write_delegations as u32;
    assert!(delegated >= 5 * DELEGATIONS, "{delegated} delegations");
    let mut client = Client::stranger(sim, "a");
    for _ in 0..3 * delegated {
        client.reboot();
        client.exchange_id(sim);
    }
    expire(sim);
}

/// Has a file open, and so many ranges of it locked; the open, the lock and the handle.
fn lock_many(sim: &mut Sim, client: &mut Client, count: u64) -> (Stateid, Stateid, Vec<u8>) {
    let open = args::Open {
        share_access: 3 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        ..making_args(b"o", b"f")
    };
    let reply = client
        .call(sim, |c| c.putrootfh().open(open).getfh())
        .all_ok();
    let fh = ok!(reply, GetFh).object.to_vec();
    let open = ok!(reply, Open).stateid;
    let mut lock = open;
    for first in (0..count).step_by(BATCH as usize) {
        let reply = client.call(sim, |c| {
            let c = c.putfh(args::PutFh { object: &fh });
            (first..first + u64::from(BATCH)).fold(c, |c, at| c.lock(new_lock(open, b"l", 2 * at)))
        });
        lock = ok!(reply, Lock).lock_stateid;
    }
    (open, Stateid { seqid: 0, ..lock }, fh)
}

fn new_lock(open: Stateid, owner: &[u8], offset: u64) -> args::Lock<'_> {
    args::Lock {
        locktype: LockType::WriteWait,
        reclaim: false,
        offset,
        length: 1,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid: open,
            lock_seqid: 0,
            lock_owner: Owner {
                clientid: ClientId(0),
                owner,
            },
        }),
    }
}

fn unlock_all(c: &mut CompoundBuilder, lock_stateid: Stateid) -> &mut CompoundBuilder {
    c.locku(args::LockU {
        locktype: LockType::Write,
        seqid: 0,
        lock_stateid,
        offset: 0,
        length: u64::MAX,
    })
}

fn ranges(sim: &mut Sim) {
    let mut client = wide(sim, "a", 0);
    let (_, lock, fh) = lock_many(sim, &mut client, RANGES);
    client.call(sim, |c| {
        unlock_all(c.putfh(args::PutFh { object: &fh }), lock)
    });
    lock_many(sim, &mut client, RANGES);
    expire(sim);
}

fn long_line(sim: &mut Sim) {
    let mut client = wide(sim, "a", 0);
    let (open, lock, fh) = lock_many(sim, &mut client, RANGES);
    let put = || args::PutFh { object: &fh };
    queue_up(sim, &fh);
    // Denied, and granted beside a line.
    for at in 0..1_000 {
        client.call(sim, |c| {
            c.putfh(put()).lock(new_lock(open, b"l", 2 * at + 1))
        });
    }
    client.call(sim, |c| unlock_all(c.putfh(put()), lock));
    for at in 0..100 {
        client.call(sim, |c| c.putfh(put()).lock(new_lock(open, b"l", at)));
    }
    expire(sim);
}

/// What many wait for is held by a client that is away, and at last by one that is not.
fn line_behind_the_gone(sim: &mut Sim) {
    let mut gone = wide(sim, "gone", 0);
    let (_, _, fh) = lock_many(sim, &mut gone, 6 * u64::from(BATCH));
    expire(sim);
    let mut holds = wide(sim, "holds", 0);
    let open = args::Open {
        share_access: 3 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        ..making_args(b"o", b"f")
    };
    let reply = holds.call(sim, |c| c.putrootfh().open(open)).all_ok();
    let open = ok!(reply, Open).stateid;
    let put = || args::PutFh { object: &fh };
    let last = new_lock(open, b"h", 253);
    let reply = holds.call(sim, |c| c.putfh(put()).lock(last)).all_ok();
    let lock = ok!(reply, Lock).lock_stateid;
    queue_up(sim, &fh);
    for _ in 0..100 {
        let unlock = args::LockU {
            locktype: LockType::Write,
            seqid: 0,
            lock_stateid: Stateid { seqid: 0, ..lock },
            offset: 1 << 40,
            length: 1,
        };
        holds.call(sim, |c| c.putfh(put()).locku(unlock)).all_ok();
    }
    expire(sim);
}

/// The line of a file becomes as long as it may be.
fn queue_up(sim: &mut Sim, fh: &[u8]) {
    for host in 0..8 {
        let conn = sim.connect_from(&format!("192.0.2.{host}"));
        let mut other = Client::on(conn, &format!("{host}"));
        mount(sim, &mut other, CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
        let open = args::Open {
            share_access: 3 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
            ..making_args(b"o", b"f")
        };
        let reply = other.call(sim, |c| c.putrootfh().open(open));
        let open = ok!(reply, Open).stateid;
        for number in 0..64 {
            let owner = format!("{number:01000}");
            other.call(sim, |c| {
                let lock = args::Lock {
                    length: u64::MAX,
                    ..new_lock(open, owner.as_bytes(), 0)
                };
                c.putfh(args::PutFh { object: fh }).lock(lock)
            });
        }
    }
}

fn kept_replies(sim: &mut Sim) {
    let mut client = Client::stranger(sim, "a");
    client.exchange_id(sim).all_ok();
    let conns: Vec<_> = (0..16).map(|_| sim.connect()).collect();
    for _ in 0..16 {
        let mut args = client.session_args();
        args.fore_chan_attrs.maxrequests = 64;
        args.fore_chan_attrs.maxresponsesize_cached = 64 << 10;
        args.fore_chan_attrs.maxoperations = 64;
        client.create_session_with(sim, args).all_ok();
        let done = args::ReclaimComplete { one_fs: false };
        client.call(sim, |c| c.reclaim_complete(done));
        for conn in &conns {
            client.conn = *conn;
            client.call(sim, |c| c.putrootfh());
        }
        client.make_file(sim, b"f", 60_000);
        for slot in 0..client.slots.len() as u32 {
            let read = args::Read {
                stateid: Stateid::ANONYMOUS,
                offset: 0,
                count: 60_000,
            };
            let lookup = args::Lookup { objname: b"f" };
            let request =
                client.request(sim, slot, true, |c| c.putrootfh().lookup(lookup).read(read));
            request.send(sim, client.conn);
            sim.settle();
        }
    }
    replace(sim, client);
}

fn long_list(sim: &mut Sim) {
    let mut client = wide(sim, "a", 0);
    open_many(sim, &mut client, OPENS, 8);
    let reply = client
        .call(sim, |c| c.putrootfh().open(making_args(b"last", b"f")))
        .all_ok();
    let stateids = vec![ok!(reply, Open).stateid; 60_000];
    let stateids = List::new(&stateids);
    let request = client.request(sim, 0, false, |c| {
        c.test_stateid(args::TestStateid { stateids })
    });
    request.send(sim, client.conn);
    sim.settle();
    sim.run_timers();
    let reply = sim.take_reply(request.xid()).expect("it is answered");
    reply.all_ok();
    expire(sim);
}

fn released(sim: &mut Sim) {
    let mut client = Client40::mounted(sim, "a");
    for number in 0..2_048 {
        let name = format!("f{number}");
        let file = client.open(sim, b"o", name.as_bytes());
        let mut lock = client.lock_args(b"o", &file, b"l", (0, 5));
        if let Locker::New(new) = &mut lock.locker {
            new.lock_seqid = 2 * number + 1;
        }
        let reply = client.on(sim, &file.fh, |c| c.lock(lock));
        let unlock = args::LockU {
            locktype: LockType::Write,
            seqid: 2 * number + 2,
            lock_stateid: ok!(reply, Lock).lock_stateid,
            offset: 0,
            length: u64::MAX,
        };
        client.on(sim, &file.fh, |c| c.locku(unlock));
    }
    let release = args::ReleaseLockOwner {
        lock_owner: client.owner(b"l"),
    };
    client.call(sim, |c| c.release_lockowner(release)).all_ok();
    expire(sim);
}

/// A client whose session takes as much as may be.
fn wide(sim: &mut Sim, name: &str, flags: u32) -> Client {
    let mut client = Client::stranger(sim, name);
    mount(sim, &mut client, flags);
    client
}

fn mount(sim: &mut Sim, client: &mut Client, flags: u32) {
    client.exchange_id(sim).all_ok();
    let mut args = client.session_args();
    args.flags = flags;
    args.fore_chan_attrs.maxoperations = 64;
    args.fore_chan_attrs.maxrequestsize = 2 << 20;
    client.create_session_with(sim, args).all_ok();
    let done = args::ReclaimComplete { one_fs: false };
    client.call(sim, |c| c.reclaim_complete(done)).all_ok();
}

/// All leases run out, and what is due is done in steps as large as those of the drivers.
fn expire(sim: &mut Sim) {
    for _ in 0..3 {
        sim.jump(Duration::from_secs(200));
        while sim.step_timers(TIMER_BUDGET) {}
        sim.settle();
    }
}

const RUNS: u32 = 4;
const CLIENTS: u32 = 16_384;
const OPENS: u32 = 60_000;
const DELEGATIONS: u32 = 15_984;
const RANGES: u64 = 4_800;
/// So many operations are in one COMPOUND.
const BATCH: u32 = 24;
/// As the drivers have it by default.
const TIMER_BUDGET: usize = 128;
