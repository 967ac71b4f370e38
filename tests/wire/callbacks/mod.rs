//! Callbacks over sockets: what is sent, and what becomes of what goes wrong.
//! [RFC 8881 §2.10.3, §2.10.6, §20.9]

mod client40;
mod control;
mod dialled;
mod faults;
mod paused;
mod recall;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use nfs4_driver::engine::fs::Backend;
use nfs4_driver::engine::proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_driver::engine::proto::nfs4::basic::LockType;
use nfs4_driver::engine::proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_driver::engine::proto::nfs4::{ClientId, Op, Owner, Stateid, Status};
use nfs4_driver::engine::{Config, ConnId, TableLengths};
use nfs4_driver::{Limits, SystemClock};
use nfs4_tests::sim::Callback;
use nfs4_vfs::{MemFs, MemFsConfig};

use crate::caller::{CHANNEL, Caller, open};
use crate::peer::{Peer, mark};
use crate::server::{PATIENCE, Running, Transport, node_of};

/// A server of a file system in memory.
async fn serve(on: Transport, config: Config) -> Running {
    serve_files(on, config, Limits::default(), Arc::new(memory())).await
}

async fn serve_files(
    on: Transport,
    config: Config,
    limits: Limits,
    root: Arc<dyn Backend>,
) -> Running {
    let node = node_of(config, limits, root, Arc::new(SystemClock::new()));
    Running::share(on, node).await
}

fn memory() -> MemFs {
    MemFs::new(MemFsConfig::new(1, 64 << 20).with(|files| files.root_mode = 0o777))
}

/// Answers are late, and callbacks come again, soon enough for a test.
fn quick() -> Config {
    Config::default().with(|config| {
        config.callback_timeout = Duration::from_millis(300);
        config.callback_pause = Duration::from_millis(50);
    })
}

/// Answers are never late.
fn patient() -> Config {
    quick().with(|config| config.callback_timeout = Duration::from_secs(60))
}

/// A client that can be called back.
async fn reachable(server: &Running, owner: &[u8]) -> Caller {
    reachable_by(server, owner, CHANNEL).await
}

async fn reachable_by(server: &Running, owner: &[u8], channel: args::ChannelAttrs) -> Caller {
    let mut caller = Caller::stranger(server.address).await;
    caller.introduce(owner).await.all_ok();
    let flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    caller.enter(channel, flags).await.all_ok();
    caller
}

/// Has the server call `called`: it waits for a lock on this new file that `other` had.
async fn provoke(called: &mut Caller, other: &mut Caller, name: &[u8]) {
    let reply = other
        .call(|c| c.putrootfh().open(open(name)).lock(lock(LockType::Write)))
        .await
        .all_ok();
    let lock_stateid = reply.after(2).lock().unwrap().lock_stateid;
    let denied = called
        .call(|c| {
            c.putrootfh()
                .open(open(name))
                .lock(lock(LockType::WriteWait))
        })
        .await;
    assert_eq!(denied.last(), (Op::Lock, Status::DENIED));
    let unlock = args::LockU {
        locktype: LockType::Write,
        seqid: 0,
        lock_stateid,
        offset: 0,
        length: 1,
    };
    let look = args::Lookup { objname: name };
    other
        .call(|c| c.putrootfh().lookup(look).locku(unlock))
        .await
        .all_ok();
}

fn lock(locktype: LockType) -> args::Lock<'static> {
    args::Lock {
        locktype,
        reclaim: false,
        offset: 0,
        length: 1,
        locker: args::Locker::New(args::OpenToLockOwner {
            open_seqid: 0,
            open_stateid: Stateid::CURRENT,
            lock_seqid: 0,
            lock_owner: Owner {
                clientid: ClientId(0),
                owner: b"locker",
            },
        }),
    }
}

/// A client that was just called, and the call.
async fn called(server: &Running) -> (Caller, Callback) {
    let mut client = reachable(server, b"called").await;
    let callback = called_again(server, &mut client, b"first").await;
    (client, callback)
}

async fn called_again(server: &Running, client: &mut Caller, name: &[u8]) -> Callback {
    let mut other = Caller::mounted(server.address, name).await;
    provoke(client, &mut other, name).await;
    callback(&mut client.peer).await
}

/// The next callback.
async fn callback(peer: &mut Peer) -> Callback {
    // Which connection it is on the test knows.
    Callback::new(ConnId::FIRST, &mark(&peer.called().await))
}

/// The status flags of a SEQUENCE.
async fn flags(client: &mut Caller) -> u32 {
    let reply = client.call(|c| c).await.all_ok();
    reply.results().sequence().unwrap().status_flags
}

async fn flags_become(client: &mut Caller, flags_wanted: u32) {
    let mut seen = 0;
    for _ in 0..500 {
        seen = flags(client).await;
        if seen == flags_wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the status flags are {seen:#x} and do not become {flags_wanted:#x}");
}

/// Another connection for the callbacks of a client.
async fn bind(server: &Running, client: &Caller) -> Peer {
    let mut peer = Peer::connect(server.address).await;
    let back = ChannelDirFromClient::BackOrBoth;
    client.bind(&mut peer, back).await.all_ok();
    peer
}

/// No callback is on its way, and none is wanted.
async fn over(server: &Running) {
    tables_become(server, |tables| {
        (tables.callbacks, tables.flights) == (0, 0)
    })
    .await;
}

async fn tables_become(server: &Running, holds: impl Fn(&TableLengths) -> bool) {
    let reached = async {
        while !holds(&server.node.table_lengths().unwrap()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, reached).await;
    assert!(waited.is_ok(), "{:?}", server.node.table_lengths());
}

/// Replies of clients that answered nothing, since the last look.
fn strays(server: &Running) -> u64 {
    let seen = server.node.metrics(|seen| seen.stray_callback_replies);
    seen.unwrap()
}
