//! What clients reclaim from a server that has died, and what they must not.
//! [RFC 8881 §8.4.2, §8.4.3, RFC 7530 §9.6]

mod courtesy;
mod crash;
mod delegations;
mod edges;
mod exports;
mod grace;
mod many;
mod rights;
mod stores;
mod told;
mod v40;

use std::time::Duration;

use nfs4_engine::{Config, Event, GraceEnd};
use nfs4_proto::nfs4::args::{self, Locker, OpenClaim, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, DelegationType, LockType, Owner, Stateid};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, making_args, open_args};

const LEASE: Duration = Duration::from_secs(90);

/// A file that a client has open.
#[derive(Clone, Debug)]
struct File {
    fh: Vec<u8>,
    stateid: Stateid,
}

fn config() -> Config {
    Sim::config()
}

/// Settings by which a client loses its state with its lease.
fn strict() -> Config {
    config().with(|config| config.courtesy = Duration::ZERO)
}

/// Makes a file, which stays open.
#[track_caller]
fn make(sim: &mut Sim, client: &mut Client, name: &[u8]) -> File {
    let reply = client.call(sim, |c| c.putrootfh().open(making_args(b"o", name)).getfh());
    let reply = reply.all_ok();
    File {
        fh: ok!(reply, GetFh).object.to_vec(),
        stateid: ok!(reply, Open).stateid,
    }
}

/// The client has found out that the server has started again: it has a new client id and a session.
#[track_caller]
fn come_back(sim: &mut Sim, client: &mut Client) {
    client.conn = sim.connect();
    client.exchange_id(sim).all_ok();
    client.create_session(sim).all_ok();
}

#[track_caller]
fn complete(sim: &mut Sim, client: &mut Client) -> Reply {
    let done = args::ReclaimComplete { one_fs: false };
    client.call(sim, |c| c.reclaim_complete(done))
}

/// OPEN that reclaims, with this kind of delegation.
const fn reclaim_args<'a>(kind: DelegationType) -> args::Open<'a> {
    args::Open {
        claim: OpenClaim::Previous(kind),
        ..open_args(b"o", b"")
    }
}

fn reclaim(sim: &mut Sim, client: &mut Client, fh: &[u8]) -> Reply {
    reclaim_with(sim, client, fh, reclaim_args(DelegationType::None))
}

fn reclaim_with(sim: &mut Sim, client: &mut Client, fh: &[u8], args: args::Open<'_>) -> Reply {
    client.call(sim, |c| c.putfh(args::PutFh { object: fh }).open(args))
}

/// The status of an OPEN by name.
fn open_anew(sim: &mut Sim, client: &mut Client, name: &[u8]) -> Status {
    let open = making_args(b"new", name);
    client.call(sim, |c| c.putrootfh().open(open)).status()
}

/// CREATE_SESSION, whose reply may take long; its transaction id.
fn ask_to_enter(sim: &mut Sim, client: &Client) -> u32 {
    let args = client.session_args();
    let xid = sim.xid();
    let record = client.record(xid, b"", |c| c.create_session(args));
    sim.send(client.conn, record);
    sim.run();
    xid
}

/// OPEN by name on a slot, whose reply may take long; its transaction id.
fn ask_to_open(sim: &mut Sim, client: &mut Client, slot: u32, name: &[u8]) -> u32 {
    let open = making_args(b"new", name);
    let request = client.request(sim, slot, true, |c| c.putrootfh().open(open));
    request.send(sim, client.conn);
    client.advance(slot);
    sim.run();
    request.xid()
}

/// The status of a request that has waited.
#[track_caller]
fn answered(sim: &mut Sim, xid: u32) -> Status {
    sim.take_reply(xid).expect("it is answered").status()
}

/// LOCK of the first ten bytes.
fn lock_args(stateid: Stateid, owner: &[u8], reclaim: bool) -> args::Lock<'_> {
    args::Lock {
        locktype: LockType::Write,
        reclaim,
        offset: 0,
        length: 10,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid: stateid,
            lock_seqid: 0,
            lock_owner: Owner {
                clientid: ClientId(0),
                owner,
            },
        }),
    }
}

fn lock(sim: &mut Sim, client: &mut Client, file: &File, reclaim: bool) -> Reply {
    let args = lock_args(file.stateid, b"l", reclaim);
    let put = args::PutFh { object: &file.fh };
    client.call(sim, |c| c.putfh(put).lock(args))
}

fn is_grace(sim: &Sim) -> bool {
    sim.engine().grace(sim.clock()).active
}

fn ends(sim: &mut Sim) -> Vec<GraceEnd> {
    let events = sim.take_events().into_iter();
    let ends = events.filter_map(|event| match event {
        Event::GraceEnded { reason } => Some(reason),
        _ => None,
    });
    ends.collect()
}

#[track_caller]
fn assert_last(reply: &Reply, op: Op, status: Status) {
    assert_eq!(reply.last(), (op, status));
}
