//! Requests that are short to ask and long to do.

use std::net::IpAddr;
use std::time::Instant;

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::client::ReplyReader;
use nfs4_proto::nfs4::args::{self, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::{ClientId, Owner, Stateid};
use nfs4_tests::live::{Client, Connection, Scene, Transport};

on_both!(ranges_that_are_unlocked_at_a_stroke_go_in_parts);

fn ranges_that_are_unlocked_at_a_stroke_go_in_parts(on: Transport) {
    let name = "LOCKU of many ranges";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let unlocked = scene.attack(|scene, until| {
        let mut client = attacker(scene);
        client.mount("locks", 1);
        let open = client.open("locked");
        let mut unlocked = 0;
        loop {
            let mut lock_stateid = Stateid::ANONYMOUS;
            for batch in 0..RANGES / BATCH {
                lock_stateid = lock_some(&mut client, open, batch);
            }
            let object = &client.file.clone()[..];
            let all = args::LockU {
                locktype: LockType::Write,
                seqid: 0,
                lock_stateid,
                offset: 0,
                length: u64::MAX,
            };
            client.call(|c| c.putfh(args::PutFh { object }).locku(all));
            unlocked += RANGES;
            if Instant::now() >= until {
                break;
            }
        }
        client.remove(open, "locked");
        client.unmount();
        unlocked
    });
    scene.end("128 steps at once", format!("OK, {unlocked} ranges"));
}

/// Locks ranges that do not touch, and says under what.
fn lock_some(client: &mut Client, open_stateid: Stateid, batch: u64) -> Stateid {
    let object = &client.file.clone()[..];
    let reply = client.call(|c| {
        c.putfh(args::PutFh { object });
        for number in batch * BATCH..(batch + 1) * BATCH {
            c.lock(args::Lock {
                locktype: LockType::Write,
                reclaim: false,
                offset: 2 * number,
                length: 1,
                locker: Locker::New(OpenToLockOwner {
                    open_seqid: 0,
                    open_stateid,
                    lock_seqid: 0,
                    lock_owner: Owner {
                        clientid: ClientId(0),
                        owner: b"holder",
                    },
                }),
            });
        }
        c
    });
    let mut results = ReplyReader::parse(&reply).unwrap();
    results.sequence().unwrap();
    results.putfh().unwrap();
    // Whatever its seqid is by now, it is the latest that is meant.
    Stateid {
        seqid: 0,
        ..results.lock().unwrap().lock_stateid
    }
}

on_both!(a_client_that_comes_back_again_and_again_loses_its_opens_in_parts);

fn a_client_that_comes_back_again_and_again_loses_its_opens_in_parts(on: Transport) {
    let name = "replacing a client with many opens";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let (replaced, delayed) = scene.attack(|scene, until| {
        let mut client = attacker(scene);
        let mut incarnation = 0;
        while incarnation < 2 || Instant::now() < until {
            incarnation += 1;
            client.mount("comes back", incarnation);
            for number in 0..OPENS {
                client.open(&format!("opened-{number}"));
            }
        }
        client.mount("comes back", incarnation + 1);
        client.unmount();
        assert!(client.delayed >= incarnation.into(), "each goes in parts");
        (incarnation, client.delayed)
    });
    scene.end(
        "128 steps at once",
        format!("DELAY {delayed} times, {replaced} replaced"),
    );
}

fn attacker(scene: &Scene) -> Client {
    let address = IpAddr::from([127, 0, 0, 2]);
    Client::on(Connection::from(address, scene.address()), Some(2))
}

/// So many ranges of one owner are in one file.
const RANGES: u64 = 4_800;
/// So many LOCKs are in one COMPOUND.
const BATCH: u64 = 12;
/// So many files an incarnation opens.
const OPENS: u32 = 1_000;
