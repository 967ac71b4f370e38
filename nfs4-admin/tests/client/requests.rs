//! What the client asks, and how it takes a refusal.

use nfs4_admin::client::{ClientFilter, EventFilter, ROUTES, Server, ServerFault};
use nfs4_admin::{ExportOptions, SettingsPatch};
use serde_json::json;

use super::script::{Asked, Reply, Script, answer};

fn empty(asked: &Asked) -> Reply {
    let kind = if asked.line.ends_with("/events") {
        "content-type: text/event-stream\r\n"
    } else {
        ""
    };
    answer("200 OK", kind, "{}")
}

/// Whether a path is one of a route.
fn is_of(line: &str, method: &str, path: &str) -> bool {
    let Some((asked, target)) = line.split_once(' ') else {
        return false;
    };
    let target = target.split('?').next().unwrap_or_default();
    let (parts, names) = (target.split('/'), path.split('/'));
    let same = parts.clone().count() == names.clone().count()
        && parts
            .zip(names)
            .all(|(part, name)| name.starts_with('{') || part == name);
    asked == method && same
}

#[tokio::test]
async fn each_route_is_asked_by_one_method() {
    let (script, server) = Script::start(empty).await;
    let (client, session) = ("00000000000000ab", "000000000000000000000000000000cd");
    let patch = SettingsPatch::default();
    // Most answers are not what an empty object says; only the questions count here.
    let _ = server.clients(&ClientFilter::default()).next().await;
    let _ = server.client(client).await;
    let _ = server.evict_client(client).await;
    let _ = server.client_sessions(client).await;
    let _ = server.session(client, session).await;
    let _ = server.destroy_session(client, session).await;
    let _ = server.sessions().next().await;
    let _ = server.connections().next().await;
    let _ = server.connection(7).await;
    let _ = server.drain_connection(7).await;
    let _ = server.undrain_connection(7).await;
    let _ = server.settings().await;
    let _ = server.update_settings(&patch, None).await;
    let _ = server.default_settings().await;
    let _ = server.reset_settings().await;
    let _ = server.exports().await;
    let _ = server.export("/srv").await;
    let _ = server.add_export(&ExportOptions::default()).await;
    let _ = server
        .change_export("/srv", &ExportOptions::default())
        .await;
    let _ = server.remove_export("/srv").await;
    let _ = server.grace().await;
    let _ = server.end_grace().await;
    let _ = server.events(&EventFilter::default()).await;
    let _ = server.openapi().await;
    let _ = server.health().await;
    let _ = server.metrics().await;
    let lines = script.lines();
    assert_eq!(lines.len(), ROUTES.len());
    for (line, route) in lines.iter().zip(ROUTES) {
        assert!(
            is_of(line, route.method(), route.path()),
            "{line} {route:?}"
        );
    }
    assert_eq!(
        lines[5],
        format!("DELETE /api/v1/clients/{client}/sessions/{session}")
    );
    assert_eq!(lines[9], "POST /api/v1/connections/7/drain");
}

