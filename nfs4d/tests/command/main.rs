//! The binary as a user runs it: its output, its refusals and its stop.

mod admin;
mod check;
mod contrib;
mod daemon;
mod descriptors;
mod docs;
mod every_metric;
mod exit_codes;
mod exports;
mod http;
mod log;
mod memory;
mod metrics;
mod record;
mod service;
mod settings;
mod state;
mod stopped;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nfs4_engine::proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_engine::proto::nfs4::args::{
    BindConnToSession, CbClient, ChannelAttrs, ChannelDirFromClient, ClientOwner, CreateSession,
    ExchangeId, NfsClientId, SetClientId, SetClientIdConfirm, StateProtect,
};
use nfs4_engine::proto::nfs4::basic::NetAddr;
use nfs4_engine::proto::xdr::List;

use daemon::{DRIVERS, Server, run};
use metrics::get;

#[test]
fn the_banner_names_the_capacity_and_the_mount_command() {
    let server = Server::start(&["--memory", "64M", "--lease-time", "20"]);
    let port = server.address.port();
    for part in [
        "in memory: at most 64 MiB".to_owned(),
        "lease 20 s".to_owned(),
        format!("mount -t nfs4 -o vers=4.1,proto=tcp,port={port} 127.0.0.1:/ /mnt"),
    ] {
        assert!(
            server.banner.contains(&part),
            "{part} is not in: {}",
            server.banner
        );
    }
}

#[test]
fn the_server_answers_a_null_call() {
    for driver in DRIVERS {
        let server = Server::start(&["--driver", driver]);
        assert_eq!(null_call(server.address), NULL_REPLY, "{driver}");
    }
}

#[test]
fn all_addresses_are_one_server_for_clients() {
    for driver in DRIVERS {
        let mut server = Server::start(&["--driver", driver, "--listen", "127.0.0.2:0"]);
        let [one, other] = server.addresses[..] else {
            panic!("not two addresses: {}", server.banner)
        };
        assert_eq!(one.ip().to_string(), "127.0.0.2");
        // A session that is created at one address exists at the other, for the same client.
        let introduction = ExchangeId {
            clientowner: ClientOwner {
                verifier: Default::default(),
                ownerid: b"trunking",
            },
            flags: 0,
            state_protect: StateProtect::None,
            client_impl_id: None,
        };
        let call = || CompoundBuilder::call(7, &CallCredential::None, b"", 1);
        let (mut first, mut second) = (connect(one), connect(other));
        let record = exchange(&mut first, &call().exchange_id(introduction).finish());
        let known = ReplyReader::parse(&record).and_then(|mut reply| reply.exchange_id());
        let known = known.expect("it takes clients of NFSv4.1");
        let session = CreateSession {
            clientid: known.clientid,
            sequence: known.sequenceid,
            flags: 0,
            fore_chan_attrs: CHANNEL,
            back_chan_attrs: CHANNEL,
            cb_program: 0x4000_0000,
            sec_parms: List::empty(),
        };
        let made = exchange(&mut first, &call().create_session(session).finish());
        let made = ReplyReader::parse(&made).and_then(|mut reply| reply.create_session());
        let bind = BindConnToSession {
            sessid: made.expect("it makes a session").sessionid,
            dir: ChannelDirFromClient::Fore,
            use_conn_in_rdma_mode: false,
        };
        let again = exchange(&mut second, &call().exchange_id(introduction).finish());
        let again = ReplyReader::parse(&again).and_then(|mut reply| reply.exchange_id());
        let again = again.expect("it knows the client");
        assert_eq!(again.clientid, known.clientid, "{driver}");
        assert_eq!(again.server_owner, known.server_owner, "{driver}");
        let bound = exchange(&mut second, &call().bind_conn_to_session(bind).finish());
        let bound = ReplyReader::parse(&bound).and_then(|mut reply| reply.bind_conn_to_session());
        assert!(bound.is_ok(), "{driver}: {bound:?}");
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
        for address in [one, other] {
            assert!(TcpStream::connect(address).is_err(), "{driver}: {address}");
        }
    }
}

#[test]
fn metrics_are_served_at_their_address() {
    for driver in DRIVERS {
        let server = Server::start(&["--driver", driver, "--metrics", "127.0.0.1:0"]);
        let url = server.banner.split("http://").nth(1);
        let address = url.and_then(|rest| rest.split('/').next());
        let address = address.expect("the banner says where").parse();
        let address: SocketAddr = address.expect("it is an address");
        // A connection without a request delays other requests only for a short time.
        let _silent = TcpStream::connect(address).expect("it listens");
        let before = get(address, "/metrics");
        assert!(before.starts_with("HTTP/1.1 200 OK\r\n"), "{before}");
        assert!(before.contains("\nnfs4_nfs_sequence_total 0\n"), "{before}");
        out_of_sequence(server.address);
        let line = "nfs4_nfs_compound_operations_total{minor=\"1\",operation=\"PUTROOTFH\",\
                    status=\"NFS4ERR_OP_NOT_IN_SESSION\"} 1\n";
        let after = get(address, "/metrics");
        assert!(after.contains(line), "{after}");
        assert!(
            get(address, "/other").starts_with("HTTP/1.1 404 "),
            "{driver}"
        );
    }
}

