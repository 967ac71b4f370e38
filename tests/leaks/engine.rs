//! Cycles through `Engine::handle`.

use std::time::Duration;

use nfs4_engine::TableLengths;
use nfs4_proto::nfs4::Status;
use nfs4_proto::nfs4::args::{self, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, StableHow, Stateid};
use nfs4_tests::counting::live_bytes;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Sim, making_args};

use crate::{alone, cycles};

#[test]
fn after_all_cycles_is_what_was_after_a_tenth() {
    let _alone = alone();
    let cycles = cycles(1_000);
    let mut sim = Sim::without_courtesy();
    let mut first = None;
    for number in 1..=cycles {
        cycle(&mut sim, number);
        if number.is_multiple_of(10) {
            expire(&mut sim);
        }
        if number == cycles / 10 {
            first = Some(left(&mut sim));
        }
    }
    let (first, last) = (first.unwrap(), left(&mut sim));
    println!("{last} bytes are live after {cycles} cycles, {first} after a tenth");
    // They are the same, unless the test harness has said something meanwhile.
    assert!(last - first < (cycles / 8) as i64, "{first} became {last}");
}

/// A client mounts, reboots while it has a file open and locked, does the same again and unmounts;
/// another vanishes at some point.
fn cycle(sim: &mut Sim, number: usize) {
    let mut client = Client::mounted(sim, &format!("client {number:05}"));
    take(sim, &mut client);
    let before = client.conn;
    if number.is_multiple_of(2) {
        sim.kill(before);
    }
    client.reboot();
    client.conn = sim.connect();
    client.mount(sim);
    sim.kill(before);
    let (file, open_stateid) = take(sim, &mut client);
    let put = args::PutFh { object: &file };
    let close = args::Close {
        seqid: 0,
        open_stateid,
    };
    client.call(sim, |c| c.putfh(put).close(close)).all_ok();
    let sessionid = client.session;
    let destroy = args::DestroySession { sessionid };
    client.call(sim, |c| c.destroy_session(destroy)).all_ok();
    let clientid = client.id;
    let destroy = args::DestroyClientId { clientid };
    client.bare(sim, |c| c.destroy_clientid(destroy)).all_ok();
    sim.kill(client.conn);
    vanish(sim, number);
    sim.run();
}

/// A client that is not heard of again, nor was much before.
fn vanish(sim: &mut Sim, number: usize) {
    let mut client = Client::stranger(sim, &format!("ghost {number:05}"));
    client.exchange_id(sim).all_ok();
    let stage = number % 4;
    if stage > 0 {
        client.create_session(sim).all_ok();
    }
    if stage > 1 {
        let done = args::ReclaimComplete { one_fs: false };
        client.call(sim, |c| c.reclaim_complete(done)).all_ok();
        take(sim, &mut client);
    }
    if stage > 2 {
        // It does not wait for the reply to this.
        let request = client.request(sim, 1, true, |c| c.putrootfh().getfh());
        request.send(sim, client.conn);
    }
    sim.kill(client.conn);
}

/// Opens a file, writes to it and locks it.
fn take(sim: &mut Sim, client: &mut Client) -> (Vec<u8>, Stateid) {
    let name = &client.owner.clone()[..];
    let open = making_args(name, b"file");
    let reply = client
        .call(sim, |c| c.putrootfh().open(open).getfh())
        .all_ok();
    let file = ok!(reply, GetFh).object.to_vec();
    let open_stateid = ok!(reply, Open).stateid;
    let write = args::Write {
        stateid: open_stateid,
        offset: 0,
        stable: StableHow::Unstable,
        data: b"a little",
    };
    let put = args::PutFh { object: &file };
    client.call(sim, |c| c.putfh(put).write(write)).all_ok();
    let lock = args::Lock {
        locktype: LockType::Read,
        reclaim: false,
        offset: 10,
        length: 20,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid,
            lock_seqid: 0,
            lock_owner: Owner {
                clientid: ClientId(0),
                owner: name,
            },
        }),
    };
    let reply = client.call(sim, |c| c.putfh(put).lock(lock));
    assert_eq!(reply.status(), Status::OK);
    (file, open_stateid)
}

/// Lets the leases of all that vanished run out.
fn expire(sim: &mut Sim) {
    // Once for what was active now, and once for the timers to find that out.
    let lease = sim.settings().lease;
    sim.sleep(2 * lease + Duration::from_secs(1));
    sim.forget();
}

/// How many bytes are left; the tables must be empty.
fn left(sim: &mut Sim) -> i64 {
    expire(sim);
    assert_eq!(sim.tables(), TableLengths::default());
    assert_eq!(sim.fs().held(), 0, "files are held");
    assert_eq!(sim.engine().next_timeout(), None, "a timer is set");
    live_bytes()
}
