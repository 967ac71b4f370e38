//! What a configuration file that is read again would destroy without saying so.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::ChildStderr;

use nfs4_engine::proto::nfs4::Status;

use super::{Ground, client, find, listed, open, touch};
use crate::daemon::Server;

/// A server with a configuration file, whose log is read.
struct Reloaded {
    ground: Ground,
    config: String,
    server: Server,
    log: BufReader<ChildStderr>,
}

impl Reloaded {
    /// Starts it with this text, in which `@` is the ground; there is a directory `data`.
    fn new(name: &str, text: &str) -> Reloaded {
        let ground = Ground::new(name);
        ground.directory("data");
        let config = ground.write("nfs4d.toml", &with(&ground, text));
        let mut server = ground.serve(&["--config", &config]);
        let log = BufReader::new(server.child.stderr.take().expect("it is piped"));
        Reloaded {
            ground,
            config,
            server,
            log,
        }
    }

    /// Lets it read another text; returns the lines of its log up to the one that says how that ended.
    fn reload(&mut self, text: &str) -> String {
        fs::write(&self.config, with(&self.ground, text)).expect("it is written");
        self.server.signal("HUP");
        let mut all = String::new();
        loop {
            let before = all.len();
            let read = self.log.read_line(&mut all).expect("the log is text");
            assert_ne!(read, 0, "it ended: {all}");
            let line = &all[before..];
            if line.contains("was read again") || line.contains("nothing has changed") {
                return all;
            }
        }
    }

    /// The same, and nothing changes: a line at ERROR says why.
    fn refused(&mut self, text: &str, part: &str) {
        let before = listed(&self.server);
        let log = self.reload(text);
        let last = log.lines().last().unwrap_or_default();
        assert!(
            last.contains("ERROR") && last.contains("nothing has changed") && last.contains(part),
            "{part}: {log}"
        );
        assert_eq!(listed(&self.server), before);
    }
}

fn with(ground: &Ground, text: &str) -> String {
    text.replace('@', ground.text("").trim_end_matches('/'))
}

const DATA: &str = "[[export]]\npath = \"@/data\"\npseudo = \"/data\"\n";
const SCRATCH: &str = "[[export]]\nbackend = \"memory\"\npseudo = \"/scratch\"\nmemory = \"16M\"\n";

/// An editor, or a full disk, leaves a file without text.
#[test]
fn an_emptied_file_does_not_replace_directories_by_memory() {
    let mut reloaded = Reloaded::new("emptied", DATA);
    let mut user = client(&reloaded.server, 1, 1_000, 1);
    let stateid = open(&mut user, &["data"], "file").expect("an open");
    for empty in ["", "\n \t\r\n"] {
        reloaded.refused(empty, "it is empty");
        user.write(stateid, 0, b"goes on");
    }
    // Cut off before its exports, it has text.
    for rest in ["[protocol]\nlease_time = 33\n", "# a comment\n"] {
        reloaded.refused(rest, "gives no export any more");
        user.write(stateid, 0, b"goes on");
    }
    // As it was it is read again.
    let log = reloaded.reload(DATA);
    assert!(log.contains("was read again"), "{log}");
}

/// Settings would fall back to their defaults.
#[test]
fn an_emptied_file_without_exports_is_refused_all_the_same() {
    let mut reloaded = Reloaded::new("emptied-settings", "[protocol]\nlease_time = 33\n");
    reloaded.refused("", "it is empty");
    // A comment says that nothing is meant.
    let log = reloaded.reload("# nothing\n");
    assert!(log.contains("was read again"), "{log}");
    // A file that has had no text may go on without.
    let mut bare = Reloaded::new("emptied-bare", "");
    let log = bare.reload("");
    assert!(log.contains("was read again"), "{log}");
}

#[test]
fn another_size_does_not_empty_an_export_in_memory() {
    let mut reloaded = Reloaded::new("size", SCRATCH);
    let larger = SCRATCH.replace("16M", "32M");
    // There is nothing to lose yet.
    let log = reloaded.reload(&larger);
    assert!(log.contains("was read again"), "{log}");
    let mut user = client(&reloaded.server, 1, 1_000, 1);
    open(&mut user, &["scratch"], "file").expect("an open");
    let file = user.file.clone();
    reloaded.refused(SCRATCH, "the export /scratch has files in memory");
    assert_eq!(touch(&mut user, &file), Status::OK);
    // A directory in its place is no less a loss.
    let local = DATA.replace("\"/data\"", "\"/scratch\"");
    reloaded.refused(&local, "the export /scratch has files in memory");
    find(&mut user, &["scratch", "file"]).expect("it is there");
}

/// Taking the table out of the file asks for the end of the export, and the log says what that has cost.
#[test]
fn the_files_of_a_removed_export_in_memory_are_told_to_be_gone() {
    let mut reloaded = Reloaded::new("removed", &[DATA, SCRATCH].concat());
    let mut user = client(&reloaded.server, 1, 1_000, 1);
    open(&mut user, &["scratch"], "file").expect("an open");
    let log = reloaded.reload(DATA);
    let told = log.lines().any(|line| {
        line.contains("WARN")
            && line.contains("/scratch")
            && line.contains("files in memory are gone")
    });
    assert!(told, "{log}");
    assert_eq!(listed(&reloaded.server), ["/data"]);
}

#[test]
fn the_default_export_does_not_give_way_with_files_in_it() {
    let mut reloaded = Reloaded::new("default", "# nothing\n");
    let mut user = client(&reloaded.server, 1, 1_000, 1);
    open(&mut user, &[], "file").expect("an open");
    reloaded.refused(DATA, "the file system in memory at / has files");
    find(&mut user, &["file"]).expect("it is there");
}

/// With another option that cannot be changed the export at a path is another one: what clients have in it ends.
#[test]
fn an_export_that_is_replaced_is_told() {
    let mut reloaded = Reloaded::new("replaced-option", DATA);
    let mut user = client(&reloaded.server, 1, 1_000, 1);
    open(&mut user, &["data"], "file").expect("an open");
    let log = reloaded.reload(&format!("{DATA}local_locks = true\n"));
    let told = log.lines().any(|line| {
        line.contains("WARN") && line.contains("/data") && line.contains("another export")
    });
    assert!(told, "{log}");
    let log = reloaded.reload(&format!("{DATA}local_locks = true\nread_only = true\n"));
    assert!(
        !log.contains("another export"),
        "rules are no other export: {log}"
    );
}
