//! Each of the engine's settings, seen from the other end of a socket.

use std::sync::Arc;
use std::time::Duration;

use nfs4_driver::engine::proto::nfs4::args::{self, ChannelDirFromClient, CreateType};
use nfs4_driver::engine::proto::nfs4::attr::{AttrValue, num};
use nfs4_driver::engine::proto::nfs4::{Bitmap, FattrRaw, Op, StableHow, Stateid, Status};
use nfs4_driver::engine::snapshot::Cursor;
use nfs4_driver::engine::{Admin, BindingPolicy, Config, Now, ServerAddress};
use nfs4_driver::{Limits, ManualClock};
use nfs4_vfs::{MemFs, MemFsConfig};

use crate::caller::{CHANNEL, CLOSE, Caller, open};
use crate::files::Held;
use crate::flight::wait_for;
use crate::limits::fields;
use crate::peer::Peer;
use crate::server::{Running, Transport, node_of};

/// Every setting has its test: a change that adds a setting adds a test.
#[test]
fn these_are_the_settings() {
    let tested = [
        "lease",
        "grace",
        "min_minor_version",
        "max_minor_version",
        "fore_slots",
        "max_io",
        "max_cached_reply",
        "max_reply_cache",
        "max_operations",
        "sessions_per_client",
        "max_sessions",
        "max_connections_per_session",
        "binding_policy",
        "drain_deadline",
        "callback_timeout", // callbacks
        "callback_pause",   // callbacks
        "blocked_operations",
        "max_clients",
        "max_opens_per_client",
        "max_states", // See `delegations`.
        // See `delegations`.
        "delegations",
        "max_delegations_per_client",
        "max_delegations",
        "delegation_pause",
        "delegation_penalty",
        "server_addresses",
        "slow_request", // in the engine's scenarios, and through nfs4d's log
        "courtesy",     // in the engine's scenarios
    ];
    assert_eq!(fields(&Config::default()), tested);
}

/// A server of an empty `MemFs` that every user may write to, and its clock.
async fn serve(on: Transport, config: Config) -> (Running, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Now::default()));
    let root = Arc::new(MemFs::new(
        MemFsConfig::new(1, 16 << 20).with(|files| files.root_mode = 0o777),
    ));
    let node = node_of(config, Limits::default(), root, Arc::clone(&clock) as _);
    (Running::share(on, node).await, clock)
}

on_each!(lease_is_what_clients_are_told_and_how_long_they_may_be_silent);

async fn lease_is_what_clients_are_told_and_how_long_they_may_be_silent(on: Transport) {
    let config = Config::default().with(|config| {
        config.lease = Duration::from_secs(17);
        config.courtesy = Duration::ZERO;
    });
    let (server, clock) = serve(on, config).await;
    let mut client = Caller::mounted(server.address, b"leased").await;
    let attr_request = Bitmap::of(&[num::LEASE_TIME]);
    let look = args::GetAttr { attr_request };
    let reply = client.call(|c| c.putrootfh().getattr(look)).await.all_ok();
    let told = reply.after(1).getattr().unwrap().obj_attributes.values;
    assert_eq!(told, 17_u32.to_be_bytes());
    clock.advance(Duration::from_millis(16_900));
    client.call(|c| c).await.all_ok();
    clock.advance(Duration::from_millis(17_100));
    let reply = client.call(|c| c).await;
    assert_eq!(reply.last(), (Op::Sequence, Status::BADSESSION));
}

on_each!(grace_is_how_long_new_opens_wait);

async fn grace_is_how_long_new_opens_wait(on: Transport) {
    let config = Config::default().with(|config| config.grace = Duration::from_secs(60));
    let (server, clock) = serve(on, config).await;
    let mut client = Caller::mounted(server.address, b"early").await;
    clock.advance(Duration::from_secs(59));
    let reply = client.call(|c| c.putrootfh().open(open(b"f"))).await;
    assert_eq!(reply.last(), (Op::Open, Status::GRACE));
    clock.advance(Duration::from_secs(1));
    let reply = client.call(|c| c.putrootfh().open(open(b"f"))).await;
    reply.all_ok();
}

on_each!(the_range_of_minor_versions_is_what_is_served);