#[tokio::test]
async fn a_request_has_host_token_and_type() {
    let (script, server) = Script::start(empty).await;
    let server = server.with_token("correct-horse-battery").unwrap();
    let patch = SettingsPatch {
        lease_time: Some(30),
        ..SettingsPatch::default()
    };
    let _ = server.update_settings(&patch, Some("\"7\"")).await;
    let [asked] = &script.asked()[..] else {
        panic!("{:?}", script.lines())
    };
    let port = server
        .endpoint()
        .to_string()
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    for header in [
        format!("host: 127.0.0.1:{port}"),
        "authorization: bearer correct-horse-battery".to_owned(),
        "content-type: application/json".to_owned(),
        "if-match: \"7\"".to_owned(),
    ] {
        assert!(
            asked.headers.lines().any(|line| line == header),
            "{header}: {asked:?}"
        );
    }
    assert_eq!(asked.body, r#"{"lease_time":30}"#);
    assert!(!format!("{server:?}").contains("horse"), "{server:?}");
}

#[tokio::test]
async fn a_token_that_no_header_can_have_is_refused() {
    for token in ["a b", "a\r\nx: y", "ä", "\u{7f}"] {
        let server = Server::new("http://127.0.0.1:1".parse().unwrap());
        assert!(
            matches!(server.with_token(token), Err(ServerFault::Token)),
            "{token:?}"
        );
    }
    let server = Server::new("http://127.0.0.1:1".parse().unwrap());
    let tag = server
        .update_settings(&SettingsPatch::default(), Some("\"\n\""))
        .await;
    assert!(matches!(tag, Err(ServerFault::Garbled(_))), "{tag:?}");
}

#[tokio::test]
async fn filters_are_escaped() {
    let (script, server) = Script::start(|_: &Asked| answer("200 OK", "", "[]")).await;
    let filter = ClientFilter {
        address: Some("2001:db8::7".parse().unwrap()),
        owner: Some("a&limit=1 ä".to_owned()),
        minor_version: Some(1),
    };
    assert_eq!(server.clients(&filter).all().await.unwrap(), []);
    let query = "address=2001%3Adb8%3A%3A7&owner=a%26limit%3D1%20%C3%A4&minor_version=1&limit=1000";
    assert_eq!(script.lines(), [format!("GET /api/v1/clients?{query}")]);
}

#[tokio::test]
async fn a_refusal_names_status_and_fields() {
    let (_script, server) = Script::start(|_: &Asked| {
        let problem = json!({
            "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
            "detail": "settings are out of range",
            "errors": [{"field": "lease_time", "detail": "is 0, but must be from 1 to 3600", "min": 1, "max": 3600}],
        });
        let kind = "content-type: application/problem+json\r\n";
        answer("422 Unprocessable Entity", kind, &problem.to_string())
    })
    .await;
    let why = server
        .update_settings(&SettingsPatch::default(), None)
        .await
        .unwrap_err();
    assert_eq!(why.status(), Some(422));
    let text = "settings are out of range; lease_time: is 0, but must be from 1 to 3600";
    assert_eq!(why.to_string(), text);
    let ServerFault::Refused(problem) = why else {
        panic!("{why:?}")
    };
    assert_eq!(
        (problem.errors[0].min, problem.errors[0].max),
        (Some(1), Some(3_600))
    );
}

#[tokio::test]
async fn a_refusal_that_is_no_problem_has_its_status() {
    let (_script, server) =
        Script::start(|_: &Asked| answer("502 Bad Gateway", "", "<html>")).await;
    let why = server.grace().await.unwrap_err();
    assert_eq!(why.status(), Some(502));
    let redirect = |_: &Asked| answer("302 Found", "location: http://192.0.2.1/\r\n", "");
    let (script, server) = Script::start(redirect).await;
    assert_eq!(server.grace().await.unwrap_err().status(), Some(302));
    assert_eq!(script.lines().len(), 1);
}

#[tokio::test]
async fn settings_come_with_their_tag() {
    let (_script, server) = Script::start(|_: &Asked| {
        let settings = nfs4_admin::Settings::default();
        let body = serde_json::to_string(&settings).unwrap();
        answer("200 OK", "etag: \"9\"\r\n", &body)
    })
    .await;
    assert_eq!(
        server.settings().await.unwrap().etag.as_deref(),
        Some("\"9\"")
    );
}

#[tokio::test]
async fn a_connection_is_used_again_for_what_can_be_asked_twice() {
    let grace = r#"{"active":false,"remaining_seconds":0,"grace_time":0}"#;
    let (script, server) = Script::start(move |asked: &Asked| {
        // The server closes its second connection after an answer that did not say so.
        match answer("200 OK", "", grace) {
            Reply::Bytes(bytes) if asked.connection == 1 => Reply::Last(bytes),
            other => other,
        }
    })
    .await;
    server.grace().await.unwrap();
    server.grace().await.unwrap();
    server.end_grace().await.unwrap();
    server.grace().await.unwrap();
    server.end_grace().await.unwrap();
    let connections: Vec<usize> = script
        .asked()
        .iter()
        .map(|asked| asked.connection)
        .collect();
    assert_eq!(connections, [0, 0, 1, 2, 3]);
}

#[tokio::test]
async fn a_unix_socket_is_spoken_to() {
    let path = std::env::temp_dir().join(format!("nfs4-admin-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let (script, server) =
        Script::start_unix(&path, |_: &Asked| answer("200 OK", "", "ok\n")).await;
    server.health().await.unwrap();
    assert_eq!(server.metrics().await.unwrap(), "ok\n");
    std::fs::remove_file(&path).unwrap();
    assert!(script.asked()[0].headers.contains("host: localhost"));
    let gone = Server::new(server.endpoint().clone())
        .health()
        .await
        .unwrap_err();
    assert!(matches!(gone, ServerFault::Unreachable { .. }), "{gone:?}");
}
