//! Settings of the protocol, each by what a client notices of it; those that bound connections,
//! leases, sessions, state and the memory for replies are shown where these are.

use nfs4_engine::Config;
use nfs4_proto::nfs4::args::{self, ChannelAttrs, CreateType};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Sim, making_args};

/// What a client is granted that asks for as much as can be.
fn granted(config: Config) -> ChannelAttrs {
    let mut sim = Sim::with(config);
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let args = args::CreateSession {
        fore_chan_attrs: ChannelAttrs {
            headerpadsize: 0,
            maxrequestsize: u32::MAX,
            maxresponsesize: u32::MAX,
            maxresponsesize_cached: u32::MAX,
            maxoperations: u32::MAX,
            maxrequests: u32::MAX,
            rdma_ird: None,
        },
        ..client.session_args()
    };
    let reply = client.create_session_with(&mut sim, args).all_ok();
    ok!(reply, CreateSession).fore_chan_attrs
}

#[test]
fn by_default_a_session_has_64_slots_1_mib_of_data_and_64_kib_of_kept_reply() {
    let granted = granted(Config::default());
    assert_eq!(granted.maxrequests, 64);
    assert_eq!(granted.maxresponsesize_cached, 64 << 10);
    let data = 1 << 20;
    assert!((data + 512..data + 8_192).contains(&granted.maxrequestsize));
    assert!((data + 512..data + 8_192).contains(&granted.maxresponsesize));
}

#[test]
fn the_measures_of_a_channel_are_settings() {
    let granted = granted(Config::default().with(|config| {
        config.fore_slots = 1_024;
        config.max_io = 64 << 10;
        config.max_cached_reply = 4 << 10;
        config.max_operations = 100;
    }));
    assert_eq!(granted.maxrequests, 1_024);
    assert_eq!(granted.maxoperations, 100);
    assert_eq!(granted.maxresponsesize_cached, 4 << 10);
    assert!(granted.maxrequestsize < (64 << 10) + 8_192);
    assert!(granted.maxresponsesize < (64 << 10) + 8_192);
}

#[test]
fn the_last_of_1024_slots_is_a_slot_like_any_other() {
    let mut sim = Sim::with(Sim::config().with(|config| config.fore_slots = 1_024));
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let mut args = client.session_args();
    args.fore_chan_attrs.maxrequests = 2_000;
    client.create_session_with(&mut sim, args).all_ok();
    let request = client.request(&mut sim, 1_023, true, |c| c.putrootfh());
    let first = request.exchange(&mut sim, client.conn).all_ok();
    let again = request.again(&mut sim).exchange(&mut sim, client.conn);
    assert_eq!(again.body(), first.body());
    let beyond = client.request(&mut sim, 1_024, true, |c| c.putrootfh());
    let reply = beyond.exchange(&mut sim, client.conn);
    assert!(reply.is_only(Op::Sequence, Status::BADSLOT));
    sim.assert_nothing_is_left();
}

#[test]
fn a_new_server_without_grace_opens_files_at_once() {
    let mut sim = Sim::with(Config::default());
    let mut client = Client::mounted(&mut sim, "a");
    client
        .call(&mut sim, |c| c.putrootfh().open(making_args(b"o", b"f")))
        .all_ok();
}

#[test]
fn blocked_operations_are_not_supported_wherever_they_stand() {
    let mut sim = Sim::with(Sim::config().with(|config| {
        config.blocked_operations = vec![Op::Create, Op::DestroySession, Op::BindConnToSession];
    }));
    let mut client = Client::mounted(&mut sim, "a");
    let directory = args::Create {
        objtype: CreateType::Directory,
        objname: b"d",
        createattrs: FattrRaw::EMPTY,
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().create(directory).getfh());
    assert_eq!(reply.last(), (Op::Create, Status::NOTSUPP));
    assert_eq!(sim.fs().requests("Create"), 0);
    let destroy = args::DestroySession {
        sessionid: client.session,
    };
    let reply = client.bare(&mut sim, |c| c.destroy_session(destroy));
    assert!(reply.is_only(Op::DestroySession, Status::NOTSUPP));
    let reply = client.call(&mut sim, |c| c.destroy_session(destroy));
    assert_eq!(reply.last(), (Op::DestroySession, Status::NOTSUPP));
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: args::ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    let reply = client.bare(&mut sim, |c| c.bind_conn_to_session(bind));
    assert!(reply.is_only(Op::BindConnToSession, Status::NOTSUPP));
    // That it is not served at all comes before where it may stand.
    let reply = client.bare(&mut sim, |c| c.bind_conn_to_session(bind).putrootfh());
    assert!(reply.is_only(Op::BindConnToSession, Status::NOTSUPP));
    let reply = client.call(&mut sim, |c| c.bind_conn_to_session(bind));
    assert_eq!(reply.last(), (Op::BindConnToSession, Status::NOTSUPP));
    let reply = client.bare(&mut sim, |c| c.create(directory).putrootfh());
    assert!(reply.is_only(Op::Create, Status::NOTSUPP));
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
}

#[test]
fn beyond_the_limit_of_clients_there_is_no_new_one_until_another_is_gone() {
    let mut sim = Sim::with(Sim::config().with(|config| config.max_clients = 2));
    let conns = ["192.0.2.2", "192.0.2.3", "192.0.2.4"].map(|host| sim.connect_from(host));
    let mut known = Client::on(conns[0], "a");
    known.mount(&mut sim);
    Client::on(conns[1], "b").mount(&mut sim);
    let mut third = Client::on(conns[2], "c");
    let reply = third.exchange_id(&mut sim);
    assert!(reply.is_only(Op::ExchangeId, Status::SERVERFAULT));
    let mut fourth = Client40::by(conns[2], "d");
    let reply = fourth.introduce(&mut sim);
    assert!(reply.is_only(Op::SetClientId, Status::RESOURCE));
    // Those that are there go on.
    known.exchange_id(&mut sim).all_ok();
    known.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.sleep(sim.settings().lease / 2);
    known.call(&mut sim, |c| c).all_ok();
    sim.sleep(sim.settings().lease * 3 / 4);
    third.mount(&mut sim);
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_has_a_limited_number_of_files_open() {
    let mut sim = Sim::with(Sim::config().with(|config| config.max_opens_per_client = 3));
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = Client::mounted(&mut sim, "b");
    for name in [b"f", b"g", b"h"] {
        client
            .call(&mut sim, |c| c.putrootfh().open(making_args(b"o", name)))
            .all_ok();
    }
    let reply = client.call(&mut sim, |c| c.putrootfh().open(making_args(b"o", b"i")));
    assert_eq!(reply.last(), (Op::Open, Status::DQUOT));
    // What is open can be opened again and closed, and others have their own.
    let close = args::Close {
        seqid: 0,
        open_stateid: Stateid::CURRENT,
    };
    other
        .call(&mut sim, |c| c.putrootfh().open(making_args(b"o", b"i")))
        .all_ok();
    client
        .call(&mut sim, |c| {
            c.putrootfh().open(making_args(b"o", b"f")).close(close)
        })
        .all_ok();
    client
        .call(&mut sim, |c| c.putrootfh().open(making_args(b"o", b"i")))
        .all_ok();
    sim.assert_nothing_is_left();
}
