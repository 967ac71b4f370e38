//! Exports that requests add, change and remove.

use nfs4_admin::{Export, ExportSource, Squash};
use nfs4_engine::proto::nfs4::Status;
use serde_json::{Value, json};

use super::{Ground, client, encoded, exports, find, listed, open, touch};
use crate::daemon::Server;

#[test]
fn an_added_export_is_served_and_back_after_a_restart() {
    let ground = Ground::new("added");
    let [fixed, added] = ["fixed", "added"].map(|name| ground.directory(name));
    let config = ground.write(
        "nfs4d.toml",
        &format!("[[export]]\npath = {fixed:?}\npseudo = \"/fixed\"\n"),
    );
    let arguments = ["--config", &config];
    let mut server = ground.serve(&arguments);
    let mut user = client(&server, 1, 1_000, 1);
    let held = open(&mut user, &["fixed"], "held").expect("an open");
    let body = json!({"path": added, "pseudo": "/added", "networks": ["127.0.0.0/8"]});
    let made = exports(&server, "POST", "", &body);
    assert_eq!(made.status, 201, "{made:?}");
    let made: Export = made.typed();
    assert_eq!(
        (made.source, made.persistent),
        (ExportSource::Request, true)
    );
    let mut other = client(&server, 2, 1_000, 1);
    open(&mut other, &["added"], "file").expect("an open");
    let file = other.file.clone();
    let changed = exports(
        &server,
        "PATCH",
        "/%2Fadded",
        &json!({"read_only": true, "squash": "all"}),
    );
    let changed: Export = changed.typed();
    assert_eq!((changed.read_only, changed.squash), (true, Squash::All));
    assert_eq!(changed.networks, made.networks, "what is not given stays");
    assert_eq!(open(&mut other, &["added"], "more"), Err(Status::ROFS));
    user.write(held, 0, b"goes on");

    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let server = ground.serve(&arguments);
    let again: Export = exports(&server, "GET", "/%2Fadded", &Value::Null).typed();
    let mut expected = changed;
    (expected.clients, expected.opens) = (0, 0);
    assert_eq!(again, expected);
    let mut other = client(&server, 2, 1_000, 1);
    assert_eq!(touch(&mut other, &file), Status::OK);
    assert_eq!(
        exports(&server, "DELETE", "/%2Fadded", &Value::Null).status,
        204
    );
    assert_eq!(touch(&mut other, &file), Status::STALE);
    exports(&server, "GET", "/%2Fadded", &Value::Null).refusal(404);
    drop(server);
    assert_eq!(listed(&ground.serve(&arguments)), ["/fixed"]);
}

#[test]
fn what_a_request_may_not_is_refused_and_changes_nothing() {
    let ground = Ground::new("refused");
    let [fixed, free] = ["fixed", "free"].map(|name| ground.directory(name));
    std::os::unix::fs::symlink(&fixed, ground.path("link")).unwrap();
    ground.write("file", "");
    let server = ground.serve(&["--export", &fixed, "--export", &free]);
    let at = encoded(&fixed);
    let before = listed(&server);
    for (method, path, body, status, part) in [
        ("POST", "", json!({}), 422, "which directory"),
        (
            "POST",
            "",
            json!({"path": "srv", "squash": 7}),
            422,
            "absolute path",
        ),
        (
            "POST",
            "",
            json!({"path": "/srv", "colour": "red"}),
            422,
            "no such option",
        ),
        ("POST", "", json!({"path": null}), 422, "is null"),
        (
            "POST",
            "",
            json!({"path": fixed, "pseudo": "/x"}),
            409,
            "another export",
        ),
        (
            "POST",
            "",
            json!({"path": format!("{free}/x"), "pseudo": "/x"}),
            409,
            "lies within",
        ),
        (
            "POST",
            "",
            json!({"path": ground.text("link"), "pseudo": "/x"}),
            422,
            "leads to the directory",
        ),
        (
            "POST",
            "",
            json!({"path": ground.text("none"), "pseudo": "/x"}),
            422,
            "is not there",
        ),
        (
            "POST",
            "",
            json!({"path": ground.text("file"), "pseudo": "/x"}),
            422,
            "no directory",
        ),
        (
            "POST",
            "",
            json!({"backend": "memory", "pseudo": fixed}),
            409,
            "another export",
        ),
        (
            "PATCH",
            &at,
            json!({"read_only": true}),
            409,
            "command line",
        ),
        ("DELETE", &at, Value::Null, 409, "command line"),
        ("DELETE", "/%2Fnone", Value::Null, 404, "no export"),
        ("PATCH", "/%2Fnone", json!({}), 404, "no export"),
    ] {
        let answer = exports(&server, method, path, &body);
        answer.refusal(status);
        assert!(answer.text.contains(part), "{body}: {answer:?}");
        assert_eq!(listed(&server), before);
    }
    let body = json!({"backend": "memory", "pseudo": "/mem", "memory": "2M"});
    let added = exports(&server, "POST", "", &body);
    assert_eq!(added.status, 201);
    assert_eq!(added.body["number"], 2, "a refused one has taken no number");
    for field in [
        "path",
        "pseudo",
        "backend",
        "cross_mounts",
        "local_locks",
        "memory",
    ] {
        let value = match field {
            "cross_mounts" | "local_locks" => json!(true),
            "memory" => json!("4M"),
            "backend" => json!("memory"),
            _ => json!("/srv"),
        };
        let answer = exports(&server, "PATCH", "/%2Fmem", &json!({ field: value }));
        answer.refusal(422);
        assert_eq!(answer.faults()[0].0, field);
    }
}

