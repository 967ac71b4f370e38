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
fn changed_settings_have_the_names_of_their_flags() {
    let served = Served::start();
    let settings = served.json(&["settings", "show", "--defaults"]);
    let before = served.client("before");
    // One after the other, since some bound others.
    let changes = [
        ("lease_time", "80"),
        ("courtesy_time", "600"),
        ("grace_time", "70"),
        ("v4_min_minor_version", "1"),
        ("v4_max_minor_version", "1"),
        ("v4_max_connections_per_session", "3"),
        ("v4_binding_policy", "shared"),
        ("v4_session_slots", "5"),
        ("v4_sessions_per_client", "6"),
        ("blocked_operations", "OPENATTR"),
        ("delegations", "false"),
        ("max_delegations", "7"),
        ("max_delegations_per_client", "6"),
        ("delegation_pause", "9"),
        ("delegation_penalty", "10"),
        ("max_clients", "100"),
        ("max_sessions", "100"),
        ("max_states", "100"),
        ("max_opens_per_client", "50"),
        ("max_operations", "20"),
        ("max_cached_reply", "2048"),
        ("max_reply_cache", "1048576"),
        ("drain_time", "11"),
        ("callback_timeout_ms", "1200"),
        ("callback_pause_ms", "130"),
        ("slow_request_ms", "900"),
    ];
    assert_eq!(
        settings.as_object().map(|all| all.len()),
        Some(changes.len())
    );
    for (name, value) in changes {
        let flag = format!("--{}", name.replace('_', "-"));
        served.done(&["settings", "update", &flag, value]);
    }
    drop(before);
    let count = changes.len().to_string();
    let kind = ["--after", "1", "--kind", "settings_changed"];
    let out = served.done(&[&["-o", "json", "events", "--count", &count], &kind[..]].concat());
    let told = out.lines().map(|line| {
        let event: Value = serde_json::from_str(line).expect("it is JSON");
        event["settings"].clone()
    });
    let expected = changes.map(|(name, _)| json!([name]));
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn there_is_no_grace_period_to_end() {
    let served = Served::start();
    let none = json!({
        "active": false, "ending": false, "remaining_seconds": 0, "grace_time": 0,
        "known_clients": 0, "missing_clients": 0, "some_missing": [],
    });
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
