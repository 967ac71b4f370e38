//! What each route answers, and does.

use std::collections::BTreeSet;
use std::time::Duration;

use nfs4_admin::{Client, Connection, Direction, Grace, Session};
use nfs4_engine::proto::nfs4::Status;

use super::{LOOPBACK, bind, client, client_id, get, server, session_id};
use crate::daemon::{DRIVERS, Server};
use crate::http::ask;

#[test]
fn clients_sessions_and_connections_are_shown() {
    for driver in DRIVERS {
        let arguments = [&LOOPBACK[..], &["--driver", driver]].concat();
        let server = Server::start(&arguments);
        let mut one = client(&server, "one");
        let other = client(&server, "other");
        let second = bind(server.address, &one);
        one.open("file");

        let clients: Vec<Client> = get(&server, "/api/v1/clients").typed();
        assert_eq!(clients.len(), 2, "{driver}");
        let shown: Client = get(&server, &format!("/api/v1/clients/{}", client_id(&one))).typed();
        let local = one.connection.stream.local_addr().expect("it is bound");
        assert_eq!(shown.address, Some(local.to_string()));
        assert_eq!((&*shown.nfs_version, &*shown.owner), ("4.1", "one"));
        assert!(shown.confirmed);
        assert_eq!((shown.sessions, shown.opens), (1, 1));

        let of_client = format!("/api/v1/clients/{}/sessions", client_id(&one));
        let sessions: Vec<Session> = get(&server, &of_client).typed();
        let path = format!("{of_client}/{}", session_id(&one));
        let session: Session = get(&server, &path).typed();
        assert_eq!(sessions[0].session_id, session.session_id);
        assert_eq!(session.client_id, client_id(&one));
        let summary = session.connection_summary;
        assert_eq!((summary.fore, summary.both, summary.total), (1, 1, 2));
        let both = session.connections.iter();
        let both = both.filter(|connection| connection.direction == Direction::Both);
        let peers: Vec<_> = both.map(|connection| connection.peer.clone()).collect();
        let bound = second.stream.local_addr().expect("it is bound");
        assert_eq!(peers, [Some(bound.to_string())]);
        let all: Vec<Session> = get(&server, "/api/v1/sessions").typed();
        assert_eq!(all.len(), 2);

        let connections: Vec<Connection> = get(&server, "/api/v1/connections").typed();
        assert_eq!(connections.len(), 3, "{driver}");
        let id = connections[0].connection_id;
        let connection: Connection = get(&server, &format!("/api/v1/connections/{id}")).typed();
        assert_eq!(connection.peer, connections[0].peer);
        assert_eq!(connection.sessions.len(), 1);
        drop(other);
    }
}

#[test]
fn a_client_is_evicted_and_its_next_request_fails() {
    let server = server();
    let mut gone = client(&server, "gone");
    let mut stays = client(&server, "stays");
    let path = format!("/api/v1/clients/{}", client_id(&gone));
    assert_eq!(ask(server.admin(), "DELETE", &path, &[], "").status, 204);
    get(&server, &path).refusal(404);
    ask(server.admin(), "DELETE", &path, &[], "").refusal(404);
    let status = gone.in_session(|call| call.putrootfh());
    assert_eq!(status, Status::BADSESSION);
    stays.open("file");
}

#[test]
fn a_session_is_destroyed_and_its_client_stays() {
    let server = server();
    let mut one = client(&server, "one");
    let other = client(&server, "other");
    let of_other = format!(
        "/api/v1/clients/{}/sessions/{}",
        client_id(&other),
        session_id(&one)
    );
    ask(server.admin(), "DELETE", &of_other, &[], "").refusal(404);
    one.open("file");
    let path = format!(
        "/api/v1/clients/{}/sessions/{}",
        client_id(&one),
        session_id(&one)
    );
    assert_eq!(ask(server.admin(), "DELETE", &path, &[], "").status, 204);
    get(&server, &path).refusal(404);
    let shown: Client = get(&server, &format!("/api/v1/clients/{}", client_id(&one))).typed();
    assert_eq!((shown.sessions, shown.opens), (0, 1));
    let status = one.in_session(|call| call.putrootfh());
    assert_eq!(status, Status::BADSESSION);
}

