//! Exports: directories and memory, by the command line, the configuration file and requests.

mod delegations;
mod faults;
mod files;
mod locks;
mod losses;
mod reload;
mod requests;
mod rules;

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::proto::client::ReplyReader;
use nfs4_engine::proto::nfs4::args;
use nfs4_engine::proto::nfs4::attr::num;
use nfs4_engine::proto::nfs4::{Bitmap, Stateid, Status};
use nfs4_tests::live::{Client, Connection};
use serde_json::Value;

use crate::daemon::Server;
use crate::http::{Answer, ask};

/// A directory of a test, with directories to export in it; it is removed in the end.
pub(crate) struct Ground(PathBuf);

impl Ground {
    pub(crate) fn new(name: &str) -> Ground {
        let name = format!("nfs4d-exports-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("it is new");
        Ground(path)
    }

    /// Makes a directory that every user may write to; returns its path.
    pub(crate) fn directory(&self, name: &str) -> String {
        let path = self.0.join(name);
        fs::create_dir(&path).expect("it is new");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("it is ours");
        self.text(name)
    }

    /// Writes a file; returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).expect("it is written");
        self.text(name)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path of a name in it.
    pub(crate) fn text(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("it is text").to_owned()
    }

    /// A server with its state here, and its administration on a free port.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let state = self.text("state");
        let all = ["--admin", "127.0.0.1:0", "--state-dir", &state];
        Server::start(&[&all[..], arguments].concat())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A client of a host of 127.0.0.0/8, as this user, with a session.
pub(super) fn client(server: &Server, host: u8, uid: u32, minor: u32) -> Client {
    let host = IpAddr::from([127, 0, 0, host]);
    let mut client = Client::on(Connection::from(host, server.address), Some(uid));
    client.minor = minor;
    client.mount(&format!("{host}-{uid}-{minor}"), 1);
    client
}

/// The filehandle at a path.
pub(super) fn find(client: &mut Client, path: &[&str]) -> Result<Vec<u8>, Status> {
    let reply = client.reply_to(|call| {
        call.putrootfh();
        for name in path {
            let objname = name.as_bytes();
            call.lookup(args::Lookup { objname });
        }
        call.getfh()
    });
    let mut results = ReplyReader::parse(&reply).expect("a reply");
    if results.status() != Status::OK {
        return Err(results.status());
    }
    results.sequence().expect("in its session");
    results.putrootfh().expect("a root");
    for _ in path {
        results.lookup().expect("it is there");
    }
    Ok(results.getfh().expect("a filehandle").object.to_vec())
}

/// Opens a file in the directory at a path, and makes it if it is not there; it is the client's file then.
pub(super) fn open(client: &mut Client, path: &[&str], name: &str) -> Result<Stateid, Status> {
    let opened = client.try_open_at(path, name)?;
    Ok(opened.stateid)
}

/// How a use of a filehandle ends.
pub(super) fn touch(client: &mut Client, object: &[u8]) -> Status {
    let wanted = args::GetAttr {
        attr_request: Bitmap::of(&[num::SIZE]),
    };
    client.in_session(|call| call.putfh(args::PutFh { object }).getattr(wanted))
}

/// What a request says of exports.
pub(super) fn exports(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/exports{path}");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    ask(server.admin(), method, &path, &[], &body)
}

/// The exports that are listed, by their paths.
pub(super) fn listed(server: &Server) -> Vec<String> {
    let all = exports(server, "GET", "", &Value::Null).json();
    let all = all.as_array().expect("a list").iter();
    let path = |export: &Value| export["pseudo"].as_str().expect("it is text").to_owned();
    all.map(path).collect()
}

/// Waits until something is so.
#[track_caller]
pub(super) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether this process, and so a server that it starts, is the superuser's.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The owner of a file.
pub(super) fn owner(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").uid()
}

/// The path of an export in that of a request.
pub(super) fn encoded(path: &str) -> String {
    format!("/{}", path.replace('/', "%2F"))
}

const PATIENCE: Duration = Duration::from_secs(60);
