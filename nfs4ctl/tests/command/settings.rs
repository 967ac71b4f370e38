//! `nfs4ctl settings`.

use nfs4_engine::proto::nfs4::Status;
use nfs4_tests::live::Client;

use crate::served::Served;

#[test]
fn a_setting_that_is_changed_is_seen_by_clients() {
    let served = Served::start();
    let before = served.json(&["settings", "show"]);
    let _one = served.client("one");
    let flags = ["--v4-min-minor-version", "2", "--max-clients", "100"];
    let table = served.done(&[&["settings", "update"], &flags[..]].concat());
    let row = |name: &str| {
        let row = table.lines().find(|line| line.starts_with(name));
        row.expect("it is a setting").split_whitespace().nth(1)
    };
    assert_eq!(row("v4_min_minor_version"), Some("2"), "{table}");
    assert_eq!(row("max_clients"), Some("100"));
    let mut other = Client::connect(served.address);
    assert_eq!(other.try_introduce("other", 1), Status::MINOR_VERS_MISMATCH);
    let mut expected = before.clone();
    expected["v4_min_minor_version"] = 2.into();
    expected["max_clients"] = 100.into();
    assert_eq!(served.json(&["settings", "show"]), expected);
    assert_eq!(served.json(&["settings", "reset"]), before);
    assert_eq!(other.try_introduce("other", 1), Status::OK);
    let defaults = served.json(&["settings", "show", "--defaults"]);
    assert_eq!(defaults["max_clients"], before["max_clients"]);
    assert!(defaults.get("fixed").is_none() && before.get("fixed").is_some());
}

#[test]
fn a_refused_change_names_the_field_and_changes_nothing() {
    let served = Served::start_with(&["--lease-time", "30"]);
    let before = served.json(&["settings", "show"]);
    assert_eq!(before["fixed"]["lease_time"], "command_line");
    for (flags, part) in [
        (["--max-operations", "1"], "max_operations"),
        (["--v4-min-minor-version", "9"], "v4_min_minor_version"),
        (["--lease-time", "40"], "lease_time"),
        (["--blocked-operations", "OPENATTRR"], "blocked_operations"),
    ] {
        // The other setting would be allowed.
        let both = [&["settings", "update", "--max-clients", "7"], &flags[..]].concat();
        let refused = served.ctl(&both);
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (Some(1), ""),
            "{refused:?}"
        );
        assert!(refused.err.contains(part), "{refused:?}");
    }
    assert_eq!(served.json(&["settings", "show"]), before);
}

#[test]
fn a_tag_of_an_older_version_is_refused() {
    let served = Served::start();
    let tag = |served: &Served| {
        let shown = served.done(&["settings", "show"]);
        let line = shown.lines().find_map(|line| line.strip_prefix("tag "));
        line.expect("it has a tag").trim().to_owned()
    };
    let first = tag(&served);
    let update = |value: &str, tag: &str| {
        served.ctl(&[
            "settings",
            "update",
            "--max-clients",
            value,
            "--if-match",
            tag,
        ])
    };
    assert_eq!(update("100", &first).code, Some(0));
    let late = update("200", &first);
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.err.contains("changed meanwhile"), "{late:?}");
    // As a shell passes it on.
    let tag = tag(&served);
    assert_eq!(update("200", tag.trim_matches('"')).code, Some(0));
    assert_eq!(served.json(&["settings", "show"])["max_clients"], 200);
}