#[test]
fn callback_dial_decides_which_addresses_the_server_connects_to() {
    let cases = [
        (&[][..], "127.0.0.1", true),
        (&[], "127.0.0.2", false),
        (&["--callback-dial", "none"], "127.0.0.1", false),
        (&["--callback-dial", "any"], "127.0.0.2", true),
    ];
    for (arguments, host, expected) in cases {
        let server = Server::start(arguments);
        let listener = TcpListener::bind((host, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("it can be asked");
        let address = listener.local_addr().expect("it is bound");
        introduce(server.address, address);
        let patience = Duration::from_millis(if expected { 10_000 } else { 300 });
        let deadline = Instant::now() + patience;
        let mut dialled = false;
        while !dialled && Instant::now() < deadline {
            dialled = listener.accept().is_ok();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(dialled, expected, "{arguments:?} and {host}");
    }
}

#[test]
fn ctrl_c_and_sigterm_stop_the_server_cleanly() {
    for (signal, driver) in [("INT", "tokio"), ("TERM", "threads"), ("TERM", "async-std")] {
        let mut server = Server::start(&["--driver", driver]);
        let mut idle = TcpStream::connect(server.address).expect("it listens");
        assert_eq!(null_call(server.address), NULL_REPLY);
        server.signal(signal);
        assert_eq!(server.exit_code(), Some(0), "after SIG{signal} on {driver}");
        let closed = matches!(idle.read(&mut [0]), Ok(0) | Err(_));
        assert!(closed, "a connection outlived the server");
        assert!(
            TcpStream::connect(server.address).is_err(),
            "it still listens"
        );
    }
}

#[test]
fn connections_that_delay_a_stop_are_closed_after_the_stop_time() {
    for driver in DRIVERS {
        let mut server = Server::start(&["--driver", driver, "--stop-time", "1"]);
        let _deaf = deaf(server.address);
        let mut idle = TcpStream::connect(server.address).expect("it listens");
        assert_eq!(null_call(server.address), NULL_REPLY);
        let start = Instant::now();
        server.signal("TERM");
        // A client without requests is not kept waiting.
        assert!(matches!(idle.read(&mut [0]), Ok(0) | Err(_)));
        assert!(server.child.try_wait().expect("it is our child").is_none());
        assert_eq!(server.exit_code(), Some(0), "{driver}");
        let took = start.elapsed();
        let expected = Duration::from_millis(950)..Duration::from_secs(10);
        assert!(expected.contains(&took), "{took:?} on {driver}");
        assert!(server.log().contains("connections=1"), "{driver}");
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    for driver in DRIVERS {
        let mut server = Server::start(&["--driver", driver, "--stop-time", "60"]);
        let _deaf = deaf(server.address);
        let mut idle = TcpStream::connect(server.address).expect("it listens");
        server.signal("INT");
        assert!(matches!(idle.read(&mut [0]), Ok(0) | Err(_)));
        assert!(server.child.try_wait().expect("it is our child").is_none());
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(130), "{driver}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken
        .local_addr()
        .expect("a bound socket has an address")
        .to_string();
    let output = run(&["--listen", &address]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains(&address) && message.contains("--listen"),
        "{message}"
    );
}

#[test]
fn help_names_every_flag_and_its_default() {
    let output = run(&["--help"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for part in [
        "--listen <ADDR:PORT>",
        "127.0.0.1:20490",
        "--lease-time <SECONDS>",
        "--grace-time <SECONDS>",
        "--stop-time <SECONDS>",
        "--log <LEVEL>",
        "--log-format <FORMAT>",
        "--slow-request-ms <MILLISECONDS>",
        "--memory <SIZE>",
        "--callback-dial <ADDRESSES>",
        "--driver <DRIVER>",
        "--metrics <ADDR:PORT>",
        "--server-address <ADDR[:PORT]>",
        "Ctrl-C",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn a_wrong_flag_is_refused_and_explained() {
    for (arguments, part) in [
        (&["--memory", "lots"][..], "512M or 2G"),
        (&["--lease-time", "0"], "from 1 to 3600"),
        (&["--lease-time", "1m"], "a whole number of seconds"),
        (&["--grace-time", "-5"], "from 0 to 3600"),
        (&["--memory", "-1"], "512M or 2G"),
        (
            &["--listen", "127.0.0.1:1", "--listen", "127.0.0.1:1"],
            "--listen 127.0.0.1:1 is given twice",
        ),
        (&["--server-address", "192.0.2.7:0"], "its port is 0"),
        (
            &[
                "--server-address",
                "a.example",
                "--server-address",
                "a.example",
            ],
            "--server-address a.example is given twice",
        ),
        (
            &["--log", "loud"],
            "possible values: error, warn, info, debug, trace",
        ),
        (&["--listen", "20490"], "host names are not accepted"),
        (&["--lisen", "127.0.0.1:0"], "--listen"),
    ] {
        let output = run(arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn addresses_that_clients_cannot_be_told_are_named() {
    let wrong = [
        "--server-address=0.0.0.0",
        "--server-address=files.example:1",
    ];
    let parts = ["it is not the address of one host", "takes no port"];
    for (flag, part) in wrong.into_iter().zip(parts) {
        let output = run(&["--listen", "127.0.0.1:0", flag]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("--server-address"), "{message}");
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn the_log_level_decides_what_is_logged() {
    let log = |level| {
        let mut server = Server::start(&["--log", level]);
        null_call(server.address);
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0));
        server.log()
    };
    assert_eq!(log("error"), "");
    assert!(
        log("info").contains("listening for NFS clients"),
        "what is served is worth a line at info"
    );
}

#[test]
fn trace_prints_each_record_on_one_line() {
    let mut server = Server::start(&["--log", "trace"]);
    out_of_sequence(server.address);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let log = server.log();
    let line = |way| {
        log.lines()
            .find(|line| line.contains(way) && line.contains("PUTROOTFH"))
    };
    assert!(line("<- ").is_some(), "no call in: {log}");
    let reply = line("-> ").expect("a reply is logged");
    assert!(reply.contains("OP_NOT_IN_SESSION"), "{reply}");
}

/// Sends one PUTROOTFH without a session, and waits for its refusal.
fn out_of_sequence(address: SocketAddr) {
    let record = CompoundBuilder::call(7, &CallCredential::None, b"", 1)
        .putrootfh()
        .finish();
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(&record).expect("it reads");
    stream.read_exact(&mut [0; 4]).expect("it answers");
}

/// Confirms an NFSv4.0 client with the callback address `back`.
fn introduce(address: SocketAddr, back: SocketAddr) {
    let mut stream = connect(address);
    let call = || CompoundBuilder::call(7, &CallCredential::None, b"", 0);
    let [high, low] = back.port().to_be_bytes();
    let addr = format!("{}.{high}.{low}", back.ip());
    let introduction = SetClientId {
        client: NfsClientId {
            verifier: Default::default(),
            id: b"client",
        },
        callback: CbClient {
            cb_program: 0x4000_0000,
            cb_location: NetAddr {
                netid: b"tcp",
                addr: addr.as_bytes(),
            },
        },
        callback_ident: 1,
    };
    let record = exchange(&mut stream, &call().setclientid(introduction).finish());
    let given = ReplyReader::parse(&record).and_then(|mut reply| reply.setclientid());
    let given = given.expect("it takes clients of NFSv4.0");
    let confirmation = SetClientIdConfirm {
        clientid: given.clientid,
        setclientid_confirm: given.setclientid_confirm,
    };
    exchange(
        &mut stream,
        &call().setclientid_confirm(confirmation).finish(),
    );
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout is possible");
    stream
}

/// Sends a call and waits for the reply.
fn exchange(stream: &mut TcpStream, call: &[u8]) -> Vec<u8> {
    stream.write_all(call).expect("it reads");
    let mut mark = [0; 4];
    stream.read_exact(&mut mark).expect("it answers");
    let mut record = vec![0; (u32::from_be_bytes(mark) & 0x7fff_ffff) as usize];
    stream.read_exact(&mut record).expect("it answers in full");
    record
}

/// A client that sends calls until no more can be sent and takes no reply.
fn deaf(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    // Longer than the server blocks in one write, after which it may read more.
    let stuck = Some(Duration::from_millis(1_500));
    stream.set_write_timeout(stuck).expect("it can be set");
    // The tag comes back with each reply.
    let tag = [b'x'; 1_000];
    let call = CompoundBuilder::call(7, &CallCredential::None, &tag, 1).finish();
    let calls = call.repeat(100);
    for _ in 0..2_000 {
        if stream.write_all(&calls).is_err() {
            return stream;
        }
    }
    panic!("it reads on and on");
}

fn null_call(address: SocketAddr) -> Vec<u8> {
    // Last fragment of 40 bytes: xid 7, call, RPC 2, program 100003, version 4, NULL, no credential.
    let words = [0x8000_0028_u32, 7, 0, 2, 100_003, 4, 0, 0, 0, 0, 0];
    let call: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout is possible");
    stream.write_all(&call).expect("it reads");
    let mut reply = vec![0; NULL_REPLY.len()];
    stream.read_exact(&mut reply).expect("it answers");
    reply
}

const CHANNEL: ChannelAttrs = ChannelAttrs {
    headerpadsize: 0,
    maxrequestsize: 1 << 20,
    maxresponsesize: 1 << 20,
    maxresponsesize_cached: 4096,
    maxoperations: 16,
    maxrequests: 16,
    rdma_ird: None,
};

/// Last fragment of 24 bytes: xid 7, reply, accepted, no verifier, success.
const NULL_REPLY: [u8; 28] = [
    0x80, 0, 0, 24, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];
