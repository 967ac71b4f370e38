//! What the server records replays to the same bytes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use nfs4_replay::{Log, LogEnd, Verdict, replay};
use nfs4_tests::live::Client;

use crate::daemon::{DRIVERS, Server, run};

/// A folder of its own, removed at the end of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("nfs4d-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for this test");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is in the way of nothing.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_recording_replays_to_the_same_bytes() {
    let folder = Folder::new("record");
    for driver in DRIVERS {
        let path = folder.0.join(driver);
        let mut server = Server::start(&["--driver", driver, "--record", path.to_str().unwrap()]);
        let mut client = Client::connect(server.address);
        client.mount("client", 1);
        let open = client.open("file");
        client.write(open, 0, b"contents");
        client.close();
        client.unmount();
        drop(client);
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0));
        let log = fs::read(&path).unwrap();
        let report = replay(Log::open(&*log).unwrap()).unwrap();
        assert!(
            matches!(report.verdict, Verdict::Same(LogEnd::Complete)),
            "{report:?}"
        );
        assert!(report.inputs > 10, "{report:?}");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "the contents of files are in it");
    }
}

#[test]
fn a_server_that_is_killed_leaves_a_recording_up_to_there() {
    let folder = Folder::new("killed");
    let path = folder.0.join("log");
    let mut server = Server::start(&["--record", path.to_str().unwrap()]);
    let mut client = Client::connect(server.address);
    client.mount("client", 1);
    client.open("file");
    server.signal("KILL");
    assert_eq!(server.exit_code(), None);
    let log = fs::read(&path).unwrap();
    let report = replay(Log::open(&*log).unwrap()).unwrap();
    assert!(
        matches!(report.verdict, Verdict::Same(LogEnd::CutShort { .. })),
        "{report:?}"
    );
    assert!(report.inputs > 5, "{report:?}");
}

#[test]
fn a_file_that_cannot_be_recorded_to_is_named() {
    let folder = Folder::new("refused");
    let path = folder.0.join("log");
    fs::write(&path, b"precious").unwrap();
    let missing = folder.0.join("missing").join("log");
    for (path, part) in [
        (&path, "No file is overwritten"),
        (&missing, "No such file"),
    ] {
        let path = path.to_str().unwrap();
        let output = run(&["--listen", "127.0.0.1:0", "--record", path]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        let told = format!("cannot record to {path}: ");
        assert!(
            message.contains(&told) && message.contains(part),
            "{message}"
        );
    }
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}
