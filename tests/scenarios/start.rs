//! What an engine does not start with.

use std::sync::Arc;

use nfs4_engine::fs::{Backend, Capabilities, FsHandle, FsRequest, FsResult, Pending};
use nfs4_engine::{Boot, BootFault, Config, Engine, Export, ExportFault, Now, StartError};
use nfs4_tests::sim::Fs;
use std::task::Poll;

fn boot() -> Boot {
    Boot::new(1, [1; 16], b"server")
}

fn files(path: &str) -> Export {
    Export::new(path, Arc::new(Fs::new()))
}

#[track_caller]
fn refused(boot: Boot, config: Config, exports: Vec<Export>) -> StartError {
    let engine = Engine::new(boot, config, exports, Now::default());
    engine.expect_err("it does not start")
}

#[test]
fn an_epoch_of_zero_or_an_identity_that_cannot_be_is_refused() {
    let empty = |name| BootFault::Identity { name, len: 0 };
    let long = |name| BootFault::Identity { name, len: 1025 };
    let cases = [
        (boot().with(|boot| boot.epoch = 0), BootFault::Epoch),
        (
            boot().with(|boot| boot.server_major = Vec::new()),
            empty("server_major"),
        ),
        (
            boot().with(|boot| boot.server_scope = Vec::new()),
            empty("server_scope"),
        ),
        (
            boot().with(|boot| boot.server_major = vec![b'x'; 1025]),
            long("server_major"),
        ),
        (
            boot().with(|boot| boot.server_scope = vec![b'x'; 1025]),
            long("server_scope"),
        ),
    ];
    for (wrong, fault) in cases {
        let error = refused(wrong, Config::default(), vec![files("/")]);
        let mut expected = StartError::default();
        expected.boot = vec![fault];
        assert_eq!(error, expected);
    }
    let longest = boot().with(|boot| {
        boot.server_major = vec![b'x'; 1024];
        boot.server_scope = vec![b'x'; 1024];
    });
    let started = Engine::new(longest, Config::default(), vec![files("/")], Now::default());
    assert_eq!(started.err(), None);
}

#[test]
fn one_file_system_at_two_paths_is_refused() {
    let shared: Arc<dyn Backend> = Arc::new(Fs::new());
    let exports = vec![
        Export::new("/a", Arc::clone(&shared)),
        files("/b"),
        Export::new("/c", shared).with(|export| export.read_only = true),
    ];
    let error = refused(boot(), Config::default(), exports);
    let fault = ExportFault::Shared("/a".to_owned(), "/c".to_owned());
    let mut expected = StartError::default();
    expected.exports = vec![fault];
    assert_eq!(error, expected);
    // Not so two that are alike.
    let exports = vec![files("/a"), files("/b")];
    let started = Engine::new(boot(), Config::default(), exports, Now::default());
    assert_eq!(started.err(), None);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let wrong = boot().with(|boot| {
        boot.epoch = 0;
        boot.server_scope = Vec::new();
    });
    let config = Config::default().with(|config| {
        config.fore_slots = 0;
        config.max_clients = 0;
    });
    let senseless = Arc::new(Senseless);
    let exports = vec![
        files("/a"),
        files("b"),
        files("/a"),
        files("/a/c"),
        Export::new("/d", senseless.clone()),
        Export::new("/e", senseless),
    ];
    let text = refused(wrong, config, exports).to_string();
    let told: Vec<&str> = text.split("; ").collect();
    assert_eq!(
        told,
        [
            "epoch is 0",
            "server_scope has 0 bytes, but must have from 1 to 1024",
            "fore_slots is 0, but must be from 1 to 1024",
            "max_clients is 0, but must be from 1 to 65536",
            "\"/d\" and \"/e\" are one file system",
            "\"b\" is not an absolute path of plain names",
            "\"/a\" and \"/a\" overlap",
            "\"/a\" and \"/a/c\" overlap",
            "\"/d\" has no names: max_name is 0",
            "\"/d\" has times of 0 nanoseconds, but it must be from 1 to 1000000000",
            "\"/e\" has no names: max_name is 0",
            "\"/e\" has times of 0 nanoseconds, but it must be from 1 to 1000000000",
        ]
    );
    let nothing = refused(boot(), Config::default(), Vec::new());
    assert_eq!(nothing.to_string(), "there is nothing to export");
}

/// A file system that says senseless things of itself.
struct Senseless;

impl Backend for Senseless {
    fn root(&self) -> FsHandle {
        FsHandle::new(b"root").expect("it is short")
    }

    fn capabilities(&self) -> Capabilities {
        Fs::new().capabilities().with(|can| {
            can.max_name = 0;
            can.time_granularity = 0;
        })
    }

    fn submit(&self, _: FsRequest, _: &mut Pending<'_>) -> Poll<FsResult> {
        unreachable!("nothing starts with it")
    }

    fn release(&self, _: FsHandle) {}
}
