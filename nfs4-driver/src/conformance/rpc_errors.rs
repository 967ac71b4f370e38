//! Bad input gets RPC's own answer or a closed connection, and others notice nothing. [RFC 5531 §9, §11]

use nfs4_engine::proto::rpc::{
    CallHeader, Fault, Mark, NFS_V4, NFS4_PROGRAM, NFSPROC4_NULL, OpaqueAuth, write_mark,
};
use nfs4_engine::proto::xdr::{Encode as _, Writer};

use super::Transport;
use super::client::{next_xid, outcome};
use super::scene::Scene;

/// Other programs, versions and procedures, and a header that ends early, are answered as RPC has it,
/// and cost no connection.
pub fn calls_that_cannot_be_served_get_errors<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut client = scene.connect();
    let versions = Fault::ProgMismatch { low: 4, high: 4 };
    for (change, fault) in [
        (Change::Program(100_005), Fault::ProgUnavail),
        (Change::Version(3), versions),
        (Change::Version(5), versions),
        (Change::Procedure(2), Fault::ProcUnavail),
        (Change::Cut(12), Fault::GarbageArgs),
    ] {
        let (xid, call) = changed(change);
        client.send(&call).expect("it is read");
        let reply = client.reply().expect("a reply");
        assert_eq!(outcome(&reply), (xid, Err(fault)));
    }
    assert!(client.is_served());
    drop(client);
    scene.end();
}

/// A stream that is no RPC is closed, after the answers to what came before.
pub fn what_is_no_message_closes_its_connection_alone<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut bystander = scene.connect();
    let too_long = Mark {
        last: true,
        len: scene.node.limits().max_record + 1,
    };
    let cases: [&[u8]; 4] = [
        &marked(b"1234567"),
        &marked(&[0, 0, 0, 1, 0, 0, 0, 2]),
        &too_long.to_bytes(),
        b"GET / HTTP/1.1\r\nHost: example\r\n\r\n",
    ];
    for garbage in cases {
        let mut client = scene.connect();
        let (xid, call) = changed(Change::None);
        let both = [&call[..], garbage].concat();
        client.send(&both).expect("it is read");
        client.reply_to(xid);
        assert!(client.is_closed(), "{garbage:?}");
        assert!(bystander.is_served());
    }
    scene.has_connections(1);
    drop(bystander);
    scene.end();
}

/// Fragments without a byte, one after the other, are counted as others are.
pub fn empty_fragments_do_not_go_on_for_ever<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut bystander = scene.connect();
    let mut client = scene.connect();
    let empty = Mark {
        last: false,
        len: 0,
    };
    let many = empty.to_bytes().repeat(1_000);
    let mut sent = 0;
    // What is in buffers is taken after the connection was closed.
    while client.send(&many).is_ok() {
        sent += many.len();
        assert!(sent < 256 << 20, "the server reads on and on");
        assert!(bystander.is_served());
    }
    assert!(client.is_closed());
    scene.has_connections(1);
    drop((client, bystander));
    scene.end();
}

/// How a call of NULL is changed.
#[derive(Clone, Copy)]
enum Change {
    None,
    Program(u32),
    Version(u32),
    Procedure(u32),
    /// To so many bytes.
    Cut(usize),
}

fn changed(change: Change) -> (u32, Vec<u8>) {
    let xid = next_xid();
    let mut call = CallHeader {
        xid,
        prog: NFS4_PROGRAM,
        vers: NFS_V4,
        proc: NFSPROC4_NULL,
        cred: OpaqueAuth::NONE,
        verf: OpaqueAuth::NONE,
    };
    match change {
        Change::None | Change::Cut(_) => {}
        Change::Program(program) => call.prog = program,
        Change::Version(version) => call.vers = version,
        Change::Procedure(procedure) => call.proc = procedure,
    }
    let mut message = Writer::new();
    call.encode(&mut message);
    let mut message = message.into_vec();
    if let Change::Cut(length) = change {
        message.truncate(length);
    }
    (xid, marked(&message))
}

fn marked(message: &[u8]) -> Vec<u8> {
    [&write_mark(message.len())[..], message].concat()
}
