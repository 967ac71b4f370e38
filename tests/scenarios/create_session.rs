//! CREATE_SESSION, DESTROY_SESSION, DESTROY_CLIENTID and RECLAIM_COMPLETE.
//! [RFC 8881 §18.36, §18.37, §18.50, §18.51]

mod destruction;
mod replay;

use std::time::Duration;

use nfs4_engine::{Event, TableLengths};
use nfs4_proto::nfs4::args::{
    self, CallbackSecParms, ChannelAttrs, CreateSession, GssCbHandles, GssSvc,
};
use nfs4_proto::nfs4::basic::ClientId;
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, CREATE_SESSION4_FLAG_CONN_RDMA,
    CREATE_SESSION4_FLAG_PERSIST,
};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, SESSION_ATTRS, Sim, making_args};

fn introduced(sim: &mut Sim) -> Client {
    let mut client = Client::stranger(sim, "a");
    client.exchange_id(sim).all_ok();
    client
}

fn destroy(sim: &mut Sim, client: &Client) -> Reply {
    let args = args::DestroySession {
        sessionid: client.session,
    };
    client.bare(sim, |c| c.destroy_session(args))
}

fn destroy_client(sim: &mut Sim, client: &Client) -> Reply {
    let args = args::DestroyClientId {
        clientid: client.id,
    };
    client.bare(sim, |c| c.destroy_clientid(args))
}

#[test]
fn a_sequence_that_is_neither_the_last_nor_the_next_is_misordered() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    let first = client.create_sequence;
    for sequence in [first.wrapping_sub(1), first + 1, first.wrapping_sub(2)] {
        let args = CreateSession {
            sequence,
            ..client.session_args()
        };
        let reply = client.create_session_with(&mut sim, args);
        assert!(reply.is_only(Op::CreateSession, Status::SEQ_MISORDERED));
    }
    client.create_session(&mut sim).all_ok();
    assert_eq!(client.create_sequence, first + 1);
    client.create_session(&mut sim).all_ok();
    let args = CreateSession {
        sequence: first,
        ..client.session_args()
    };
    let reply = client.bare(&mut sim, |c| c.create_session(args));
    assert!(reply.is_only(Op::CreateSession, Status::SEQ_MISORDERED));
    assert_eq!(sim.tables().sessions, 2);
}

#[test]
fn an_unknown_client_is_stale() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    let known = client.id.0;
    for id in [0, u64::MAX, known ^ 1, known ^ 1 << 16, known ^ 1 << 32] {
        client.id = ClientId(id);
        let reply = client.create_session(&mut sim);
        assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    }
}

#[test]
fn another_principal_cannot_confirm() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    client.uid = 2000;
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::CLID_INUSE));
    client.uid = 1000;
    client.create_session(&mut sim).all_ok();
}

#[test]
fn errors_in_the_arguments_leave_the_sequence_where_it_was() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    let usual = client.session_args();
    let fore = |fore_chan_attrs| CreateSession {
        fore_chan_attrs,
        ..usual
    };
    let gss = CallbackSecParms::Gss(GssCbHandles {
        service: GssSvc::None,
        handle_from_server: b"",
        handle_from_client: b"",
    });
    let only_gss = [gss];
    let refused = [
        (CreateSession { flags: 8, ..usual }, Status::INVAL),
        (
            fore(ChannelAttrs {
                maxrequestsize: 20,
                ..SESSION_ATTRS
            }),
            Status::TOOSMALL,
        ),
        (
            fore(ChannelAttrs {
                maxresponsesize: 20,
                ..SESSION_ATTRS
            }),
            Status::TOOSMALL,
        ),
        (
            CreateSession {
                sec_parms: List::new(&only_gss),
                ..usual
            },
            Status::ENCR_ALG_UNSUPP,
        ),
    ];
    for (args, status) in refused {
        let reply = client.create_session_with(&mut sim, args);
        assert!(reply.is_only(Op::CreateSession, status), "{status}");
        assert_eq!(sim.tables().sessions, 0);
    }
    client.create_session(&mut sim).all_ok();
}

