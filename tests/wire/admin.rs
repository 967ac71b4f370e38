//! What the administrator asks of a running server, seen from the other end of a socket.

use std::sync::Arc;
use std::time::Duration;

use nfs4_driver::engine::proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_driver::engine::proto::nfs4::attr::num;
use nfs4_driver::engine::proto::nfs4::{Bitmap, Op, SessionId, Status};
use nfs4_driver::engine::snapshot::Cursor;
use nfs4_driver::engine::{
    Admin, AdminFault, BindingPolicy, Change, Config, ConnId, Now, SessionGone,
};
use nfs4_driver::{AdminError, Limits, ManualClock, Node};
use nfs4_vfs::{MemFs, MemFsConfig};

use crate::caller::{CHANNEL, Caller, open};
use crate::files::Held;
use crate::flight::wait_for;
use crate::log;
use crate::metrics::Watch;
use crate::peer::Peer;
use crate::server::{Running, Transport, node_of};

fn configure(node: &Node, change: Change) {
    node.admin(Admin::Configure(Box::new(change))).unwrap();
}

/// Serves an empty `MemFs`, on a clock that stands.
async fn serve(on: Transport, config: Config) -> (Running, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Now::default()));
    let root = Arc::new(MemFs::new(
        MemFsConfig::new(1, 16 << 20).with(|files| files.root_mode = 0o777),
    ));
    let node = node_of(config, Limits::default(), root, Arc::clone(&clock) as _);
    (Running::share(on, node).await, clock)
}

on_each!(a_client_is_thrown_out_with_all_that_it_has);

async fn a_client_is_thrown_out_with_all_that_it_has(on: Transport) {
    let (server, _) = serve(on, Config::default()).await;
    let node = &server.node;
    let mut watch = Watch::new();
    let mut client = Caller::mounted(server.address, b"out").await;
    let mut other = Caller::mounted(server.address, b"other").await;
    let reply = client.call(|c| c.putrootfh().open(open(b"f"))).await;
    reply.all_ok();
    let evict = Admin::EvictClient {
        client: client.id.0,
    };
    node.admin(evict.clone()).unwrap();
    let tables = node.table_lengths().unwrap();
    assert_eq!((tables.clients, tables.sessions), (1, 1));
    assert_eq!((tables.opens, tables.files), (0, 0));
    let reply = client.call(|c| c).await;
    assert_eq!(reply.last(), (Op::Sequence, Status::BADSESSION));
    other.call(|c| c.putrootfh()).await.all_ok();
    let reason = SessionGone::Evicted.label();
    watch.expect(node, "sessions_destroyed_total", &[reason], 1);
    let fault = AdminFault::NoClient(client.id.0);
    assert_eq!(node.admin(evict), Err(AdminError::Fault(fault)));
    // An operator's act is worth a line, and one that cannot be done is not.
    let told = format!("EvictClient {{ client: {}", client.id.0);
    assert!(!log::lines("nfs4_driver::log", &told).is_empty());
}

on_each!(a_session_is_ended_while_a_request_of_it_runs);

async fn a_session_is_ended_while_a_request_of_it_runs(on: Transport) {
    let files = Arc::new(Held::default());
    let server = Running::serve(on, Limits::default(), Arc::clone(&files) as _).await;
    let mut client = Caller::mounted(server.address, b"ended").await;
    files.hold(true);
    let look = args::GetAttr {
        attr_request: Bitmap::of(&[num::SIZE]),
    };
    let call = client.request(3, |c| c.putrootfh().getattr(look));
    client.peer.send(&call).await;
    wait_for(&files, 1).await;
    let session = client.session;
    server
        .node
        .admin(Admin::DestroySession { session })
        .unwrap();
    let tables = server.node.table_lengths().unwrap();
    assert_eq!((tables.clients, tables.sessions), (1, 0));
    files.take(0).complete(Ok(crate::files::root_attrs()));
    let reply = client.reply().await;
    assert_eq!(reply.last(), (Op::GetAttr, Status::OK));
    files.hold(false);
    client.enter(CHANNEL, 0).await.all_ok();
    client.call(|c| c.putrootfh()).await.all_ok();
}

on_each!(what_cannot_be_done_is_told);