async fn the_range_of_minor_versions_is_what_is_served(on: Transport) {
    for (min_minor_version, max_minor_version) in [(1, 1), (1, 2), (2, 2)] {
        let config = Config::default().with(|config| {
            config.min_minor_version = min_minor_version;
            config.max_minor_version = max_minor_version;
        });
        let (server, _) = serve(on, config).await;
        for minor in 0..4 {
            let mut client = Caller::stranger(server.address).await;
            client.minor = minor;
            let reply = client.bare(|c| c).await;
            let served = (min_minor_version..=max_minor_version).contains(&minor);
            let expected = if served {
                Status::OK
            } else {
                Status::MINOR_VERS_MISMATCH
            };
            assert_eq!(reply.status(), expected, "{minor}");
        }
    }
}

on_each!(what_sessions_are_granted_is_set);

async fn what_sessions_are_granted_is_set(on: Transport) {
    let config = Config::default().with(|config| {
        config.fore_slots = 3;
        config.max_io = 64 << 10;
        config.max_cached_reply = 2_000;
        config.max_operations = 10;
        config.sessions_per_client = 2;
    });
    let (server, _) = serve(on, config).await;
    let mut client = Caller::stranger(server.address).await;
    client.introduce(b"granted").await.all_ok();
    let reply = client.enter(CHANNEL, 0).await.all_ok();
    let granted = reply.results().create_session().unwrap().fore_chan_attrs;
    assert_eq!((granted.maxrequests, granted.maxoperations), (3, 10));
    assert_eq!(granted.maxresponsesize_cached, 2_000);
    let data_and_headers = (64 << 10) + 512..(64 << 10) + 8_192;
    assert!(data_and_headers.contains(&granted.maxrequestsize));
    assert!(data_and_headers.contains(&granted.maxresponsesize));

    let attr_request = Bitmap::of(&[num::MAXREAD, num::MAXWRITE]);
    let look = args::GetAttr { attr_request };
    let reply = client.call(|c| c.putrootfh().getattr(look)).await.all_ok();
    let told = reply.after(1).getattr().unwrap().obj_attributes.values;
    assert_eq!(told, [65_536_u64.to_be_bytes(); 2].concat());
    let many = client.call(|c| (0..10).fold(c, |c, _| c.putrootfh())).await;
    assert_eq!(many.last(), (Op::Sequence, Status::TOO_MANY_OPS));
    let beyond = client.request(3, |c| c);
    let reply = client.send(&beyond).await;
    assert_eq!(reply.last(), (Op::Sequence, Status::BADSLOT));

    client.enter(CHANNEL, 0).await.all_ok();
    let third = client.enter(CHANNEL, 0).await;
    assert_eq!(third.last(), (Op::CreateSession, Status::NOSPC));
}

on_each!(max_reply_cache_is_the_memory_for_replies_of_all);

async fn max_reply_cache_is_the_memory_for_replies_of_all(on: Transport) {
    let config = Config::default().with(|config| {
        // One peer has a third of it.
        config.max_reply_cache = 3 * (8 << 10);
        config.max_cached_reply = 8 << 10;
    });
    let (server, _) = serve(on, config).await;
    let mut client = Caller::mounted(server.address, b"kept").await;
    let data = &[7; 3_000];
    let write = args::Write {
        stateid: Stateid::CURRENT,
        offset: 0,
        stable: StableHow::FileSync,
        data,
    };
    let reply = client.call(|c| c.putrootfh().open(open(b"f")).write(write).close(CLOSE));
    reply.await.all_ok();
    let read = args::Read {
        stateid: Stateid::CURRENT,
        offset: 0,
        count: 3_000,
    };
    let mut last = None;
    for slot in 1..10 {
        let call = client.request(slot, |c| c.putrootfh().open(open(b"f")).read(read));
        let result = client.send(&call).await.last();
        last = Some(result);
        if result != (Op::Read, Status::OK) {
            break;
        }
        assert!(server.node.table_lengths().unwrap().cached_bytes <= 8 << 10);
    }
    assert_eq!(last, Some((Op::Read, Status::REP_TOO_BIG_TO_CACHE)));
}

on_each!(there_are_as_many_clients_and_sessions_as_are_set);

