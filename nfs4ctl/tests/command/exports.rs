//! `nfs4ctl exports`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::served::Served;

/// A directory that a test exports, and removes in the end.
struct Data(std::path::PathBuf);

impl Data {
    fn new(name: &str) -> Data {
        let name = format!("nfs4ctl-exports-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("it is new");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("it is ours");
        Data(path)
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("it is text")
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_export_is_added_changed_and_removed() {
    let (data, served) = (Data::new("added"), Served::start());
    let flags = [
        "--pseudo",
        "/data",
        "--read-only",
        "--network",
        "127.0.0.0/8",
        "--network",
        "127.0.0.2,rw,squash=all",
        "--minor-versions",
        "1,2",
        "--sec",
        "sys,none",
        "--anonymous-uid",
        "7",
    ];
    let shown = served.json(&[&["exports", "add", data.text()], &flags[..]].concat());
    for (field, expected) in [
        ("pseudo", json!("/data")),
        ("path", json!(data.text())),
        ("read_only", json!(true)),
        ("squash", json!("root")),
        ("anonymous_uid", json!(7)),
        ("minor_versions", json!([1, 2])),
        ("sec", json!(["sys", "none"])),
        ("source", json!("request")),
        (
            "networks",
            json!([
                {"network": "127.0.0.0/8", "read_only": null, "squash": null},
                {"network": "127.0.0.2/32", "read_only": false, "squash": "all"},
            ]),
        ),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    let table = served.done(&["exports", "list"]);
    assert!(
        table.contains("/data") && table.contains("read-only"),
        "{table}"
    );
    let details = served.done(&["exports", "show", "/data"]);
    for part in ["lost at a restart", "7:65534", "4.1, 4.2", "127.0.0.2/32"] {
        assert!(details.contains(part), "{part}: {details}");
    }
    let changed = served.json(&[
        "exports",
        "update",
        "/data",
        "--read-only=false",
        "--squash",
        "none",
    ]);
    assert_eq!(
        (&changed["read_only"], &changed["squash"]),
        (&json!(false), &json!("none"))
    );
    assert_eq!(changed["networks"], shown["networks"]);
    let memory = served.json(&["exports", "add", "--memory", "2M", "--pseudo", "/scratch"]);
    assert_eq!(
        (&memory["memory"], &memory["backend"]),
        (&json!(2 << 20), &json!("memory"))
    );
    let told = served.done(&["exports", "remove", "/data", "/scratch"]);
    assert!(told.contains("/data is not exported any more"), "{told}");
    assert_eq!(served.json(&["exports", "list"])[0]["source"], "default");
}

#[test]
fn what_is_refused_has_its_exit_code() {
    let data = Data::new("refused");
    let served = Served::start_with(&[
        "--export",
        data.text(),
        "--state-dir",
        &format!("{}-state", data.text()),
    ]);
    for (arguments, code, part) in [
        (
            &["exports", "show", "/none"][..],
            3,
            "there is no export /none",
        ),
        (&["exports", "show", data.text()], 3, "similar: /"),
        (
            &["exports", "remove", "/", "/none"],
            3,
            "there is no export /none",
        ),
        (&["exports", "remove", "/"], 1, "command line"),
        (
            &["exports", "update", "/", "--read-only"],
            1,
            "command line",
        ),
        (&["exports", "update", "/"], 2, "name a rule"),
        (&["exports", "add", "/nowhere"], 1, "in the way"),
        (
            &["exports", "add", "/nowhere"],
            1,
            "no export lies within another: the only --export is at \"/\"; with a second one each is at its own path",
        ),
        (&["exports", "add"], 2, "required"),
        (
            &["exports", "add", "/srv", "--network", "127.0.0.1/8"],
            1,
            "bits after its prefix",
        ),
        (
            &[
                "exports",
                "add",
                "/srv",
                "--network",
                "127.0.0.1/8",
                "--network",
                "host",
            ],
            1,
            "\"host\"; expected a network",
        ),
        (
            &["exports", "add", "/srv", "--network", "127.0.0.0/8,rx"],
            2,
            "192.0.2.0/24,ro,squash=all",
        ),
    ] {
        let ended = served.ctl(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(part), "{part}: {ended:?}");
    }
    drop(served);
    let _ = fs::remove_dir_all(format!("{}-state", data.text()));
}
