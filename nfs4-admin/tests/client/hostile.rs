//! Servers that mean harm, or are none.

use std::time::{Duration, Instant};

use nfs4_admin::client::{EventFilter, Server, ServerFault};
use tokio::net::TcpListener;

use super::script::{Asked, Reply, Script, answer};

#[tokio::test]
async fn nothing_listens_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let why = Server::new(endpoint.parse().unwrap())
        .grace()
        .await
        .unwrap_err();
    assert!(matches!(why, ServerFault::Unreachable { .. }), "{why:?}");
    assert!(why.to_string().contains(&endpoint), "{why}");
}

#[tokio::test]
async fn a_silent_server_is_left() {
    let drips =
        |_: &Asked| Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n[".to_vec());
    let (_script, dripping) = Script::start(drips).await;
    let (_script, silent) = Script::start(|_: &Asked| Reply::Silence).await;
    for server in [dripping, silent] {
        let server = server.with_timeout(Duration::from_millis(100));
        let begun = Instant::now();
        for _ in 0..2 {
            let why = server.grace().await.unwrap_err();
            assert!(matches!(why, ServerFault::Timeout { .. }), "{why:?}");
        }
        let events = server.events(&EventFilter::default()).await.unwrap_err();
        assert!(
            !matches!(events, ServerFault::Unreachable { .. }),
            "{events:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\n",
    ] {
        let endless = |_: &Asked| Reply::Endless(head.into(), vec![b' '; 1 << 16]);
        let (_script, server) = Script::start(endless).await;
        let why = server.grace().await.unwrap_err();
        assert!(
            matches!(
                why,
                ServerFault::TooLong {
                    limit: 16_777_216,
                    ..
                }
            ),
            "{why:?}"
        );
    }
}

#[tokio::test]
async fn an_endless_head_is_not_read() {
    for line in ["x: y\r\n", "xxxxxxxx"] {
        let endless = move |_: &Asked| {
            Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), line.as_bytes().repeat(999))
        };
        let (_script, server) = Script::start(endless).await;
        let why = server.grace().await.unwrap_err();
        assert!(matches!(why, ServerFault::Broken { .. }), "{why:?}");
    }
}

#[tokio::test]
async fn an_endless_event_is_not_read() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ";
    let endless = move |_: &Asked| Reply::Endless(head.into(), vec![b' '; 1 << 10]);
    let (_script, server) = Script::start(endless).await;
    let mut events = server.events(&EventFilter::default()).await.unwrap();
    let why = events.next().await.unwrap_err();
    assert!(
        matches!(why, ServerFault::TooLong { limit: 65_536, .. }),
        "{why:?}"
    );
}

#[tokio::test]
async fn what_is_no_http_is_a_broken_connection() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[",
        "",
    ] {
        let (_script, server) = Script::start(|_: &Asked| Reply::Last(bytes.into())).await;
        let why = server.grace().await.unwrap_err();
        assert!(
            matches!(why, ServerFault::Broken { .. }),
            "{bytes:?}: {why:?}"
        );
    }
}

#[tokio::test]
async fn what_is_no_such_answer_is_garbled() {
    for body in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"active":1}"#,
        &"[".repeat(100_000),
    ] {
        let body = body.to_owned();
        let (_script, server) = Script::start(move |_: &Asked| answer("200 OK", "", &body)).await;
        let why = server.grace().await.unwrap_err();
        assert!(matches!(why, ServerFault::Garbled(_)), "{why:?}");
        let why = server.openapi().await.map(|_| ());
        assert!(
            matches!(why, Ok(()) | Err(ServerFault::Garbled(_))),
            "{why:?}"
        );
        let why = server.events(&EventFilter::default()).await.unwrap_err();
        assert!(matches!(why, ServerFault::Garbled(_)), "{why:?}");
    }
}
