//! The stream of events.

use nfs4_admin::Fact;
use nfs4_admin::client::{EventFilter, ServerFault, Told};

use super::script::{Asked, Reply, Script};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n";

fn stream(body: &str) -> impl Fn(&Asked) -> Reply + Clone + Send + 'static {
    let bytes = format!("{HEAD}{body}").into_bytes();
    move |_: &Asked| Reply::Last(bytes.clone())
}

#[tokio::test]
async fn events_come_in_order() {
    let body = ": hello\n\n\
        id: 7\nevent: session_destroyed\ndata: {\"number\":7,\"at\":\"2026-01-01T00:00:00Z\",\
        \"kind\":\"session_destroyed\",\"session_id\":\"ab\",\"reason\":\"admin_evict\"}\n\n\
        event: lost\ndata: {\"lost\":3}\n\n\
        id: 11\nevent: comet\ndata: {\"number\":11,\"at\":\"2026-01-01T00:00:00Z\",\"kind\":\"comet\"}\n\n";
    let (script, server) = Script::start(stream(body)).await;
    let filter = EventFilter {
        after: Some(6),
        kinds: vec!["session_destroyed".to_owned(), "comet".to_owned()],
    };
    let mut events = server.events(&filter).await.unwrap();
    assert_eq!(events.last(), Some(6));
    let Some(Told::Event(event)) = events.next().await.unwrap() else {
        panic!("no event")
    };
    assert_eq!((event.number, events.last()), (7, Some(7)));
    let destroyed = Fact::SessionDestroyed {
        session_id: "ab".to_owned(),
        reason: "admin_evict".to_owned(),
    };
    assert_eq!(event.fact, destroyed);
    assert_eq!(events.next().await.unwrap(), Some(Told::Lost(3)));
    let Some(Told::Other { kind, .. }) = events.next().await.unwrap() else {
        panic!("no other event")
    };
    assert_eq!((kind.as_str(), events.last()), ("comet", Some(11)));
    assert_eq!(events.next().await.unwrap(), None);
    assert!(script.asked()[0].headers.contains("last-event-id: 6"));
    let line = "GET /api/v1/events?kind=session_destroyed%2Ccomet";
    assert_eq!(script.lines(), [line]);
}

#[tokio::test]
async fn a_stream_may_be_waited_for_again_and_again() {
    let held = |_: &Asked| Reply::Bytes(format!("{HEAD}event: lost\ndata: {{\"lo").into_bytes());
    let (_script, server) = Script::start(held).await;
    let mut events = server.events(&EventFilter::default()).await.unwrap();
    let moment = std::time::Duration::from_millis(20);
    for _ in 0..3 {
        assert!(tokio::time::timeout(moment, events.next()).await.is_err());
    }
}

#[tokio::test]
async fn events_that_are_no_json_are_garbled() {
    for body in [
        "event: lost\ndata: {}\n\n",
        "event: x\ndata: {\"number\":\n\n",
    ] {
        let (_script, server) = Script::start(stream(body)).await;
        let mut events = server.events(&EventFilter::default()).await.unwrap();
        let why = events.next().await.unwrap_err();
        assert!(matches!(why, ServerFault::Garbled(_)), "{why:?}");
    }
}