async fn there_are_as_many_clients_and_sessions_as_are_set(on: Transport) {
    let config = Config::default().with(|config| {
        config.max_clients = 2;
        config.max_sessions = 1;
    });
    let (server, _) = serve(on, config).await;
    Caller::mounted(server.address, b"first").await;
    let mut second = Caller::by(Peer::connect_from(2, server.address).await);
    second.introduce(b"second").await.all_ok();
    let reply = second.enter(CHANNEL, 0).await;
    assert_eq!(reply.last(), (Op::CreateSession, Status::NOSPC));
    // A client without a session gives way, a client with one does not.
    let mut third = Caller::by(Peer::connect_from(3, server.address).await);
    third.introduce(b"third").await.all_ok();
    let reply = second.enter(CHANNEL, 0).await;
    assert_eq!(reply.last(), (Op::CreateSession, Status::STALE_CLIENTID));
    let config = Config::default().with(|config| config.max_clients = 1);
    let (server, _) = serve(on, config).await;
    Caller::mounted(server.address, b"first").await;
    let mut second = Caller::stranger(server.address).await;
    let reply = second.introduce(b"second").await;
    assert_eq!(reply.last(), (Op::ExchangeId, Status::SERVERFAULT));
}

on_each!(one_peer_has_a_third_of_the_clients_and_another_finds_room);

async fn one_peer_has_a_third_of_the_clients_and_another_finds_room(on: Transport) {
    let config = Config::default().with(|config| config.max_clients = 30);
    let (server, _) = serve(on, config).await;
    let mut greedy = Vec::new();
    for number in 0..11_u8 {
        let mut client = Caller::stranger(server.address).await;
        let reply = client.introduce(&[number]).await;
        if number == 10 {
            assert_eq!(reply.last(), (Op::ExchangeId, Status::SERVERFAULT));
        } else {
            client.enter(CHANNEL, 0).await.all_ok();
        }
        greedy.push(client);
    }
    let mut modest = Caller::by(Peer::connect_from(2, server.address).await);
    modest.introduce(b"modest").await.all_ok();
    modest.enter(CHANNEL, 0).await.all_ok();
}

on_each!(a_session_has_as_many_connections_as_are_set);

async fn a_session_has_as_many_connections_as_are_set(on: Transport) {
    for (max_connections_per_session, expected) in [(2, Status::RESOURCE), (0, Status::OK)] {
        let config = Config::default()
            .with(|config| config.max_connections_per_session = max_connections_per_session);
        let (server, _) = serve(on, config).await;
        let client = Caller::mounted(server.address, b"trunking").await;
        let mut second = Peer::connect(server.address).await;
        let mut third = Peer::connect(server.address).await;
        let fore = ChannelDirFromClient::Fore;
        client.bind(&mut second, fore).await.all_ok();
        assert_eq!(client.bind(&mut third, fore).await.status(), expected);
    }
}

on_each!(the_policy_decides_whether_a_bind_takes_a_connection_from_another_session);

async fn the_policy_decides_whether_a_bind_takes_a_connection_from_another_session(on: Transport) {
    for (binding_policy, expected) in [(BindingPolicy::Exclusive, 1), (BindingPolicy::Shared, 2)] {
        let config = Config::default().with(|config| config.binding_policy = binding_policy);
        let (server, _) = serve(on, config).await;
        let one = Caller::mounted(server.address, b"one").await;
        let other = Caller::mounted(server.address, b"other").await;
        let mut between = Peer::connect(server.address).await;
        let fore = ChannelDirFromClient::Fore;
        one.bind(&mut between, fore).await.all_ok();
        other.bind(&mut between, fore).await.all_ok();
        let page = server.node.sessions(Cursor::default(), 10).unwrap();
        let view = page
            .items
            .iter()
            .find(|view| view.session_id == one.session);
        let bound = view.unwrap().connection_summary.total;
        assert_eq!(bound, expected, "{binding_policy:?}");
    }
}

on_each!(a_draining_connection_is_closed_at_the_deadline);