#[test]
fn a_refused_confirmation_leaves_the_old_incarnation_alone() {
    let mut sim = Sim::new();
    let mut old = Client::mounted(&mut sim, "a");
    let mut new = old.clone();
    new.reboot();
    new.exchange_id(&mut sim).all_ok();
    let args = CreateSession {
        flags: 8,
        ..new.session_args()
    };
    let reply = new.create_session_with(&mut sim, args);
    assert!(reply.is_only(Op::CreateSession, Status::INVAL));
    assert_eq!(sim.tables().clients, 2);
    old.call(&mut sim, |c| c).all_ok();
    new.create_session(&mut sim).all_ok();
    assert_eq!(sim.tables().clients, 1);
}

#[test]
fn a_reboot_that_frees_very_much_takes_several_tries() {
    let mut sim = Sim::new();
    let mut old = Client::mounted(&mut sim, "a");
    for number in 0..150_u8 {
        old.call(&mut sim, |c| {
            for file in 0..7 {
                let name = [number / 10 + b'a', number % 10 + b'a', file + b'a'];
                let making = making_args(b"opener", &name);
                c.putrootfh().open(making);
            }
            c
        })
        .all_ok();
    }
    assert_eq!(sim.tables().opens, 1_050);
    let mut new = old.clone();
    new.reboot();
    new.exchange_id(&mut sim).all_ok();
    let reply = new.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::DELAY));
    new.create_session(&mut sim).all_ok();
    assert_eq!((sim.tables().opens, sim.tables().clients), (0, 1));
    sim.assert_nothing_is_left();
}

#[test]
fn a_channel_is_never_granted_more_than_was_asked() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    let huge = ChannelAttrs {
        headerpadsize: 512,
        maxrequestsize: u32::MAX,
        maxresponsesize: u32::MAX,
        maxresponsesize_cached: u32::MAX,
        maxoperations: u32::MAX,
        maxrequests: u32::MAX,
        rdma_ird: None,
    };
    let linux = ChannelAttrs {
        maxrequestsize: (1 << 20) + 512,
        maxresponsesize: (1 << 20) + 512,
        maxresponsesize_cached: 1100,
        maxoperations: 8,
        maxrequests: 64,
        ..SESSION_ATTRS
    };
    let least = ChannelAttrs {
        maxrequestsize: 512,
        maxresponsesize: 400,
        maxresponsesize_cached: 400,
        maxoperations: 2,
        maxrequests: 1,
        ..SESSION_ATTRS
    };
    for asked in [huge, linux, least, SESSION_ATTRS] {
        let args = CreateSession {
            fore_chan_attrs: asked,
            back_chan_attrs: asked,
            ..client.session_args()
        };
        let reply = client.create_session_with(&mut sim, args).all_ok();
        let ok = ok!(reply, CreateSession);
        for granted in [ok.fore_chan_attrs, ok.back_chan_attrs] {
            // Padding is for RDMA.
            assert_eq!(granted.headerpadsize, 0);
            assert!(granted.maxrequestsize <= asked.maxrequestsize);
            assert!(granted.maxresponsesize <= asked.maxresponsesize);
            assert!(granted.maxresponsesize_cached <= asked.maxresponsesize_cached);
            assert!(granted.maxoperations <= asked.maxoperations);
            assert!((1..=asked.maxrequests).contains(&granted.maxrequests));
        }
        // What the client will serve is the client's to say.
        assert_eq!(ok.back_chan_attrs.maxoperations, asked.maxoperations);
        assert_eq!(ok.back_chan_attrs.maxrequests, asked.maxrequests);
        assert_eq!(ok.flags, 0);
        client.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    let args = CreateSession {
        fore_chan_attrs: linux,
        ..client.session_args()
    };
    let reply = client.create_session_with(&mut sim, args);
    // A mount of Linux fails, or its rsize is crooked, with anything less.
    assert_eq!(ok!(reply, CreateSession).fore_chan_attrs, linux);
}

#[test]
fn neither_persistence_nor_rdma_is_promised() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    for back in [0, CREATE_SESSION4_FLAG_CONN_BACK_CHAN] {
        let args = CreateSession {
            flags: CREATE_SESSION4_FLAG_PERSIST | CREATE_SESSION4_FLAG_CONN_RDMA | back,
            ..client.session_args()
        };
        let reply = client.create_session_with(&mut sim, args).all_ok();
        assert_eq!(ok!(reply, CreateSession).flags, back);
        let (conn, session) = (client.conn, client.session);
        let told = Event::RdmaRefused { conn, session };
        assert!(sim.take_events().contains(&told));
    }
    client.create_session(&mut sim).all_ok();
    let refused = |event: &Event| matches!(event, Event::RdmaRefused { .. });
    assert!(!sim.take_events().iter().any(refused));
}

