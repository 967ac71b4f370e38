//! Settings: where they come from, and how they change while the server runs.

mod effects;
mod file;
mod requests;
pub(crate) mod store;

use std::fs;
use std::path::{Path, PathBuf};

use nfs4_engine::proto::nfs4::SessionId;
use nfs4_tests::live::settings::{self, Effect};
use serde_json::Value;

use crate::daemon::Server;
use crate::http::{Answer, ask};

/// A server with its administration interface on a free port.
pub(super) fn start(arguments: &[&str]) -> Server {
    Server::start(&[&["--admin", "127.0.0.1:0"], arguments].concat())
}

pub(super) fn get(server: &Server) -> Answer {
    let answer = ask(server.admin(), "GET", SETTINGS, &[], "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

pub(super) fn patch(server: &Server, body: &Value) -> Answer {
    ask(server.admin(), "PATCH", SETTINGS, &[], &body.to_string())
}

/// What clients see of a setting.
pub(super) fn seen_of(server: &Server, effect: &Effect) -> String {
    let drain = |session: &SessionId| drain(server, session);
    effect.look(&settings::Server {
        address: server.address,
        drain: &drain,
    })
}

/// The lease that clients are told of.
pub(super) fn lease_time(server: &Server) -> String {
    settings::lease_time(&settings::Server {
        address: server.address,
        drain: &|_| {},
    })
}

/// Drains the connection of a session.
fn drain(server: &Server, session: &SessionId) {
    let sessions = ask(server.admin(), "GET", "/api/v1/sessions", &[], "").body;
    let id = session.0.map(|byte| format!("{byte:02x}")).concat();
    let mut sessions = sessions.as_array().expect("a list").iter();
    let found = sessions.find(|session| session["session_id"] == id.as_str());
    let connection = &found.expect("its session")["connections"][0]["connection_id"];
    let path = format!("/api/v1/connections/{connection}/drain");
    assert_eq!(ask(server.admin(), "POST", &path, &[], "").status, 202);
}

/// A directory of a test, which removes it in the end.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(name: &str) -> Directory {
        let name = format!("nfs4d-settings-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("it is new");
        Directory(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn text(&self) -> &str {
        self.0.to_str().expect("it is text")
    }

    /// Writes a file into it, and returns its path.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("it is written");
        path.to_str().expect("it is text").to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) const SETTINGS: &str = "/api/v1/settings";
