//! `nfs4ctl sessions` and `nfs4ctl connections`.

use nfs4_engine::proto::nfs4::Status;
use nfs4_tests::live::Connection;

use crate::served::Served;

#[test]
fn the_table_has_ids_that_other_verbs_take() {
    let served = Served::start();
    let mut client = served.client("one");
    client.come_back(Connection::new(served.address));
    served.client("two").leave();
    let table = served.done(&["sessions", "list"]);
    let row = table.lines().nth(1).expect("it is listed");
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        (table.lines().count(), cells[0].len(), cells[1].len()),
        (2, 32, 16)
    );
    let shown = served.json(&["sessions", "show", &cells[0][..31]]);
    let listed = served.json(&["sessions", "list", "--client", cells[1]]);
    assert_eq!(listed[0], shown);
    assert_eq!(cells[2], shown["connection_summary"]["total"].to_string());
    let first = &shown["connections"][0];
    let id = first["connection_id"].to_string();
    let connection = served.json(&["connections", "show", &id]);
    assert_eq!(connection["peer"], first["peer"]);
    assert_eq!(connection["sessions"][0]["session_id"], cells[0]);
    let details = served.done(&["sessions", "show", cells[0]]);
    assert!(
        details.contains(first["peer"].as_str().expect("it came by TCP")),
        "{details}"
    );
    assert!(served.done(&["connections", "list"]).lines().count() >= 2);
}

#[test]
fn a_destroyed_session_is_lost_and_its_client_stays() {
    let served = Served::start();
    let mut client = served.client("one");
    let sessions = served.json(&["sessions", "list"]);
    let id = sessions[0]["session_id"]
        .as_str()
        .expect("it is listed")
        .to_owned();
    let told = served.done(&["sessions", "destroy", &id, "--yes"]);
    assert_eq!(told, format!("destroyed session {id}\n"));
    assert_eq!(client.in_session(|c| c.putrootfh()), Status::BADSESSION);
    assert_eq!(served.json(&["clients", "list"])[0]["sessions"], 0);
    assert_eq!(served.ctl(&["sessions", "destroy", &id]).code, Some(3));
}

#[test]
fn a_drained_connection_is_closed() {
    let served = Served::start();
    let mut client = served.client("one");
    let id = served.json(&["connections", "list"])[0]["connection_id"].to_string();
    let told = served.done(&["connections", "drain", &id]);
    assert_eq!(told, format!("draining connection {id}\n"));
    let patience = std::time::Duration::from_secs(40);
    assert!(client.connection.is_closed_within(patience));
    served.wait_for("the end of the connection", |served| {
        served.ctl(&["connections", "show", &id]).code == Some(3)
    });
    let unknown = served.ctl(&["connections", "drain", "18446744073709551615"]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert!(
        unknown.err.contains("no connection 18446744073709551615"),
        "{unknown:?}"
    );
}
