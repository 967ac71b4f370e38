//! Every log in `tests/data/replays` replays to the same bytes: each was a fault, or is a session
//! of a kernel's client.

use std::fs;
use std::path::Path;

use nfs4_replay::{Log, rewrite, show};

use crate::same;

#[test]
fn each_committed_log_replays_to_the_same_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/replays");
    let mut total = 0;
    let mut callbacks = 0;
    for entry in fs::read_dir(folder).expect("a folder of logs") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        let mut log = fs::read(&path).expect("a log is readable");
        if std::env::var_os("NFS4_REWRITE_REPLAYS").is_some() {
            let mut new = Vec::new();
            let old = Log::open(&*log).expect("it is a log");
            rewrite(old, u64::MAX, &mut new).expect("it can be replayed");
            fs::write(&path, &new).expect("a log is writable");
            log = new;
        }
        callbacks += same(&log).callbacks;
        total += log.len();
        let mut lines = Vec::new();
        let log = Log::open(&*log).expect("it is a log");
        let shown = show(log, 0, u64::MAX, &mut lines).expect("there is memory");
        shown.expect("it can be shown");
        let lines = String::from_utf8(lines).expect("it is text");
        assert!(lines.ends_with("the log is complete\n"));
    }
    assert!(callbacks > 0, "callbacks are among them");
    assert!(total < 200 << 10, "they are small: {total} bytes");
}
