//! Calls of the server's over a client's own connections. [RFC 8881 §2.10.3.1, §2.10.6, §20.9]
//!
//! What makes the server call in these scenarios is CB_RECALL_SLOT: the memory for replies runs
//! short, and a client that holds much of it is silent.

mod answers;
mod changed;
mod control;
mod end;
mod lost;
mod many;
mod referring;
mod sent;
mod slow;

use std::time::Duration;

use nfs4_engine::metrics::{PrometheusOptions, PrometheusRecorder};
use nfs4_engine::snapshot::{BackChannelState, Cursor};
use nfs4_engine::{Admin, BackChannelLost, Config, ConnId, Direction, Event, TimerReason};
use nfs4_proto::nfs4::any::CbArgOp;
use nfs4_proto::nfs4::args::{self, CallbackSecParms, ChannelDirFromClient, CreateHow, OpenFlag};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, OPEN4_RESULT_MAY_NOTIFY_LOCK,
    SEQ4_STATUS_BACKCHANNEL_FAULT, SEQ4_STATUS_CB_PATH_DOWN, SEQ4_STATUS_CB_PATH_DOWN_SESSION,
};
use nfs4_proto::nfs4::opnum::CbOp;
use nfs4_proto::nfs4::{Op, SessionId, Status};
use nfs4_proto::rpc::{AuthFlavor, AuthStat, AuthSys, Fault};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Callback, Client, Fattr, Request, Sim, open_args};
use prometheus::Registry;

const LARGE: u32 = 30_000;
const SECOND: Duration = Duration::from_secs(1);
/// The server looks for slots that must come back so often.
const PERIOD: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
const DOWN: u32 = SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION;

/// A server with little memory for replies, and a client with the file "f" of [`LARGE`] bytes and a
/// session of 64 slots, whose arguments `with` may change.
fn tight_with(with: impl FnOnce(&mut args::CreateSession<'_>)) -> (Sim, Client) {
    tight_in(|_| {}, with)
}

/// The same on a server with further settings.
fn tight_in(
    settings: impl FnOnce(&mut Config),
    with: impl FnOnce(&mut args::CreateSession<'_>),
) -> (Sim, Client) {
    let config = Sim::config().with(|config| {
        // One peer has a third of it.
        config.max_reply_cache = 3 * 16 * u64::from(LARGE);
        settings(config);
    });
    let mut sim = Sim::with(config);
    let mut client = Client::mounted_with(&mut sim, "a", |args| {
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
        args.fore_chan_attrs.maxrequests = 64;
        args.fore_chan_attrs.maxresponsesize_cached = LARGE + 1_000;
        with(args);
    });
    client.make_file(&mut sim, b"f", LARGE);
    (sim, client)
}

fn tight() -> (Sim, Client) {
    tight_with(|_| {})
}

/// A request that reads the whole file, to be kept, on a slot.
fn read(sim: &mut Sim, client: &mut Client, slot: u32) {
    let read = args::Read {
        stateid: Stateid::READ_BYPASS,
        offset: 0,
        count: LARGE,
    };
    let look = args::Lookup { objname: b"f" };
    let request: Request =
        client.request(sim, slot, true, |c| c.putrootfh().lookup(look).read(read));
    request.exchange(sim, client.conn).all_ok();
    client.advance(slot);
}

/// Takes so much memory that slots must come back, and waits for the call.
fn provoke(sim: &mut Sim, client: &mut Client) -> Callback {
    wait(sim, SECOND);
    for slot in 50..59 {
        read(sim, client, slot);
    }
    wait(sim, PERIOD);
    only(sim)
}

/// Uses another large reply's memory, so that yet fewer slots are wanted: another call.
fn provoke_more(sim: &mut Sim, client: &mut Client, slot: u32) -> Callback {
    read(sim, client, slot);
    wait(sim, PERIOD);
    only(sim)
}

/// Time goes on, and what happens at its end has happened.
fn wait(sim: &mut Sim, span: Duration) {
    sim.sleep(span);
    sim.settle();
}

/// The same when the client has yielded the highest slots.
fn provoke_again(sim: &mut Sim, client: &mut Client) -> Callback {
    for slot in 40..46 {
        read(sim, client, slot);
    }
    wait(sim, PERIOD);
    only(sim)
}

/// The one callback that has come.
#[track_caller]
fn only(sim: &mut Sim) -> Callback {
    let mut callbacks = sim.take_callbacks();
    assert_eq!(callbacks.len(), 1, "{callbacks:?}");
    callbacks.remove(0)
}

/// Answers by the connection that the call came by.
fn answer(sim: &mut Sim, callback: &Callback, record: Vec<u8>) {
    sim.send(callback.conn, record);
    sim.settle();
}

/// A new connection, bound to the client's session.
fn bind(sim: &mut Sim, client: &Client, conn: ConnId, dir: ChannelDirFromClient) {
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir,
        use_conn_in_rdma_mode: false,
    };
    let record = client.record(sim.xid(), b"", |c| c.bind_conn_to_session(bind));
    sim.exchange(conn, record).all_ok();
    sim.settle();
}

fn bind_new(sim: &mut Sim, client: &Client) -> ConnId {
    let conn = sim.connect();
    bind(sim, client, conn, ChannelDirFromClient::BackOrBoth);
    conn
}

/// What SEQUENCE says of the backchannels.
fn flags(sim: &mut Sim, client: &mut Client) -> u32 {
    let reply = client.call(sim, |c| c).all_ok();
    ok!(reply, Sequence).status_flags
}

fn state(sim: &Sim) -> BackChannelState {
    let page = sim.engine().sessions(Cursor::default(), 1);
    page.items[0].back_channel
}