#[test]
fn the_default_export_gives_way_unless_it_is_used() {
    let ground = Ground::new("default");
    let data = ground.directory("data");
    let server = Server::start(&["--admin", "127.0.0.1:0"]);
    let body = json!({"path": data, "pseudo": "/data"});
    exports(&server, "DELETE", "/%2F", &Value::Null).refusal(409);
    let added: Export = exports(&server, "POST", "", &body).typed();
    assert!(!added.persistent, "there is no state directory");
    assert_eq!(listed(&server), ["/data"]);
    assert_eq!(
        exports(&server, "DELETE", "/%2Fdata", &Value::Null).status,
        204
    );
    assert_eq!(listed(&server), ["/"]);
    let mut user = client(&server, 1, 1_000, 1);
    open(&mut user, &[], "file").expect("an open");
    user.close();
    user.unmount();
    let refused = exports(&server, "POST", "", &body).refusal(409);
    assert!(refused.detail.contains("memory"), "{refused:?}");
    assert_eq!(listed(&server), ["/"]);
}

#[test]
fn a_stored_export_whose_directory_is_gone_does_not_stop_the_server() {
    let ground = Ground::new("gone");
    let [fixed, added] = ["fixed", "added"].map(|name| ground.directory(name));
    let config = ground.write(
        "nfs4d.toml",
        &format!("[[export]]\npath = {fixed:?}\npseudo = \"/fixed\"\n"),
    );
    let server = ground.serve(&["--config", &config]);
    let body = json!({"path": added, "pseudo": "/added"});
    assert_eq!(exports(&server, "POST", "", &body).status, 201);
    drop(server);
    std::fs::remove_dir(ground.path("added")).unwrap();
    let server = ground.serve(&["--config", &config]);
    assert!(server.banner.contains("NOT SERVED"), "{}", server.banner);
    let shown: Export = exports(&server, "GET", "/%2Fadded", &Value::Null).typed();
    assert!(shown.fault.unwrap().contains("not there") && shown.number.is_none());
    let mut user = client(&server, 1, 1_000, 1);
    assert_eq!(find(&mut user, &["added"]), Err(Status::NOENT));
    let change = serde_json::json!({"read_only": true});
    let refused = exports(&server, "PATCH", "/%2Fadded", &change).refusal(409);
    assert!(refused.detail.contains("not there"), "{refused:?}");
    // It is added again, or removed.
    ground.directory("added");
    assert_eq!(exports(&server, "POST", "", &body).status, 201);
    find(&mut user, &["added"]).expect("it is there");
    assert_eq!(
        exports(&server, "DELETE", "/%2Fadded", &Value::Null).status,
        204
    );
    drop(server);
    assert_eq!(listed(&ground.serve(&["--config", &config])), ["/fixed"]);
}
