//! Bad input gets RPC's own answer or a closed connection and a log line, and the others notice
//! nothing. [RFC 5531 §9, §11]

use nfs4_driver::Limits;
use nfs4_driver::engine::proto::rpc::reply::write_success;
use nfs4_driver::engine::proto::rpc::{AuthFlavor, AuthStat, CallHeader, Fault, Mark, OpaqueAuth};
use nfs4_driver::engine::proto::xdr::Writer;

use crate::log;
use crate::peer::{NULL, Peer, fragments, mark, message, record, sys};
use crate::server::{Running, Transport};

on_each!(null_is_answered_for_auth_none_and_auth_sys);

async fn null_is_answered_for_auth_none_and_auth_sys(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut peer = Peer::connect(server.address).await;
    assert!(peer.is_served().await);
    let user = auth_sys(&[4, 24]);
    peer.send(&record(&CallHeader {
        cred: sys(&user),
        ..NULL
    }))
    .await;
    assert_eq!(peer.outcome(NULL.xid).await, Ok(()));
}

on_each!(calls_that_cannot_be_served_get_the_answer_of_rpc);

async fn calls_that_cannot_be_served_get_the_answer_of_rpc(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut bystander = Peer::connect(server.address).await;
    let mut peer = Peer::connect(server.address).await;
    let gss = OpaqueAuth {
        flavor: AuthFlavor::RPCSEC_GSS,
        body: &[],
    };
    let many = auth_sys(&[0; 17]);
    let cases = [
        (
            CallHeader {
                prog: 100_005,
                ..NULL
            },
            Fault::ProgUnavail,
        ),
        (
            CallHeader { vers: 3, ..NULL },
            Fault::ProgMismatch { low: 4, high: 4 },
        ),
        (
            CallHeader { vers: 5, ..NULL },
            Fault::ProgMismatch { low: 4, high: 4 },
        ),
        (CallHeader { proc: 2, ..NULL }, Fault::ProcUnavail),
        (
            CallHeader {
                proc: u32::MAX,
                ..NULL
            },
            Fault::ProcUnavail,
        ),
        (
            CallHeader { cred: gss, ..NULL },
            Fault::AuthError(AuthStat::BadCred),
        ),
        (
            CallHeader {
                cred: sys(&[1, 2]),
                ..NULL
            },
            Fault::AuthError(AuthStat::BadCred),
        ),
        (
            CallHeader {
                cred: sys(&many),
                ..NULL
            },
            Fault::AuthError(AuthStat::BadCred),
        ),
        (
            CallHeader {
                cred: sys(&[0; 401]),
                ..NULL
            },
            Fault::AuthError(AuthStat::BadCred),
        ),
        (
            CallHeader { verf: gss, ..NULL },
            Fault::AuthError(AuthStat::BadVerf),
        ),
    ];
    for (call, fault) in cases {
        peer.send(&record(&call)).await;
        assert_eq!(peer.outcome(call.xid).await, Err(fault), "{call:?}");
        assert!(bystander.is_served().await);
    }
    assert_eq!(
        log::lines("call refused", &peer.address.to_string()).len(),
        10
    );

    other_rpc_version_is_refused(&mut peer).await;
    assert!(peer.is_served().await, "none of it costs the connection");
}

async fn other_rpc_version_is_refused(peer: &mut Peer) {
    let mut other_rpc = message(&NULL);
    other_rpc[8..12].copy_from_slice(&3_u32.to_be_bytes());
    peer.send(&mark(&other_rpc)).await;
    assert_eq!(
        peer.outcome(NULL.xid).await,
        Err(Fault::RpcMismatch { low: 2, high: 2 })
    );
}

on_each!(a_header_that_ends_early_is_garbage);

async fn a_header_that_ends_early_is_garbage(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut peer = Peer::connect(server.address).await;
    let whole = message(&NULL);
    for cut in 8..whole.len() {
        peer.send(&mark(&whole[..cut])).await;
        assert_eq!(
            peer.outcome(NULL.xid).await,
            Err(Fault::GarbageArgs),
            "{cut}"
        );
    }
    assert!(peer.is_served().await);
}

on_each!(what_is_no_message_closes_the_connection_and_no_other);