async fn a_draining_connection_is_closed_at_the_deadline(on: Transport) {
    let config = Config::default().with(|config| config.drain_deadline = Duration::from_secs(1));
    let files = Arc::new(Held::default());
    let clock = Arc::new(nfs4_driver::SystemClock::new());
    let node = node_of(config, Limits::default(), Arc::clone(&files) as _, clock);
    let server = Running::share(on, node).await;
    let mut client = Caller::mounted(server.address, b"drained").await;
    files.hold(true);
    let look = args::GetAttr {
        attr_request: Bitmap::EMPTY,
    };
    let call = client.request(0, |c| c.putrootfh().getattr(look));
    client.peer.send(&call).await;
    wait_for(&files, 1).await;
    let page = server.node.sessions(Cursor::default(), 10).unwrap();
    let conn = page.items[0].connections[0].connection_id;
    server.node.admin(Admin::Drain { conn }).unwrap();
    let start = std::time::Instant::now();
    client.peer.is_closed().await;
    let waited = start.elapsed();
    assert!(waited > Duration::from_millis(900), "{waited:?}");
}

on_each!(blocked_operations_are_not_supported);

async fn blocked_operations_are_not_supported(on: Transport) {
    let config = Config::default().with(|config| config.blocked_operations = vec![Op::Create]);
    let (server, _) = serve(on, config).await;
    let mut client = Caller::mounted(server.address, b"blocked").await;
    let create = args::Create {
        objtype: CreateType::Directory,
        objname: b"d",
        createattrs: FattrRaw::EMPTY,
    };
    let reply = client.call(|c| c.putrootfh().create(create)).await;
    assert_eq!(reply.last(), (Op::Create, Status::NOTSUPP));
}

on_each!(a_client_has_as_many_files_open_as_are_set);

async fn a_client_has_as_many_files_open_as_are_set(on: Transport) {
    let config = Config::default().with(|config| config.max_opens_per_client = 1);
    let (server, _) = serve(on, config).await;
    let mut client = Caller::mounted(server.address, b"opening").await;
    let reply = client.call(|c| c.putrootfh().open(open(b"f"))).await;
    reply.all_ok();
    let reply = client.call(|c| c.putrootfh().open(open(b"g"))).await;
    assert_eq!(reply.last(), (Op::Open, Status::DQUOT));
}

on_each!(all_clients_have_as_much_state_as_is_set);

async fn all_clients_have_as_much_state_as_is_set(on: Transport) {
    let config = Config::default().with(|config| config.max_states = 16);
    let (server, _) = serve(on, config).await;
    let mut clients = Vec::new();
    // All at one host have a third of it.
    for number in 0..6_u8 {
        let mut client = Caller::mounted(server.address, &[number]).await;
        let reply = client
            .call(|c| c.putrootfh().open(open(&[b'a' + number])))
            .await;
        let expected = if number < 5 {
            Status::OK
        } else {
            Status::DQUOT
        };
        assert_eq!(reply.status(), expected, "{number}");
        clients.push(client);
    }
    let mut other = Caller::by(Peer::connect_from(2, server.address).await);
    other.introduce(b"other").await.all_ok();
    other.enter(CHANNEL, 0).await.all_ok();
    let reply = other.call(|c| c.putrootfh().open(open(b"other"))).await;
    reply.all_ok();
}

on_each!(clients_are_told_the_addresses_that_are_set);

async fn clients_are_told_the_addresses_that_are_set(on: Transport) {
    let config = Config::default().with(|config| {
        config.server_addresses = vec![
            ServerAddress::Ip([192, 0, 2, 1].into(), 2049),
            ServerAddress::Name("files.example".to_owned()),
        ];
    });
    let (server, _) = serve(on, config).await;
    let mut client = Caller::mounted(server.address, b"trunking").await;
    let attr_request = Bitmap::of(&[num::FS_LOCATIONS]);
    let look = args::GetAttr { attr_request };
    let reply = client.call(|c| c.putrootfh().getattr(look)).await.all_ok();
    let attrs = reply.after(1).getattr().unwrap().obj_attributes;
    let Some(AttrValue::FsLocations(told)) = attrs.get(num::FS_LOCATIONS) else {
        panic!("not told")
    };
    let servers: Vec<&[u8]> = told.locations.iter().flat_map(|at| at.server).collect();
    assert_eq!(servers, [&b"192.0.2.1"[..], b"files.example"]);
}
