//! Requests that are short to ask and long to do.

use std::net::IpAddr;
use std::time::Instant;

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::client::ReplyReader;
use nfs4_proto::nfs4::args::{self, CreateHow, Locker, OpenClaim, OpenFlag, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{LockType, Verifier};
use nfs4_proto::nfs4::{Bitmap, ClientId, FattrRaw, Owner, Stateid, Status};
use nfs4_proto::xdr::List;
use nfs4_tests::live::{Client, Connection, Scene, Transport};

on_each!(ranges_that_are_unlocked_at_a_stroke_go_in_parts);

fn ranges_that_are_unlocked_at_a_stroke_go_in_parts(on: Transport) {
    let name = "LOCKU of many ranges";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let unlocked = scene.attack(|scene, until| {
        let mut client = attacker(scene);
        client.mount("locks", 1);
        let open = client.open("locked");
        let mut unlocked = 0;
        let mut fewest = u64::MAX;
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
            let holds = holds_during(scene, || {
                client.call(|c| c.putfh(args::PutFh { object }).locku(all));
            });
            fewest = fewest.min(holds);
            unlocked += RANGES;
            if Instant::now() >= until {
                break;
            }
        }
        client.remove(open, "locked");
        client.unmount();
        assert!(fewest >= RANGES / STEPS, "{fewest} holds for one LOCKU");
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

on_each!(a_client_that_comes_back_again_and_again_loses_its_opens_in_parts);

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

/// How often the engine's lock is taken meanwhile: by the probe, too, but not while it is held.
fn holds_during(scene: &Scene, work: impl FnOnce()) -> u64 {
    let before = scene.node().lock_acquisitions();
    work();
    scene.node().lock_acquisitions() - before
}

on_each!(a_long_list_of_stateids_is_tested_in_parts);

fn a_long_list_of_stateids_is_tested_in_parts(on: Transport) {
    let name = "TEST_STATEID of a long list";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let tested = scene.attack(|scene, until| {
        let mut client = attacker(scene);
        client.cachethis = false;
        client.mount("tests", 1);
        let open = client.open("tested");
        let list = vec![open; STATEIDS];
        let (mut tested, mut fewest) = (0, u64::MAX);
        while tested == 0 || Instant::now() < until {
            let stateids = List::new(&list);
            let test = args::TestStateid { stateids };
            let holds = holds_during(scene, || {
                client.call(|c| c.test_stateid(test));
            });
            fewest = fewest.min(holds);
            tested += STATEIDS;
        }
        client.remove(open, "tested");
        client.unmount();
        let parts = STATEIDS as u64 / (8 * STEPS);
        assert!(fewest >= parts, "{fewest} holds for one TEST_STATEID");
        tested
    });
    scene.end("1 024 at once", format!("OK, {tested} stateids"));
}

on_each!(denials_in_a_file_with_many_ranges_are_found_without_a_walk);

fn denials_in_a_file_with_many_ranges_are_found_without_a_walk(on: Transport) {
    let name = "LOCKT among many ranges";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let denied = scene.attack(|scene, until| {
        let mut holder = attacker(scene);
        holder.mount("holds", 1);
        let open = holder.open("locked");
        for batch in 0..RANGES / BATCH {
            lock_some(&mut holder, open, batch);
        }
        let mut client = attacker(scene);
        client.mount("asks", 1);
        let asked = client.open("locked");
        let object = &client.file.clone()[..];
        let test = args::LockT {
            locktype: LockType::Write,
            offset: 2 * RANGES - 2,
            length: u64::MAX,
            owner: Owner {
                clientid: ClientId(0),
                owner: b"asker",
            },
        };
        let mut denied = 0;
        while denied == 0 || Instant::now() < until {
            let status = client.in_session(|c| c.putfh(args::PutFh { object }).lockt(test));
            assert_eq!(status, Status::DENIED);
            denied += 1;
        }
        client.file = object.to_vec();
        client.open = asked;
        client.close();
        client.unmount();
        for part in 0..4 {
            let all = args::LockU {
                locktype: LockType::Write,
                seqid: 0,
                lock_stateid: lock_some(&mut holder, open, part),
                offset: 0,
                length: u64::MAX,
            };
            holder.call(|c| c.putfh(args::PutFh { object }).locku(all));
        }
        holder.remove(open, "locked");
        holder.unmount();
        denied
    });
    scene.end("a tree of ranges", format!("DENIED {denied} times"));
}

on_each!(tables_grow_without_a_stall);

fn tables_grow_without_a_stall(on: Transport) {
    let name = "owners with long names";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let mut incarnation = 0;
    let opened = scene.attack(|scene, until| {
        let mut client = attacker(scene);
        incarnation += 1;
        client.mount("grows", incarnation);
        let mut opened = 0;
        while opened == 0 || Instant::now() < until {
            let names: Vec<_> = (opened..opened + OWNERS)
                .map(|number| format!("{number:01000}"))
                .collect();
            client.call(|c| {
                names.iter().fold(c, |c, name| {
                    let owner = name.as_bytes();
                    c.putrootfh().open(args::Open {
                        seqid: 0,
                        share_access: 3,
                        share_deny: 0,
                        owner: Owner {
                            clientid: ClientId(0),
                            owner,
                        },
                        openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
                        claim: OpenClaim::Null(b"grown"),
                    })
                })
            });
            opened += OWNERS;
        }
        client.unlink("grown");
        opened
    });
    scene.end("parts of a table", format!("OK, {opened} owners"));
}

on_each!(large_listings_are_not_copied_while_others_wait);

fn large_listings_are_not_copied_while_others_wait(on: Transport) {
    let name = "READDIR of half a megabyte";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let names: Vec<_> = (0..LISTED).map(|number| format!("{number:0240}")).collect();
    let mut client = attacker(&scene);
    client.mount("makes", 1);
    for names in names.chunks(7) {
        client.call(|c| {
            names.iter().fold(c, |c, name| {
                c.putrootfh().create(args::Create {
                    objtype: args::CreateType::Directory,
                    objname: name.as_bytes(),
                    createattrs: FattrRaw::EMPTY,
                })
            })
        });
    }
    client.cachethis = false;
    let listed = scene.attack(|_, until| {
        let mut listed = 0;
        while listed == 0 || Instant::now() < until {
            let list = args::ReadDir {
                cookie: 0,
                cookieverf: Verifier::default(),
                dircount: 1 << 20,
                maxcount: 1 << 20,
                attr_request: Bitmap::EMPTY,
            };
            let reply = client.call(|c| c.putrootfh().readdir(list));
            assert!(reply.len() > 400_000, "{} bytes", reply.len());
            listed += reply.len();
        }
        listed
    });
    for names in names.chunks(7) {
        client.call(|c| {
            names.iter().fold(c, |c, name| {
                let target = name.as_bytes();
                c.putrootfh().remove(args::Remove { target })
            })
        });
    }
    client.unmount();
    drop(client);
    scene.end("spliced replies", format!("OK, {listed} bytes"));
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
/// So many steps are taken at once.
const STEPS: u64 = 128;
/// So many stateids are in one list.
const STATEIDS: usize = 60_000;
/// So many owners open a file in one COMPOUND.
const OWNERS: usize = 7;
/// So many names are in a directory.
const LISTED: usize = 2_000;
