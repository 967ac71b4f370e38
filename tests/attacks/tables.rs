//! Tables that one peer fills.

use std::time::Instant;

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::nfs4::args::{self, Locker, OpenClaim, OpenFlag, OpenToLockOwner};
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::{ClientId, Owner, Stateid, Status};
use nfs4_tests::live::{Client, Connection, Scene, Transport};

use crate::peer;

on_each!(clients_of_one_peer_leave_room_for_those_of_another);

/// Confirmed clients that have nothing, one after the other.
fn clients_of_one_peer_leave_room_for_those_of_another(on: Transport) {
    let config = Config::default().with(|config| config.max_clients = 96);
    let mut scene = Scene::start("clients without end", on, config, Limits::default());
    let told = scene.attack(|scene, until| {
        let (mut made, mut refused, mut others) = (0, 0, 0);
        let mut kept = Vec::new();
        while made < 256 || Instant::now() < until {
            let mut one = Client::on(Connection::from(peer(2), scene.address()), Some(2));
            made += 1;
            match one.try_introduce(&format!("client {made}"), 1) {
                Status::OK => one.enter(),
                status => {
                    assert_eq!(status, Status::SERVERFAULT);
                    assert!(!kept.is_empty(), "all that it has can be forgotten");
                    refused += 1;
                    continue;
                }
            }
            // Most have nothing, and those of the peer go first; some keep a session and stay.
            if made % 8 == 0 {
                kept.push(one);
            } else {
                one.leave();
            }
            let clients = scene.node().table_lengths().unwrap().clients;
            assert!(clients <= 96 / 2 + 2, "{clients} clients");
            if made % 64 == 1 {
                let connection = Connection::from(peer(3), scene.address());
                let mut other = Client::on(connection, Some(3));
                other.mount("other", 1);
                other.unmount();
                others += 1;
            }
        }
        for mut one in kept {
            one.unmount();
        }
        format!("SERVERFAULT {refused} of {made} times; {others} of another address got in")
    });
    scene.end("half of max_clients", told);
}

on_each!(opens_of_one_peer_leave_room_for_those_of_another);

fn opens_of_one_peer_leave_room_for_those_of_another(on: Transport) {
    let config = Config::default().with(|config| config.max_states = 1_200);
    let mut scene = Scene::start("opens without end", on, config, Limits::default());
    let told = scene.attack(|scene, until| {
        let mut greedy = Client::on(Connection::from(peer(2), scene.address()), Some(2));
        greedy.mount("greedy", 1);
        let (mut made, mut refused) = (0, 0);
        let first = greedy.open("file");
        while made < 2_000 || Instant::now() < until {
            made += 1;
            match open_as(&mut greedy, &made.to_string()) {
                Status::OK => assert_eq!(refused, 0, "it was full before"),
                status => {
                    assert_eq!(status, Status::DQUOT);
                    refused += 1;
                }
            }
        }
        let opens = scene.node().table_lengths().unwrap().opens;
        assert!(opens <= 1_200 / 2, "{opens} opens");
        assert!(refused > 0, "nothing was refused");
        let mut other = Client::on(Connection::from(peer(3), scene.address()), Some(3));
        other.mount("other", 1);
        for number in 0..32 {
            other.open(&format!("other {number}"));
            other.close();
            other.unlink(&format!("other {number}"));
        }
        other.unmount();
        // What it has goes with it.
        greedy.remove(first, "file");
        format!("DQUOT {refused} of {made} times, {opens} opens")
    });
    scene.end("share of max_states", told);
}

on_each!(sessions_of_one_peer_leave_room_for_those_of_another);

fn sessions_of_one_peer_leave_room_for_those_of_another(on: Transport) {
    let config = Config::default().with(|config| {
        config.max_sessions = 200;
    });
    let mut scene = Scene::start("sessions without end", on, config, Limits::default());
    let told = scene.attack(|scene, until| {
        let mut greedy = Client::on(Connection::from(peer(2), scene.address()), Some(2));
        greedy.introduce("greedy", 1);
        let (mut made, mut refused) = (0, 0);
        while refused < 64 || Instant::now() < until {
            // A refused CREATE_SESSION takes no sequence id.
            match greedy.enter_as(greedy.id, 1 + made) {
                Status::OK => made += 1,
                status => {
                    assert_eq!(status, Status::NOSPC);
                    refused += 1;
                }
            }
        }
        let sessions = scene.node().table_lengths().unwrap().sessions;
        assert!(sessions <= 17, "{sessions} sessions");
        let mut other = Client::on(Connection::from(peer(3), scene.address()), Some(3));
        other.mount("other", 1);
        other.unmount();
        // What it has goes with it.
        greedy.introduce("greedy", 2);
        greedy.enter();
        greedy.unmount();
        format!("NOSPC {refused} times, {sessions} sessions")
    });
    scene.end("16 sessions of a client", told);
}

on_each!(lock_owners_of_one_peer_leave_room_for_those_of_another);

fn lock_owners_of_one_peer_leave_room_for_those_of_another(on: Transport) {
    let config = Config::default().with(|config| {
        config.max_states = 1_200;
    });
    let mut scene = Scene::start("locks without end", on, config, Limits::default());
    let told = scene.attack(|scene, until| {
        let mut greedy = Client::on(Connection::from(peer(2), scene.address()), Some(2));
        greedy.mount("greedy", 1);
        let open = greedy.open("file");
        let (mut made, mut refused) = (0_u64, 0);
        while made < 2_000 || Instant::now() < until {
            made += 1;
            match lock_as(&mut greedy, open, made) {
                Status::OK => assert_eq!(refused, 0, "it was full before"),
                status => {
                    // LOCK has no status for a quota. [RFC 8881 §15.2]
                    assert_eq!(status, Status::SERVERFAULT);
                    refused += 1;
                }
            }
        }
        let locks = scene.node().table_lengths().unwrap().locks;
        assert!(locks <= 1_200 / 2, "{locks} locks");
        assert!(refused > 0, "nothing was refused");
        let mut other = Client::on(Connection::from(peer(3), scene.address()), Some(3));
        other.mount("other", 1);
        let own = other.open("other");
        assert_eq!(lock_as(&mut other, own, 1), Status::OK);
        other.remove(own, "other");
        other.unmount();
        greedy.remove(open, "file");
        greedy.unmount();
        format!("SERVERFAULT {refused} of {made} times, {locks} locks")
    });
    scene.end("share of max_states", told);
}

/// LOCK of one byte by an owner of its own.
fn lock_as(client: &mut Client, open_stateid: Stateid, owner: u64) -> Status {
    let object = &client.file.clone()[..];
    let lock = args::Lock {
        locktype: LockType::Read,
        reclaim: false,
        offset: owner,
        length: 1,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid,
            lock_seqid: 0,
            lock_owner: Owner {
                clientid: ClientId(0),
                owner: &owner.to_be_bytes(),
            },
        }),
    };
    client.in_session(|c| c.putfh(args::PutFh { object }).lock(lock))
}

/// OPEN of the file by one owner after the other.
fn open_as(client: &mut Client, owner: &str) -> Status {
    let open = args::Open {
        seqid: 0,
        share_access: 1,
        share_deny: 0,
        owner: Owner {
            clientid: ClientId(0),
            owner: owner.as_bytes(),
        },
        openhow: OpenFlag::NoCreate,
        claim: OpenClaim::Null(b"file"),
    };
    client.in_session(|c| c.putrootfh().open(open))
}