async fn what_is_no_message_closes_the_connection_and_no_other(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut bystander = Peer::connect(server.address).await;
    let too_long = Mark {
        last: true,
        len: server.node.limits().max_record + 1,
    }
    .to_bytes();
    let scattered = vec![0; Mark::LEN * (server.node.limits().max_fragments as usize + 1)];
    let cases: [(&[u8], &str); 8] = [
        (&mark(b""), "not an RPC message"),
        (&mark(b"1234567"), "not an RPC message"),
        (&mark(&[0, 0, 0, 1, 0, 0, 0, 2]), "not an RPC message"),
        // A reply that is accepted, and no more.
        (
            &mark(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]),
            "not an RPC message",
        ),
        // A reply that is neither accepted nor denied.
        (
            &mark(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9]),
            "not an RPC message",
        ),
        (&too_long, "1114113"),
        (&scattered, "fragments"),
        (b"GET / HTTP/1.1\r\nHost: example\r\n\r\n", "WARN"),
    ];
    for (garbage, line) in cases {
        let mut peer = Peer::connect(server.address).await;
        assert!(peer.is_served().await);
        peer.send(&[&record(&NULL)[..], garbage].concat()).await;
        assert_eq!(
            peer.outcome(NULL.xid).await,
            Ok(()),
            "what came before is answered"
        );
        peer.is_closed().await;
        assert!(bystander.is_served().await);
        // Quoted, since one port may be the beginning of another.
        let address = format!("{:?}", peer.address.to_string());
        let lines = log::lines(&address, "WARN");
        assert_eq!(lines.len(), 1, "{garbage:?}");
        assert!(lines[0].contains(line), "{}", lines[0]);
    }
    server.has_connections(1).await;
}

on_each!(records_may_be_torn_and_fragmented_anyhow);

async fn records_may_be_torn_and_fragmented_anyhow(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut peer = Peer::connect(server.address).await;
    let long_cred = auth_sys(&[1; 16]);
    let long = message(&CallHeader {
        cred: sys(&long_cred),
        ..NULL
    });
    for size in [1, 3, 4, 7, 100] {
        peer.send(&fragments(&long, size)).await;
        assert_eq!(peer.outcome(NULL.xid).await, Ok(()), "fragments of {size}");
    }
    for byte in record(&NULL) {
        peer.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.outcome(NULL.xid).await, Ok(()));

    let mut big = message(&NULL);
    big.resize(server.node.limits().max_record as usize, 0);
    for stream in [
        mark(&big),
        fragments(&big, 100_000),
        [mark(&big), mark(&big)].concat(),
    ] {
        peer.send(&stream).await;
        assert_eq!(peer.outcome(NULL.xid).await, Ok(()));
    }
    assert_eq!(peer.outcome(NULL.xid).await, Ok(()), "the second of two");
    assert!(peer.is_served().await);
}

on_each!(a_reply_to_no_call_is_dropped);

async fn a_reply_to_no_call_is_dropped(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut peer = Peer::connect(server.address).await;
    // Its transaction id is that of the call behind it.
    let mut reply = Writer::new();
    write_success(&mut reply, NULL.xid);
    peer.send(&[mark(reply.as_slice()), record(&NULL)].concat())
        .await;
    assert_eq!(peer.outcome(NULL.xid).await, Ok(()));
    assert!(peer.is_served().await);
    let stray = server.node.metrics(|seen| seen.stray_callback_replies);
    assert_eq!(stray, Ok(1));
}

on_each!(calls_in_one_segment_are_answered_in_one);

async fn calls_in_one_segment_are_answered_in_one(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut peer = Peer::connect(server.address).await;
    let calls: Vec<u8> = (0..500)
        .flat_map(|xid| record(&CallHeader { xid, ..NULL }))
        .collect();
    peer.send(&calls).await;
    for xid in 0..500 {
        assert_eq!(peer.outcome(xid).await, Ok(()));
    }
}

/// The body of an AUTH_SYS credential with these groups, however many.
fn auth_sys(gids: &[u32]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u32(77);
    writer.opaque(b"machine");
    writer.u32(1000);
    writer.u32(100);
    writer.u32(gids.len() as u32);
    for gid in gids {
        writer.u32(*gid);
    }
    writer.into_vec()
}
