//! Listings in pages.

use nfs4_admin::client::{ClientFilter, ServerFault};
use serde_json::{Value, json};

use super::script::{Asked, Reply, Script, answer};

fn connection(number: u64) -> Value {
    json!({
        "connection_id": number, "conn_type": "tcp", "peer": "192.0.2.1:700",
        "opened_at": "2026-01-01T00:00:00Z", "draining": false, "client_id": null, "sessions": [],
    })
}

fn field(asked: &Asked, name: &str) -> Option<u64> {
    let (_, query) = asked.line.split_once('?')?;
    let mut fields = query.split('&').filter_map(|field| field.split_once('='));
    fields.find_map(|(key, value)| (key == name).then(|| value.parse().expect("it is a number")))
}

/// A listing of `total` connections, of which a page has as many as were asked for.
fn listing(total: u64) -> impl Fn(&Asked) -> Reply + Clone + Send + 'static {
    move |asked: &Asked| {
        let from = field(asked, "cursor").unwrap_or(0);
        let end = total.min(from + field(asked, "limit").expect("it has a limit"));
        let page: Vec<Value> = (from..end).map(connection).collect();
        let link = match end {
            end if end == total => String::new(),
            // Only the cursor of a link counts.
            end => format!("link: <http://192.0.2.66/x?cursor={end}>; rel=\"next\"\r\n"),
        };
        answer("200 OK", &link, &json!(page).to_string())
    }
}

#[tokio::test]
async fn all_pages_are_read_in_order() {
    let (script, server) = Script::start(listing(2_500)).await;
    let mut pages = server.connections();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        sizes.push(page.len());
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert!(pages.next().await.unwrap().is_none());
    assert_eq!(
        script.lines()[2],
        "GET /api/v1/connections?limit=1000&cursor=2000"
    );
    let all = server.connections().all().await.unwrap();
    assert!(
        all.iter()
            .map(|connection| connection.connection_id)
            .eq(0..2_500)
    );
}

#[tokio::test]
async fn a_page_that_is_too_long_is_asked_for_with_fewer_entries() {
    // 200 000 bytes an entry: 16 MiB have 83 of them.
    let (script, server) = Script::start(|asked: &Asked| {
        let peer = "x".repeat(200_000);
        let mut entry = connection(1);
        entry["peer"] = json!(peer);
        let page = vec![entry; usize::try_from(field(asked, "limit").unwrap()).unwrap()];
        answer("200 OK", "", &json!(page).to_string())
    })
    .await;
    let page = server.connections().next().await.unwrap().unwrap();
    assert_eq!(page.len(), 62);
    assert_eq!(script.lines().len(), 5);
}

#[tokio::test]
async fn a_server_that_goes_in_a_circle_is_left() {
    let link = "link: </x?cursor=7>; rel=\"next\"\r\n";
    let (script, server) = Script::start(move |_: &Asked| answer("200 OK", link, "[]")).await;
    let why = server
        .clients(&ClientFilter::default())
        .all()
        .await
        .unwrap_err();
    assert!(matches!(why, ServerFault::Garbled(_)), "{why:?}");
    assert_eq!(script.lines().len(), 2);
}
