//! Delegations: when they are granted, how they come back, and what happens if they do not.
//! [RFC 8881 §10.4]

mod changed;
mod claims;
mod counted;
mod courtesy;
mod directories;
mod evicted;
mod grant;
mod lapse;
mod leased;
mod limits;
mod narrow;
mod overlap;
mod permitted;
mod probe;
mod recall;
mod removed;
mod revoke;
mod size_reports;
mod unanswered;
mod users;
mod v40;

use nfs4_engine::{Config, DelegationKind};
use nfs4_proto::nfs4::any::CbArgOp;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenFlag};
use nfs4_proto::nfs4::attr::SettableAttrs;
use nfs4_proto::nfs4::callback::args::CbRecall;
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
};
use nfs4_proto::nfs4::res::{NoDelegation, OpenDelegation};
use nfs4_proto::nfs4::{Op, Stateid, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Callback, Client, Fattr, Reply, Sim, open_args};

/// A client that can be called back.
#[track_caller]
fn reachable(sim: &mut Sim, owner: &str) -> Client {
    let mut client = Client::stranger(sim, owner);
    enter(sim, &mut client);
    client
}

/// Makes a client known, with a session that has a backchannel.
#[track_caller]
fn enter(sim: &mut Sim, client: &mut Client) {
    client.exchange_id(sim).all_ok();
    let args = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..client.session_args()
    };
    client.create_session_with(sim, args).all_ok();
    let done = args::ReclaimComplete { one_fs: false };
    client.call(sim, |c| c.reclaim_complete(done)).all_ok();
}

/// A server with a file "f" of seven bytes, and two clients that can be called back.
fn two() -> (Sim, Client, Client) {
    two_with(Sim::config())
}

fn two_with(config: Config) -> (Sim, Client, Client) {
    let mut sim = Sim::with(config);
    let mut one = reachable(&mut sim, "one");
    let two = reachable(&mut sim, "two");
    make(&mut sim, &mut one, b"f");
    (sim, one, two)
}

/// Makes a file of seven bytes that every user may write.
#[track_caller]
fn make(sim: &mut Sim, client: &mut Client, name: &[u8]) {
    let attrs = Fattr::new(&SettableAttrs {
        size: Some(7),
        mode: Some(0o666),
        ..SettableAttrs::default()
    });
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
        ..opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 3, name)
    };
    let reply = open(sim, client, args).all_ok();
    let (fh, open) = (handle(&reply), ok!(reply, Open).stateid);
    close(sim, client, &fh, open);
}

/// An OPEN for this access, which says what is wished of delegations.
fn opening(access: u32, name: &[u8]) -> args::Open<'_> {
    args::Open {
        share_access: access,
        ..open_args(b"owner", name)
    }
}

#[track_caller]
fn open(sim: &mut Sim, client: &mut Client, args: args::Open<'_>) -> Reply {
    client.call(sim, |c| c.putrootfh().open(args).getfh())
}

fn handle(reply: &Reply) -> Vec<u8> {
    ok!(reply, GetFh).object.to_vec()
}

#[track_caller]
fn close(sim: &mut Sim, client: &mut Client, fh: &[u8], open_stateid: Stateid) {
    let args = args::Close {
        seqid: 0,
        open_stateid,
    };
    client
        .call(sim, |c| c.putfh(args::PutFh { object: fh }).close(args))
        .all_ok();
}

/// What a client has of a file after an OPEN.
#[derive(Clone, Debug)]
struct Held {
    fh: Vec<u8>,
    open: Stateid,
    delegation: Stateid,
}

/// Opens a file, which must be delegated in this way.
#[track_caller]
fn delegated(
    sim: &mut Sim,
    client: &mut Client,
    access: u32,
    name: &[u8],
    kind: DelegationKind,
) -> Held {
    let reply = open(sim, client, opening(access, name)).all_ok();
    let (fh, ok) = (handle(&reply), ok!(reply, Open));
    Held {
        fh,
        open: ok.stateid,
        delegation: granted(&ok.delegation, kind),
    }
}

/// The stateid of a delegation of this kind.
#[track_caller]
fn granted(delegation: &OpenDelegation<'_>, kind: DelegationKind) -> Stateid {
    match (delegation, kind) {
        (OpenDelegation::Read(read), DelegationKind::Read) => read.stateid,
        (OpenDelegation::Write(write), DelegationKind::Write) => write.stateid,
        other => panic!("{other:?}"),
    }
}

/// Why an OPEN brought no delegation.
#[track_caller]
fn refused(reply: &Reply) -> NoDelegation {
    match ok!(reply, Open).delegation {
        OpenDelegation::NoneExt(why) => why,
        other => panic!("{other:?}"),
    }
}

fn give_back(sim: &mut Sim, client: &mut Client, held: &Held) -> Reply {
    let args = args::DelegReturn {
        deleg_stateid: held.delegation,
    };
    client.call(sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).delegreturn(args)
    })
}

/// The one callback that has come.
#[track_caller]
fn called(sim: &mut Sim) -> Callback {
    sim.settle();
    let mut callbacks = sim.take_callbacks();
    assert_eq!(callbacks.len(), 1, "{callbacks:?}");
    callbacks.remove(0)
}

/// The CB_RECALL of a callback that has nothing else but CB_SEQUENCE.
#[track_caller]
fn recall(callback: &Callback) -> CbRecall<'_> {
    let ops = callback.ops();
    match ops.as_slice() {
        [CbArgOp::Sequence(_), CbArgOp::Recall(recall)] => *recall,
        other => panic!("{other:?}"),
    }
}

/// The holder is asked for its delegation, says OK, and gives it back.
#[track_caller]
fn comes_back(sim: &mut Sim, client: &mut Client, held: &Held) {
    let callback = called(sim);
    assert_eq!(callback.conn, client.conn);
    assert_eq!(callback.sequence().sessionid, client.session);
    let asked = recall(&callback);
    assert_eq!((asked.stateid, asked.fh), (held.delegation, &*held.fh));
    sim.send(callback.conn, callback.ok());
    sim.settle();
    give_back(sim, client, held).all_ok();
}

#[track_caller]
fn assert_last(reply: &Reply, op: Op, status: Status) {
    assert_eq!(reply.last(), (op, status), "{reply:?}");
}

/// How many delegations clients have, for reading and for writing, and how many are revoked.
fn counts(sim: &Sim) -> (usize, usize, usize) {
    let tables = sim.tables();
    (
        tables.read_delegations,
        tables.write_delegations,
        tables.revoked_delegations,
    )
}

const READ: DelegationKind = DelegationKind::Read;
const WRITE: DelegationKind = DelegationKind::Write;
