//! Peers of the administration interface that are slow, or many.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::{LOOPBACK, client, get, server};
use crate::daemon::{DRIVERS, Server};
use crate::http::{ask, ask_on, connect};
use crate::null_call;

#[test]
fn many_and_slow_peers_delay_no_other() {
    for driver in DRIVERS {
        let server = Server::start(&[&LOOPBACK[..], &["--driver", driver]].concat());
        let at = server.admin();
        let start = Instant::now();
        let mut slow = Vec::new();
        for turn in 0..100 {
            let silent = TcpStream::connect(at).expect("it listens");
            let mut half = TcpStream::connect(at).expect("it listens");
            // The server may have closed it for a later one.
            let _ = write!(half, "GET /api/v1/clients HTTP/1.1\r\nHost:");
            let mut bodiless = TcpStream::connect(at).expect("it listens");
            let _ = write!(
                bodiless,
                "PATCH /api/v1/settings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Content-Length: 100\r\n\r\n{{"
            );
            let mut deaf = TcpStream::connect(at).expect("it listens");
            let _ = write!(deaf, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
            slow.push([silent, half, bodiless, deaf]);
            if turn % 10 == 0 {
                assert_eq!(get(&server, "/healthz").status, 200, "{driver}");
            }
        }
        assert_eq!(get(&server, "/api/v1/clients").status, 200, "{driver}");
        null_call(server.address);
        let took = start.elapsed();
        println!(
            "attack slow peers of the administration interface {driver}: limit=48 connections told=end of \
             stream took={took:?}"
        );
        assert!(took < Duration::from_secs(3), "{took:?} on {driver}");
    }
}

#[test]
fn a_peer_that_sends_no_request_is_closed() {
    let server = server();
    let mut silent = connect(server.admin());
    let start = Instant::now();
    assert_eq!(silent.read(&mut [0; 100]).expect("an end"), 0);
    let took = start.elapsed();
    assert!(
        took > Duration::from_secs(5) && took < Duration::from_secs(25),
        "{took:?}"
    );
}

#[test]
fn a_unix_socket_has_its_mode_and_is_removed() {
    let path = std::env::temp_dir().join(format!("nfs4d-{}.sock", std::process::id()));
    let text = path.to_str().expect("a path in UTF-8");
    for (mode, arguments) in [(0o600, &[][..]), (0o660, &["--admin-socket-mode", "0660"])] {
        let arguments = [&["--admin", "none", "--admin-socket", text][..], arguments].concat();
        let mut server = Server::start(&arguments);
        assert!(server.banner.contains(text), "{}", server.banner);
        let one = client(&server, "one");
        let found = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(found & 0o777, mode);
        let stream = UnixStream::connect(&path).expect("it listens");
        // No name is asked for.
        let (answer, stream) = ask_on(stream, "GET", "/api/v1/clients", &[("Host", "any")], "");
        assert_eq!(answer.json().as_array().map(Vec::len), Some(1));
        let evict = format!("/api/v1/clients/{}", super::client_id(&one));
        assert_eq!(ask_on(stream, "DELETE", &evict, &[], "").0.status, 204);
        // Another server leaves it alone.
        let other = crate::daemon::run(&[
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "none",
            "--admin-socket",
            text,
        ]);
        assert_eq!(other.status.code(), Some(1));
        let told = String::from_utf8(other.stderr).expect("text");
        assert!(
            told.contains(text) && told.contains("--admin-socket"),
            "{told}"
        );
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0));
        assert!(!path.exists());
    }
    // One that a dead server has left is replaced.
    let arguments = ["--admin", "none", "--admin-socket", text];
    let mut dead = Server::start(&arguments);
    dead.signal("KILL");
    assert_eq!(dead.exit_code(), None);
    assert!(path.exists());
    let server = Server::start(&arguments);
    let stream = UnixStream::connect(&path).expect("it listens");
    assert_eq!(ask_on(stream, "GET", "/healthz", &[], "").0.status, 200);
    drop(server);
    std::fs::remove_file(&path).expect("it was killed");
}

#[test]
fn a_stop_answers_what_is_asked_and_closes_the_rest() {
    for driver in DRIVERS {
        let mut server = Server::start(&[&LOOPBACK[..], &["--driver", driver]].concat());
        let (answer, mut idle) = ask_on(connect(server.admin()), "GET", "/healthz", &[], "");
        assert_eq!(answer.status, 200);
        let mut half = connect(server.admin());
        write!(half, "GET /healthz HTTP/1.1\r\n").expect("it reads");
        let start = Instant::now();
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
        let took = start.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?} on {driver}");
        assert_eq!(idle.read(&mut [0; 100]).expect("an end"), 0);
        let _ = half.read(&mut [0; 100]);
        TcpStream::connect(server.admin()).unwrap_err();
    }
}

#[test]
fn a_listing_that_is_not_read_holds_up_nothing() {
    let server = server();
    let clients: Vec<_> = (0..50)
        .map(|at| client(&server, &format!("host-{at}")))
        .collect();
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(server.admin());
        let request = "GET /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
        stream.write_all(request.as_bytes()).expect("it reads");
        deaf.push(stream);
    }
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(
            ask(server.admin(), "GET", "/api/v1/clients", &[], "").status,
            200
        );
        null_call(server.address);
    }
    let took = start.elapsed();
    println!("attack listings that are not read: told=nothing took={took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop((deaf, clients));
}
