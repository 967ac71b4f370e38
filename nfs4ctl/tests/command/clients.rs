//! `nfs4ctl clients`.

use nfs4_engine::proto::nfs4::Status;
use serde_json::Value;

use crate::served::Served;

#[test]
fn clients_are_listed_by_their_names() {
    let served = Served::start();
    let _one = served.client("one");
    let _two = served.client("two\x1b[2J");
    let table = served.done(&["clients", "list"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("CLIENT ") && lines[0].ends_with("OWNER"));
    assert!(!table.contains('\x1b') && table.contains("[2J"), "{table}");
    let listed = served.json(&["clients", "list", "--owner", "one", "--minor-version", "1"]);
    let [client] = &listed.as_array().unwrap()[..] else {
        panic!("{listed}")
    };
    assert_eq!(
        (&client["owner"], &client["sessions"]),
        (&"one".into(), &1.into())
    );
    assert!(table.contains(client["client_id"].as_str().unwrap()));
    assert_eq!(
        served.json(&["clients", "list", "--address", "192.0.2.1"]),
        Value::Array(vec![])
    );
    let yaml = served.done(&["-o", "yaml", "clients", "list", "--owner", "one"]);
    assert!(yaml.contains("\n  sessions: 1\n"), "{yaml}");
    let id = format!("- client_id: '{}'\n", served.id_of("one"));
    assert!(yaml.starts_with(&id), "{yaml}");
}

#[test]
fn a_client_is_named_by_the_beginning_of_its_id() {
    let served = Served::start();
    let _one = served.client("one");
    let id = served.id_of("one");
    assert_eq!(
        served.json(&["clients", "show", &id[..1]])["client_id"],
        *id
    );
    assert_eq!(
        served.json(&["clients", "show", &id.to_uppercase()])["client_id"],
        *id
    );
    let details = served.done(&["clients", "show", &id]);
    assert!(
        details.lines().any(|line| line == "owner           one"),
        "{details}"
    );
    // Of 17 ids two begin with the same digit.
    let others: Vec<_> = (0..16)
        .map(|number| served.client(&format!("other {number}")))
        .collect();
    assert_eq!(others.len(), 16);
    let listed = served.json(&["clients", "list"]);
    let ids = listed.as_array().expect("it is a list").iter();
    let ids: Vec<&str> = ids
        .filter_map(|client| client["client_id"].as_str())
        .collect();
    let same = |digit: &&str| ids.iter().filter(|id| id.starts_with(*digit)).count();
    let beginnings = ids.iter().map(|id| &id[..1]);
    let digit = beginnings.max_by_key(same).expect("there are clients");
    let ambiguous = served.ctl(&["clients", "show", digit]);
    assert_eq!((ambiguous.code, ambiguous.out.as_str()), (Some(3), ""));
    for candidate in ids.iter().filter(|id| id.starts_with(digit)) {
        assert!(ambiguous.err.contains(candidate), "{ambiguous:?}");
    }
    // The last digit is another, and no client has it.
    let last = if id.ends_with('f') { "e" } else { "f" };
    let wrong = format!("{}{last}", &id[..15]);
    let unknown = served.ctl(&["clients", "show", &wrong]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert!(
        unknown.err.contains("similar: ") && unknown.err.contains(&id),
        "{unknown:?}"
    );
}

#[test]
fn an_evicted_client_has_lost_its_session() {
    let served = Served::start();
    let (mut one, mut two) = (served.client("one"), served.client("two"));
    let id = served.id_of("one");
    // Nothing is done to the one that is there, if another is not.
    let absent = served.ctl(&["clients", "evict", &id, "ffffffffffffffff"]);
    assert_eq!(absent.code, Some(3), "{absent:?}");
    assert_eq!(one.in_session(|c| c.putrootfh()), Status::OK);
    let told = served.done(&["clients", "evict", &id]);
    assert_eq!(told, format!("evicted client {id}\n"));
    assert_ne!(one.in_session(|c| c.putrootfh()), Status::OK);
    assert_eq!(two.in_session(|c| c.putrootfh()), Status::OK);
    assert_eq!(served.ctl(&["clients", "evict", &id]).code, Some(3));
    one.mount("one", 2);
    assert_eq!(
        served.done(&["-o", "json", "clients", "evict", &served.id_of("one")]),
        ""
    );
}
