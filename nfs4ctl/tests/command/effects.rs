//! Every setting is changed by its flag while the server runs, and clients see it.

use std::fs;

use nfs4_engine::proto::nfs4::SessionId;
use nfs4_tests::live::settings::{Effect, Server, assert_all_act, stay};

use crate::served::Served;

#[test]
fn an_update_of_each_setting_is_seen_by_clients() {
    assert_all_act(|effect| {
        let Effect { setting, value, .. } = effect;
        let name = format!("nfs4ctl-{setting}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("it is new");
        fs::write(folder.join("settings.json"), effect.stored()).expect("it is written");
        let start = || Served::start_with(&["--state-dir", folder.to_str().expect("it is text")]);
        if effect.has_former {
            stay(start().address);
        }
        let served = start();
        let before = seen_of(&served, effect);
        let flag = format!("--{}", setting.replace('_', "-"));
        served.done(&["settings", "update", &flag, value]);
        let after = seen_of(&served, effect);
        drop(served);
        fs::remove_dir_all(&folder).expect("it is there");
        [before, after]
    });
}

/// What clients see of a setting.
fn seen_of(served: &Served, effect: &Effect) -> String {
    effect.look(&Server {
        address: served.address,
        drain: &|session| drain(served, session),
    })
}

/// Drains the connection of a session.
fn drain(served: &Served, session: &SessionId) {
    let id = session.0.map(|byte| format!("{byte:02x}")).concat();
    let shown = served.json(&["sessions", "show", &id]);
    let connection = shown["connections"][0]["connection_id"].to_string();
    served.done(&["connections", "drain", &connection]);
}
