//! The stream of what happens.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nfs4_admin::{Event, Fact};

use super::{LOOPBACK, bind, client, client_id, get, server, session_id};
use crate::daemon::{DRIVERS, Server};
use crate::http::{ask, ask_on, connect, read};

/// A reader of events.
struct Reader {
    stream: BufReader<TcpStream>,
}

/// An event as it is sent.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sent {
    id: String,
    kind: String,
    data: String,
}

impl Reader {
    fn open(server: &Server, query: &str, headers: &str) -> Reader {
        let mut stream = connect(server.admin());
        write!(
            stream,
            "GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        )
        .expect("it reads");
        let mut stream = BufReader::new(stream);
        // Its body has no end.
        let answer = read(&mut stream, true);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        Reader { stream }
    }

    /// A line of the stream, chunks apart; none at its end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).expect("a line");
        (read > 0).then(|| line.trim_end().to_owned())
    }

    fn next(&mut self) -> Option<Sent> {
        let mut sent = Sent::default();
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("id", id)) => sent.id = id.to_owned(),
                Some(("event", kind)) => sent.kind = kind.to_owned(),
                Some(("data", data)) => sent.data = data.to_owned(),
                _ if line == "0" => return None,
                _ if line.is_empty() && !sent.data.is_empty() => return Some(sent),
                _ => {}
            }
        }
    }

    fn event(&mut self) -> Event {
        let sent = self.next().expect("an event");
        let event: Event = serde_json::from_str(&sent.data).expect("an event");
        assert_eq!(event.number.to_string(), sent.id);
        assert_eq!(event.fact.kind(), sent.kind);
        let again = serde_json::to_value(&event).expect("JSON");
        let value: serde_json::Value = serde_json::from_str(&sent.data).expect("JSON");
        assert_eq!(value, again);
        event
    }

    /// The events up to the first of this kind.
    fn up_to(&mut self, kind: &str) -> Vec<Event> {
        let mut events = vec![self.event()];
        while events.last().is_some_and(|event| event.fact.kind() != kind) {
            events.push(self.event());
        }
        events
    }
}

#[test]
fn what_happens_to_clients_is_told_as_it_happens() {
    for driver in DRIVERS {
        let arguments = [&LOOPBACK[..], &["--driver", driver, "--grace-time", "600"]].concat();
        let server = Server::start(&arguments);
        let mut all = Reader::open(&server, "", "");
        let mut gone = Reader::open(&server, "?kind=client_gone,grace_ended", "");
        let one = client(&server, "one");
        let second = bind(server.address, &one);
        drop(second);
        ask(server.admin(), "POST", "/api/v1/grace/end", &[], "");
        let path = format!("/api/v1/clients/{}", client_id(&one));
        ask(server.admin(), "DELETE", &path, &[], "");

        let events = all.up_to("client_gone");
        let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        let kinds: Vec<_> = events.iter().map(|event| event.fact.kind()).collect();
        for kind in [
            "client_confirmed",
            "session_created",
            "connection_bound",
            "connection_unbound",
            "grace_ended",
            "session_destroyed",
        ] {
            assert!(
                kinds.contains(&kind),
                "{kind} is not in {kinds:?} on {driver}"
            );
        }
        let (client_id, session_id) = (client_id(&one), session_id(&one));
        let destroyed = Fact::SessionDestroyed {
            session_id,
            reason: "admin_evict".to_owned(),
        };
        let reason = "admin_evict".to_owned();
        let evicted = Fact::ClientGone { client_id, reason };
        assert!(
            events.iter().any(|event| event.fact == destroyed),
            "{events:?}"
        );
        assert_eq!(events.last().map(|event| &event.fact), Some(&evicted));

        let reason = "admin".to_owned();
        assert_eq!(gone.event().fact, Fact::GraceEnded { reason });
        assert_eq!(gone.event().fact, evicted);
    }
}

#[test]
fn a_reader_continues_where_it_was() {
    let server = server();
    let mut first = Reader::open(&server, "", "");
    let one = client(&server, "one");
    let seen = first.up_to("client_confirmed");
    drop(first);
    let mut missed = client(&server, "other");
    missed.unmount();
    let last = seen.last().expect("there is one").number;
    let mut again = Reader::open(&server, "", &format!("Last-Event-ID: {last}\r\n"));
    let events = again.up_to("client_gone");
    assert!(events[0].number > last);
    let other = client_id(&missed);
    let confirmed = events.iter().any(|event| match &event.fact {
        Fact::ClientConfirmed { client_id, .. } => *client_id == other,
        _ => false,
    });
    assert!(confirmed, "{events:?}");
    for header in ["Last-Event-ID", "last-event-id"] {
        let answer = ask(
            server.admin(),
            "GET",
            "/api/v1/events",
            &[(header, "-1")],
            "",
        );
        assert_eq!(answer.refusal(400).errors[0].field, "Last-Event-ID");
    }
    drop(one);
}

#[test]
fn a_reader_hears_what_it_has_lost() {
    let server = server();
    let mut one = client(&server, "one");
    for _ in 0..600 {
        one.come_back(nfs4_tests::live::Connection::new(server.address));
    }
    let mut late = Reader::open(&server, "", "Last-Event-ID: 1\r\n");
    let lost = late.next().expect("an event");
    assert_eq!((&*lost.kind, &*lost.id), ("lost", ""));
    let lost: serde_json::Value = serde_json::from_str(&lost.data).expect("JSON");
    let lost = lost["lost"].as_u64().expect("a number");
    assert!(lost > 0);
    assert_eq!(late.event().number, lost + 2);
}

#[test]
fn readers_are_bounded_and_end_with_the_server() {
    for driver in DRIVERS {
        let mut server = Server::start(&[&LOOPBACK[..], &["--driver", driver]].concat());
        let mut readers: Vec<_> = (0..32).map(|_| Reader::open(&server, "", "")).collect();
        let answer = get(&server, "/api/v1/events");
        answer.refusal(503);
        assert_eq!(answer.header("retry-after"), Some("10"));
        // Others are served, and no reader gives way to those that only connect.
        let idle: Vec<_> = (0..80).map(|_| connect(server.admin())).collect();
        assert_eq!(get(&server, "/healthz").status, 200);
        let one = client(&server, "one");
        for reader in &mut readers {
            reader.up_to("client_confirmed");
        }
        // The place of one that leaves is free for another.
        readers.pop();
        let start = Instant::now();
        while ask_on(connect(server.admin()), "HEAD", "/api/v1/events", &[], "")
            .0
            .status
            != 200
        {
            assert!(start.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(5));
        }
        drop((idle, one));
        let start = Instant::now();
        server.signal("TERM");
        for reader in &mut readers {
            while reader.next().is_some() {}
            let mut rest = Vec::new();
            reader.stream.read_to_end(&mut rest).expect("a good end");
        }
        assert_eq!(server.exit_code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(5), "{driver}");
    }
}

#[test]
fn a_silent_stream_has_comments() {
    let server = server();
    let mut reader = Reader::open(&server, "", "");
    let start = Instant::now();
    loop {
        let line = reader.line().expect("it goes on");
        if line.starts_with(':') {
            break;
        }
    }
    let took = start.elapsed();
    assert!(
        took > Duration::from_secs(5) && took < Duration::from_secs(25),
        "{took:?}"
    );
}
