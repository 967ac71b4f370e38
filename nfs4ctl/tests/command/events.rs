//! `nfs4ctl events` and `nfs4ctl grace`.

use std::collections::BTreeSet;
use std::process::Stdio;

use nfs4_admin::client::{ROUTES, Server};
use serde_json::{Value, json};

use crate::served::{Served, read_until};

#[test]
fn events_are_told_as_they_happen() {
    let served = Served::start();
    let _before = served.client("before");
    let mut events = served
        .command(&["-o", "json", "events", "--count", "2", "--kind"])
        .arg("client_confirmed,client_gone")
        .stdout(Stdio::piped())
        .spawn()
        .expect("nfs4ctl runs");
    // The stream begins at some time after the start.
    let mut number = 0;
    while events.try_wait().expect("it is there").is_none() {
        number += 1;
        assert!(number < 1_000, "no event comes");
        let _client = served.client(&format!("client {number}"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let out = read_until(&mut events, "\n");
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect();
    let [first, second] = &lines[..] else {
        panic!("{out}")
    };
    assert_eq!(
        (&first["kind"], &second["kind"]),
        (&json!("client_confirmed"), &json!("client_confirmed"))
    );
    // What came after an event is told again.
    let after = first["number"].to_string();
    let from = ["events", "--after", &after, "--count", "1"];
    let again = served.done(&[&from[..], &["--kind", "session_created"]].concat());
    assert!(again.contains("  session_created  client_id="), "{again}");
}

#[test]
fn there_is_no_grace_period_to_end() {
    let served = Served::start();
    let none = json!({"active": false, "remaining_seconds": 0, "grace_time": 0});
    assert_eq!(served.json(&["grace", "status"]), none);
    assert!(
        served
            .done(&["grace", "status"])
            .starts_with("grace period  none\n")
    );
    assert_eq!(served.json(&["grace", "end"]), none);
}

#[test]
fn the_client_uses_all_routes_that_the_server_describes() {
    let served = Served::start();
    let server = Server::new(served.endpoint().parse().expect("it is an endpoint"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let document = runtime.block_on(server.openapi()).expect("it is served");
    let paths = document["paths"].as_object().expect("it has paths");
    let described: BTreeSet<(String, &str)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, _)| (method.to_uppercase(), path.as_str()))
        })
        // The page and its parts.
        .filter(|(_, path)| path.starts_with("/api/") || ["/healthz", "/metrics"].contains(path))
        .collect();
    let used = ROUTES
        .iter()
        .map(|route| (route.method().to_owned(), route.path()));
    assert_eq!(described, used.collect());
}