#[test]
fn a_connection_drains_until_it_is_undrained() {
    let server = server();
    let mut one = client(&server, "one");
    let second = bind(server.address, &one);
    let connections: Vec<Connection> = get(&server, "/api/v1/connections").typed();
    let local = second.stream.local_addr().expect("it is bound").to_string();
    let of_second = connections
        .iter()
        .find(|one| one.peer.as_ref() == Some(&local));
    let id = of_second.expect("it is listed").connection_id;
    let path = format!("/api/v1/connections/{id}/drain");
    // A call under way keeps it open: only its head has come.
    let mut held = second;
    held.send(&[0x80, 0, 0, 40]).expect("it reads");
    assert_eq!(ask(server.admin(), "POST", &path, &[], "").status, 202);
    assert!(held.is_closed_within(Duration::from_secs(10)));
    ask(server.admin(), "POST", &path, &[], "").refusal(404);
    ask(server.admin(), "DELETE", &path, &[], "").refusal(404);
    one.open("file");
}

#[test]
fn pages_have_each_client_once_and_filters_choose_among_them() {
    let server = server();
    let clients: Vec<_> = (0..7)
        .map(|at| client(&server, &format!("host-{at}")))
        .collect();
    let mut seen = BTreeSet::new();
    let mut next = Some("/api/v1/clients?limit=2&owner=host".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let answer = get(&server, &path);
        let page: Vec<Client> = answer.typed();
        assert!(page.len() <= 2);
        for client in page {
            assert!(seen.insert(client.client_id), "it came twice");
        }
        pages += 1;
        next = answer.header("link").map(|link| {
            let (path, rel) = link.split_once('>').expect("a link");
            assert_eq!(rel, "; rel=\"next\"");
            path.trim_start_matches('<').to_owned()
        });
    }
    assert_eq!(seen, clients.iter().map(client_id).collect());
    assert!(pages >= 4);
    for (query, number) in [
        ("owner=host-3", 1),
        ("owner=host-3&minor_version=1", 1),
        ("owner=host-3&minor_version=2", 0),
        ("minor_version=0", 0),
        ("address=127.0.0.1", 7),
        ("address=::ffff:127.0.0.1", 7),
        ("address=127.0.0.2", 0),
        ("owner=nobody", 0),
        ("limit=3&cursor=4294967295", 0),
    ] {
        let found: Vec<Client> = get(&server, &format!("/api/v1/clients?{query}")).typed();
        assert_eq!(found.len(), number, "{query}");
    }
    let whole: Vec<Client> = get(&server, "/api/v1/clients?cursor=0").typed();
    assert_eq!(whole.len(), 7);
    for path in [
        "/api/v1/sessions?cursor=4294967295",
        "/api/v1/connections?cursor=18446744073709551615",
    ] {
        assert_eq!(get(&server, path).text, "[]");
    }
    for path in ["/api/v1/sessions", "/api/v1/connections"] {
        let first = get(&server, &format!("{path}?limit=1"));
        assert_eq!(first.json().as_array().map(Vec::len), Some(1));
        assert!(
            first
                .header("link")
                .expect("more")
                .starts_with(&format!("<{path}?limit=1&cursor="))
        );
    }
}

#[test]
fn a_head_is_that_of_the_answer() {
    let server = server();
    for path in [
        "/api/v1/clients",
        "/api/v1/openapi.json",
        "/healthz",
        "/metrics",
        "/api/v1/grace",
    ] {
        let head = ask(server.admin(), "HEAD", path, &[], "");
        assert_eq!((head.status, &*head.text), (200, ""), "{path}");
        assert_eq!(
            head.header("content-type"),
            get(&server, path).header("content-type")
        );
    }
}

#[test]
fn the_grace_period_is_shown_and_ended() {
    let server = Server::start(&[&LOOPBACK[..], &["--grace-time", "600"]].concat());
    let grace: Grace = get(&server, "/api/v1/grace").typed();
    assert!(grace.active && grace.remaining_seconds <= 600 && grace.remaining_seconds > 500);
    assert_eq!(grace.grace_time, 600);
    let mut one = client(&server, "one");
    assert!(one.try_open("file").is_err());
    let ended: Grace = ask(server.admin(), "POST", "/api/v1/grace/end", &[], "").typed();
    assert!(!ended.active && ended.remaining_seconds == 0);
    one.open("file");
}