async fn what_cannot_be_done_is_told(on: Transport) {
    let (server, _) = serve(on, Config::default()).await;
    let node = &server.node;
    let conn = ConnId::new(77).unwrap();
    let session = SessionId([7; 16]);
    let cases = [
        (Admin::Drain { conn }, AdminFault::NoConnection(conn)),
        (Admin::StopDraining { conn }, AdminFault::NoConnection(conn)),
        (Admin::EvictClient { client: 7 }, AdminFault::NoClient(7)),
        (
            Admin::DestroySession { session },
            AdminFault::NoSession(session),
        ),
    ];
    for (admin, fault) in cases {
        assert_eq!(node.admin(admin), Err(AdminError::Fault(fault)));
    }
    let wrong = Change::default().with(|change| {
        change.lease = Some(Duration::ZERO);
        change.min_minor_version = Some(3);
    });
    let refused = node.admin(Admin::Configure(Box::new(wrong)));
    let message = refused.unwrap_err().to_string();
    for part in [
        "lease (seconds) is 0, but must be from 1 to 3600",
        "min_minor_version is 3, but must be from 0 to 2",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(node.config().unwrap(), Config::default());
}

on_each!(settings_change_while_clients_are_there);

async fn settings_change_while_clients_are_there(on: Transport) {
    let (server, clock) = serve(
        on,
        Config::default().with(|config| {
            config.grace = Duration::from_secs(60);
            config.courtesy = Duration::ZERO;
        }),
    )
    .await;
    let node = &server.node;
    let mut client = Caller::mounted(server.address, b"there").await;

    let reply = client.call(|c| c.putrootfh().open(open(b"f"))).await;
    assert_eq!(reply.last(), (Op::Open, Status::GRACE));
    let over = Change::default().with(|change| change.grace = Some(Duration::ZERO));
    configure(node, over);
    let reply = client.call(|c| c.putrootfh().open(open(b"f"))).await;
    reply.all_ok();

    let blocked = |ops| Change::default().with(|change| change.blocked_operations = Some(ops));
    configure(node, blocked(vec![Op::GetFh]));
    let reply = client.call(|c| c.putrootfh().getfh()).await;
    assert_eq!(reply.last(), (Op::GetFh, Status::NOTSUPP));
    configure(node, blocked(Vec::new()));
    client.call(|c| c.putrootfh().getfh()).await.all_ok();

    let versions = |min, max| {
        Change::default().with(|change| {
            change.min_minor_version = Some(min);
            change.max_minor_version = Some(max);
        })
    };
    configure(node, versions(2, 2));
    let call = client.request(1, |c| c.putrootfh());
    let reply = client.send(&call).await;
    assert_eq!(reply.status(), Status::MINOR_VERS_MISMATCH);
    configure(node, versions(0, 2));
    client.send(&call).await.all_ok();

    // The lease that it was told of is kept, and a new one is shorter.
    let shorter = Change::default().with(|change| change.lease = Some(Duration::from_secs(10)));
    configure(node, shorter);
    let mut new = Caller::mounted(server.address, b"new").await;
    clock.advance(Duration::from_secs(11));
    client.call(|c| c).await.all_ok();
    let reply = new.call(|c| c).await;
    assert_eq!(reply.last(), (Op::Sequence, Status::BADSESSION));

    let fewer = Change::default().with(|change| change.fore_slots = Some(2));
    configure(node, fewer);
    let beyond = client.request(40, |c| c);
    client.send(&beyond).await.all_ok();
    let reply = client.enter(CHANNEL, 0).await.all_ok();
    let granted = reply.results().create_session().unwrap().fore_chan_attrs;
    assert_eq!(granted.maxrequests, 2);
}

on_each!(the_binding_policy_changes_while_connections_are_bound);

async fn the_binding_policy_changes_while_connections_are_bound(on: Transport) {
    let (server, _) = serve(on, Config::default()).await;
    let node = &server.node;
    let limit =
        |limit| Change::default().with(|change| change.max_connections_per_session = Some(limit));
    let policy = |policy| Change::default().with(|change| change.binding_policy = Some(policy));
    let one = Caller::mounted(server.address, b"one").await;
    let other = Caller::mounted(server.address, b"other").await;
    let connections = |of: &Caller| {
        let page = node.sessions(Cursor::default(), 10).unwrap();
        let mut found = page.items.iter();
        let found = found.find(|view| view.session_id == of.session).unwrap();
        found.connection_summary.total
    };
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(Peer::connect(server.address).await);
    }
    let fore = ChannelDirFromClient::Fore;
    configure(node, policy(BindingPolicy::Shared));
    one.bind(&mut peers[0], fore).await.all_ok();
    other.bind(&mut peers[0], fore).await.all_ok();
    one.bind(&mut peers[1], fore).await.all_ok();
    assert_eq!((connections(&one), connections(&other)), (3, 2));
    configure(node, limit(2));
    let reply = one.bind(&mut peers[2], fore).await;
    assert_eq!(reply.status(), Status::RESOURCE);
    assert_eq!((connections(&one), connections(&other)), (3, 2));
    configure(node, policy(BindingPolicy::Exclusive));
    assert_eq!((connections(&one), connections(&other)), (3, 2));
    other.bind(&mut peers[0], fore).await.all_ok();
    assert_eq!((connections(&one), connections(&other)), (2, 2));
}
