//! Requests that are refused: what they are told, and that they change nothing.

use serde_json::Value;

use super::{LOOPBACK, client, client_id, get, server, session_id};
use crate::daemon::{Server, command};
use crate::http::{ask, ask_on, connect};

const TOKEN: &str = "a-token-of-24-characters";
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What the server shows of its state, without times.
fn state(server: &Server, headers: &[(&str, &str)]) -> Vec<Value> {
    let paths = ["/api/v1/clients", "/api/v1/sessions", "/api/v1/connections"];
    let ask = |path| ask(server.admin(), "GET", path, headers, "").json();
    let mut all: Vec<Value> = paths.into_iter().map(ask).collect();
    for row in all.iter_mut().filter_map(Value::as_array_mut).flatten() {
        row.as_object_mut().expect("a row").remove("last_renewal");
    }
    all
}

#[test]
fn a_malformed_request_names_the_field_and_its_range() {
    let server = server();
    for (path, field, range) in [
        ("/api/v1/clients?limit=0", "limit", Some((1, 10_000))),
        ("/api/v1/clients?limit=10001", "limit", Some((1, 10_000))),
        ("/api/v1/clients?limit=-1", "limit", Some((1, 10_000))),
        ("/api/v1/clients?limit=", "limit", Some((1, 10_000))),
        ("/api/v1/clients?limit=2&limit=3", "limit", None),
        (
            "/api/v1/clients?cursor=4294967296",
            "cursor",
            Some((0, u64::from(u32::MAX))),
        ),
        (
            "/api/v1/clients?minor_version=3",
            "minor_version",
            Some((0, 2)),
        ),
        ("/api/v1/clients?address=localhost", "address", None),
        ("/api/v1/clients?address=127.0.0.1:1", "address", None),
        ("/api/v1/clients?adress=127.0.0.1", "adress", None),
        ("/api/v1/sessions?owner=a", "owner", None),
        ("/api/v1/connections?limit=x", "limit", Some((1, 10_000))),
        ("/api/v1/clients/12", "client_id", None),
        ("/api/v1/clients/000000000000000g", "client_id", None),
        (
            "/api/v1/clients/0000000000000001/sessions/1",
            "session_id",
            None,
        ),
        (
            "/api/v1/connections/0",
            "connection_id",
            Some((1, u64::MAX)),
        ),
        (
            "/api/v1/connections/-1",
            "connection_id",
            Some((1, u64::MAX)),
        ),
        ("/api/v1/events?kind=moon", "kind", None),
    ] {
        let problem = get(&server, path).refusal(400);
        let fault = &problem.errors[0];
        assert_eq!(fault.field, field, "{path}: {problem:?}");
        assert_eq!(fault.min.zip(fault.max), range, "{path}: {problem:?}");
        assert!(problem.detail.contains(field), "{problem:?}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let server = server();
    let one = client(&server, "one");
    let id = client_id(&one);
    let session = "00".repeat(16);
    let before = state(&server, &[]);
    for path in [
        "/api",
        "/api/v1",
        "/api/v1/clients/",
        "/api/v1/client",
        "/api/v2/clients",
        "/healthz/",
        "//api/v1/clients",
        "/api/v1/%63lients",
        "/api/v1/clients/0000000000000001",
        "/api/v1/clients/0000000000000001/sessions",
        &format!("/api/v1/clients/{id}/sessions/{session}"),
        "/api/v1/connections/18446744073709551615",
    ] {
        get(&server, path).refusal(404);
    }
    for (method, path) in [
        ("DELETE", "/api/v1/clients/0000000000000001"),
        ("POST", "/api/v1/connections/4711/drain"),
        ("DELETE", "/api/v1/connections/4711/drain"),
        // Of no client, and of one that has another.
        (
            "DELETE",
            &format!(
                "/api/v1/clients/0000000000000001/sessions/{}",
                session_id(&one)
            ),
        ),
        (
            "DELETE",
            &format!("/api/v1/clients/{id}/sessions/{session}"),
        ),
    ] {
        ask(server.admin(), method, path, &[], "").refusal(404);
    }
    for (method, path) in [
        ("DELETE", &format!("/api/v1/clients/{}", &id[1..])),
        ("DELETE", &format!("/api/v1/clients/{id}/sessions/1")),
        ("DELETE", &format!("/api/v1/clients/{id}?all=true")),
        ("POST", &"/api/v1/connections/1x/drain".to_owned()),
    ] {
        ask(server.admin(), method, path, &[], "").refusal(400);
    }
    assert_eq!(state(&server, &[]), before);
}

#[test]
fn a_method_that_a_route_has_not_is_refused_with_those_that_it_has() {
    let server = server();
    for (method, path, allowed) in [
        ("POST", "/api/v1/clients", "GET,HEAD"),
        ("PUT", "/api/v1/clients/0000000000000001", "GET,HEAD,DELETE"),
        ("GET", "/api/v1/connections/1/drain", "POST,DELETE"),
        ("GET", "/api/v1/grace/end", "POST"),
        ("BREW", "/healthz", "GET,HEAD"),
        ("OPTIONS", "/api/v1/events", "GET,HEAD"),
    ] {
        let answer = ask(server.admin(), method, path, &[], "");
        answer.refusal(405);
        let sorted = |list: &str| {
            let mut list: Vec<_> = list.split(',').map(|one| one.trim().to_owned()).collect();
            list.sort();
            list
        };
        let told = answer.header("allow").expect("what is allowed");
        assert_eq!(sorted(told), sorted(allowed), "{method} {path}");
    }
}

#[test]
fn a_refused_request_changes_nothing() {
    let server = server();
    let one = client(&server, "one");
    let evict = format!("/api/v1/clients/{}", client_id(&one));
    let destroy = format!("{evict}/sessions/{}", session_id(&one));
    let drain = "/api/v1/connections/1/drain";
    let before = state(&server, &[]);
    let large = "[".repeat((64 << 10) + 1);
    let targets = [("DELETE", &*evict), ("DELETE", &destroy), ("POST", drain)];
    let of_a_form = ("Content-Type", "application/x-www-form-urlencoded");
    for (status, headers, body) in [
        (421, &[("Host", "evil.example")][..], ""),
        (421, &[("Host", "evil.example:20491")], ""),
        (400, &[("Host", "")], ""),
        (400, &[("Host", "localhost"), ("Host", "localhost")], ""),
        (403, &[("Origin", "http://evil.example")], ""),
        (403, &[("Origin", "null")], ""),
        (403, &[("Origin", "http://localhost:8080")], ""),
        (403, &[("Sec-Fetch-Site", "cross-site")], ""),
        (415, &[of_a_form], "a=b"),
        (415, &[("Content-Type", "text/plain")], "{}"),
        (415, &[("Transfer-Encoding", "chunked")], ""),
        (413, &[JSON], &*large),
    ] {
        for (method, path) in targets {
            ask(server.admin(), method, path, headers, body).refusal(status);
        }
    }
    assert_eq!(state(&server, &[]), before);
    // The same requests, not refused.
    for (method, path) in targets.into_iter().rev() {
        let status = ask(server.admin(), method, path, &[], "").status;
        assert!(matches!(status, 202 | 204), "{method} {path}: {status}");
    }
}

#[test]
fn with_a_token_only_those_who_have_it_get_in() {
    let folder = std::env::temp_dir().join(format!("nfs4d-token-{}", std::process::id()));
    std::fs::write(&folder, format!("  {TOKEN}\n")).expect("a file");
    let file = folder.to_str().expect("a path in UTF-8");
    let of_file = Server::start(&[&LOOPBACK[..], &["--admin-token-file", file]].concat());
    let mut environment = command(&["--admin", "0.0.0.0:0"]);
    environment.env("NFS4D_ADMIN_TOKEN", TOKEN);
    let of_environment = Server::spawn(environment.stderr(std::process::Stdio::piped()));
    let right = format!("Bearer {TOKEN}");
    for mut server in [of_file, of_environment] {
        let at = server.admin();
        let one = client(&server, "one");
        let evict = format!("/api/v1/clients/{}", client_id(&one));
        let authorized = [("Authorization", right.as_str())];
        let before = state(&server, &authorized);
        for wrong in [
            "",
            TOKEN,
            "Bearer",
            "Bearer a-token-of-24-characterS",
            "Basic x",
        ] {
            let headers = match wrong {
                "" => &[][..],
                wrong => &[("Authorization", wrong)],
            };
            for (method, path) in [
                ("DELETE", &*evict),
                ("GET", "/api/v1/clients"),
                ("GET", "/api/v1/events"),
                ("GET", "/api/v1/openapi.json"),
                ("GET", "/metrics"),
                ("GET", "/nothing"),
            ] {
                let answer = ask(at, method, path, headers, "");
                let problem = answer.refusal(401);
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                assert!(!problem.detail.contains("characters"));
            }
        }
        assert_eq!(state(&server, &authorized), before);
        assert_eq!(ask(at, "GET", "/healthz", &[], "").status, 200);
        assert_eq!(ask(at, "GET", "/metrics", &authorized, "").status, 200);
        // The token is the proof: any name will do.
        let named = [("Host", "files.example"), authorized[0]];
        assert_eq!(ask(at, "GET", "/api/v1/clients", &named, "").status, 200);
        let foreign = [("Origin", "http://evil.example"), authorized[0]];
        ask(at, "DELETE", &evict, &foreign, "").refusal(403);
        assert_eq!(ask(at, "DELETE", &evict, &authorized, "").status, 204);
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0));
        assert!(!server.log().contains(TOKEN));
    }
    std::fs::remove_file(folder).expect("it is there");
}

#[test]
fn what_is_not_http_is_refused_and_ends_the_connection() {
    use std::io::{Read as _, Write as _};
    let server = server();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20 << 10));
    let headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    for bytes in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9\r\n\r\n",
        &long,
        &headers,
    ] {
        let mut stream = connect(server.admin());
        stream.write_all(bytes.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        // The rest of what was sent may reset the connection.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).expect("text");
        assert!(
            answer.starts_with("HTTP/1.1 4") || answer.is_empty(),
            "{answer}"
        );
    }
    let (answer, stream) = ask_on(connect(server.admin()), "GET", "/healthz", &[], "");
    assert_eq!(answer.status, 200);
    let (answer, _) = ask_on(stream, "GET", "/api/v1/clients", &[], "");
    assert_eq!(answer.status, 200);
}
