//! Requests that read and change settings.

use std::thread;

use serde_json::{Map, Value, json};

use super::{SETTINGS, get, patch, start};
use crate::http::ask;

#[test]
fn a_patch_changes_what_it_names() {
    let server = start(&[]);
    let before = get(&server);
    assert_eq!(before.body["lease_time"], 90);
    assert_eq!(
        (&before.body["fixed"], &before.body["persistent"]),
        (&json!({}), &json!(false))
    );
    let answer = patch(
        &server,
        &json!({"lease_time": 20, "blocked_operations": ["openattr"]}),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let after = get(&server);
    let mut expected = before.body.clone();
    expected["lease_time"] = json!(20);
    expected["blocked_operations"] = json!(["OPENATTR"]);
    assert_eq!((&answer.body, &after.body), (&expected, &expected));
    assert_eq!(answer.header("etag"), after.header("etag"));
    assert_ne!(before.header("etag"), after.header("etag"));
    let back = patch(
        &server,
        &json!({"lease_time": 90, "blocked_operations": []}),
    );
    assert_eq!(
        back.header("etag"),
        before.header("etag"),
        "the same settings again"
    );
}

#[test]
fn the_defaults_are_those_of_a_server_that_is_given_nothing() {
    let server = start(&["--lease-time", "20"]);
    patch(&server, &json!({"max_clients": 5}));
    let defaults = ask(
        server.admin(),
        "GET",
        &format!("{SETTINGS}/defaults"),
        &[],
        "",
    );
    let mut expected = get(&start(&[])).body;
    let object = expected.as_object_mut().unwrap();
    object.remove("fixed");
    object.remove("persistent");
    assert_eq!(defaults.body, expected);
}

#[test]
fn a_reset_forgets_what_was_changed() {
    let server = start(&["--lease-time", "20"]);
    let before = get(&server);
    patch(&server, &json!({"max_clients": 5, "delegations": false}));
    assert_ne!(get(&server).body, before.body);
    let answer = ask(
        server.admin(),
        "POST",
        &format!("{SETTINGS}/reset"),
        &[],
        "",
    );
    assert_eq!((answer.status, &answer.body), (200, &before.body));
    assert_eq!(get(&server).body, before.body);
    assert_eq!(
        before.body["lease_time"], 20,
        "the command line is above it"
    );
}

#[test]
fn refused_requests_change_nothing_and_name_every_field_that_is_wrong() {
    let server = start(&["--lease-time", "20"]);
    let before = get(&server);
    let long = format!(
        "{{\"blocked_operations\": [{}\"OPEN\"]}}",
        "\"OPEN\",".repeat(20_000)
    );
    let cases = [
        (
            "{\"max_clients\": 0, \"max_sessions\": 5, \"max_operations\": 7}",
            422,
            vec![
                ("max_clients", "is 0, but must be from 1 to 65536"),
                ("max_operations", "is 7, but must be from 8 to 1024"),
            ],
        ),
        // Faults of every sort at once.
        (
            "{\"max_clients\": 0, \"drain_time\": \"5\", \"max_operations\": 7, \"max_session\": 1}",
            422,
            vec![
                (
                    "drain_time",
                    "expected a whole number of seconds from 0 to 3600 without a unit, as in 30",
                ),
                ("max_clients", "is 0, but must be from 1 to 65536"),
                ("max_operations", "is 7, but must be from 8 to 1024"),
                (
                    "max_session",
                    "there is no such setting; max_sessions is one",
                ),
            ],
        ),
        (
            "{\"v4_min_minor_version\": 2, \"v4_max_minor_version\": 1}",
            422,
            vec![(
                "v4_max_minor_version",
                "is 1, but must be from 2 to 2, since v4_min_minor_version is 2",
            )],
        ),
        (
            "{\"max_clients\": 5000000000}",
            422,
            vec![("max_clients", "is 5000000000, but must be from 1 to 65536")],
        ),
        (
            "{\"max_client\": 5, \"lease_time\": \"x\", \"drain_time\": 5}",
            422,
            vec![
                (
                    "lease_time",
                    "expected a whole number of seconds from 1 to 3600 without a unit, as in 90",
                ),
                ("max_client", "there is no such setting; max_clients is one"),
            ],
        ),
        (
            "{\"fixed\": {}}",
            422,
            vec![("fixed", "there is no such setting")],
        ),
        (
            "{\"max_clients\": 5, \"lease_time\": 20}",
            409,
            vec![("lease_time", "is fixed by the command line")],
        ),
        ("{\"max_clients\": 5", 400, vec![]),
        ("[]", 422, vec![]),
        ("\u{7f}", 400, vec![]),
        (&long, 413, vec![]),
    ];
    for (body, status, expected) in cases {
        let answer = ask(server.admin(), "PATCH", SETTINGS, &[], body);
        let shown = &body[..body.len().min(80)];
        assert_eq!(answer.status, status, "{shown}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{shown}"
        );
        let faults = answer.faults();
        let faults: Vec<_> = faults
            .iter()
            .map(|(field, detail)| (field.as_str(), detail.as_str()))
            .collect();
        assert_eq!(faults, expected, "{shown}");
        let after = get(&server);
        assert_eq!(
            (after.header("etag"), &after.body),
            (before.header("etag"), &before.body)
        );
    }
    let ranged = patch(&server, &json!({"max_clients": 0}));
    let fault = &ranged.body["errors"][0];
    assert_eq!((&fault["min"], &fault["max"]), (&json!(1), &json!(65_536)));
    let plain = ask(
        server.admin(),
        "PATCH",
        SETTINGS,
        &[("Content-Type", "text/plain"), ("Content-Length", "0")],
        "",
    );
    assert_eq!(plain.status, 415);
}

#[test]
fn a_change_may_be_meant_for_certain_settings_only() {
    let server = start(&[]);
    let tag = get(&server).header("etag").unwrap().to_owned();
    let weak = format!("W/{tag}");
    let list = format!("\"other\", {tag}");
    let change = |tag: &str, clients: u32| {
        let body = json!({"max_clients": clients}).to_string();
        ask(
            server.admin(),
            "PATCH",
            SETTINGS,
            &[("If-Match", tag)],
            &body,
        )
        .status
    };
    assert_eq!(change("\"other\"", 5), 412);
    assert_eq!(change(&weak, 5), 412, "the comparison is the strong one");
    assert_eq!(change("no quotes", 5), 400);
    assert_eq!(get(&server).header("etag"), Some(tag.as_str()));
    assert_eq!(change(&list, 5), 200);
    assert_eq!(change(&tag, 6), 412, "they are others by now");
    assert_eq!(change("*", 7), 200);
    let reset = ask(
        server.admin(),
        "POST",
        &format!("{SETTINGS}/reset"),
        &[("If-Match", &weak)],
        "",
    );
    assert_eq!(
        (reset.status, &get(&server).body["max_clients"]),
        (412, &json!(7))
    );
}

#[test]
fn of_writers_at_once_that_read_the_same_one_wins() {
    let directory = super::Directory::new("writers");
    let server = start(&["--state-dir", directory.text()]);
    for round in 0..5 {
        let tag = get(&server).header("etag").unwrap().to_owned();
        let values: Vec<u32> = (1..=8).map(|writer| 100 * (round + 1) + writer).collect();
        let won: Vec<u32> = thread::scope(|scope| {
            let write = |clients: &u32| {
                let (tag, body) = (tag.clone(), json!({"max_clients": clients}).to_string());
                let address = server.admin();
                let clients = *clients;
                scope.spawn(move || {
                    let answer = ask(address, "PATCH", SETTINGS, &[("If-Match", &tag)], &body);
                    match answer.status {
                        200 => Some(clients),
                        412 => None,
                        _ => panic!("{answer:?}"),
                    }
                })
            };
            let writers: Vec<_> = values.iter().map(write).collect();
            writers
                .into_iter()
                .filter_map(|writer| writer.join().unwrap())
                .collect()
        });
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(get(&server).body["max_clients"], won[0]);
    }
}

#[test]
fn writers_at_once_of_different_settings_lose_nothing() {
    let directory = super::Directory::new("different");
    let server = start(&["--state-dir", directory.text()]);
    let names = [
        "max_clients",
        "max_sessions",
        "max_states",
        "max_operations",
        "drain_time",
    ];
    let server_at = server.admin();
    thread::scope(|scope| {
        for name in names {
            scope.spawn(move || {
                for value in 20..30 {
                    let body = Map::from_iter([(name.to_owned(), json!(value))]);
                    let body = Value::Object(body).to_string();
                    let answer = ask(server_at, "PATCH", SETTINGS, &[], &body);
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
    });
    for name in names {
        assert_eq!(get(&server).body[name], 29, "{name}");
    }
}