#[test]
fn each_channel_has_a_floor_in_each_of_its_sizes() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    let floor = CreateSession {
        fore_chan_attrs: ChannelAttrs {
            maxrequestsize: 256,
            maxresponsesize: 256,
            maxoperations: 2,
            maxrequests: 1,
            ..SESSION_ATTRS
        },
        back_chan_attrs: ChannelAttrs {
            maxrequestsize: 128,
            maxresponsesize: 128,
            ..SESSION_ATTRS
        },
        ..client.session_args()
    };
    let lower: [fn(&mut CreateSession<'_>); 6] = [
        |args| args.fore_chan_attrs.maxrequestsize -= 1,
        |args| args.fore_chan_attrs.maxresponsesize -= 1,
        |args| args.fore_chan_attrs.maxoperations -= 1,
        |args| args.fore_chan_attrs.maxrequests -= 1,
        |args| args.back_chan_attrs.maxrequestsize -= 1,
        |args| args.back_chan_attrs.maxresponsesize -= 1,
    ];
    for (number, lower) in lower.into_iter().enumerate() {
        let mut args = floor;
        lower(&mut args);
        let reply = client.create_session_with(&mut sim, args);
        assert!(
            reply.is_only(Op::CreateSession, Status::TOOSMALL),
            "{number}: {reply:?}"
        );
    }
    client.create_session_with(&mut sim, floor).all_ok();
}

#[test]
fn a_client_has_a_limited_number_of_sessions() {
    let mut sim = Sim::new();
    let mut client = introduced(&mut sim);
    let limit = sim.settings().sessions_per_client as usize;
    let mut sessions = Vec::new();
    for _ in 0..limit {
        client.create_session(&mut sim).all_ok();
        sessions.push(client.session);
    }
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::NOSPC));
    assert_eq!(sim.tables().sessions, limit);
    // One less, and the same request is granted.
    client.session = sessions.swap_remove(0);
    destroy(&mut sim, &client).all_ok();
    client.create_session(&mut sim).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn reclaim_complete_is_said_once_per_incarnation() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let done = args::ReclaimComplete { one_fs: false };
    let reply = client.call(&mut sim, |c| c.reclaim_complete(done));
    let expected = (Op::ReclaimComplete, Status::COMPLETE_ALREADY);
    assert_eq!(reply.last(), expected);
    // Another session of the same incarnation makes no difference.
    client.create_session(&mut sim).all_ok();
    let reply = client.call(&mut sim, |c| c.reclaim_complete(done));
    assert_eq!(reply.last(), expected);
    client.reboot();
    client.mount(&mut sim);
}

#[test]
fn a_mount_in_a_loop_leaks_nothing() {
    let mut sim = Sim::new();
    for _ in 0..200 {
        let mut client = Client::mounted(&mut sim, "a");
        client.call(&mut sim, |c| c.putrootfh()).all_ok();
        destroy(&mut sim, &client).all_ok();
        destroy_client(&mut sim, &client).all_ok();
        sim.kill(client.conn);
        sim.run();
        sim.sleep(Duration::from_millis(1));
        // Only reminders to look after the client stay a while, and not many.
        let timers = sim.tables().timers;
        assert!(timers < 100, "{timers}");
        let mut empty = TableLengths::default();
        empty.timers = timers;
        assert_eq!(sim.tables(), empty);
    }
    sim.assert_nothing_is_left();
}

#[test]
fn a_session_that_its_own_compound_replaces_does_nothing_more() {
    let mut sim = Sim::new();
    let mut old = Client::mounted(&mut sim, "a");
    let mut new = old.clone();
    new.reboot();
    new.exchange_id(&mut sim).all_ok();
    let confirm = new.session_args();
    let done = args::ReclaimComplete { one_fs: false };
    let reply = old.call(&mut sim, |c| {
        c.create_session(confirm).putrootfh().reclaim_complete(done)
    });
    assert_eq!(reply.last(), (Op::ReclaimComplete, Status::DELAY));
    assert_eq!((sim.tables().clients, sim.tables().sessions), (1, 1));
    assert_eq!(sim.tables().cached_bytes, 0);
    // The answer is still there for a retry.
    new.create_session_with(&mut sim, confirm).all_ok();
    assert_eq!(sim.tables().sessions, 1);
    new.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
    sim.assert_nothing_is_left();
}
