//! The fuzz targets' bodies over their committed corpora, as plain tests: every seed, whole, cut short
//! and with a byte changed, at every place of a short one and at some of a long one. No fuzzer is needed.

use std::path::Path;

use nfs4_proto::client::ReplyReader;
use nfs4_tests::counting::Counting;
use nfs4_tests::fuzzing::{self, wire};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn record_marking() {
    replay("record_marking", 200, nfs4_proto::fuzzing::record_marking);
}

#[test]
fn rpc_header() {
    replay("rpc_header", 200, fuzzing::rpc_header);
}

#[test]
fn compound() {
    replay("compound", 100, fuzzing::compound);
}

#[test]
fn callback() {
    replay("callback", 200, fuzzing::callback);
}

#[test]
fn attributes() {
    replay("attributes", 200, fuzzing::attributes);
}

#[test]
fn engine_ops() {
    replay("engine_ops", 60, |data| {
        fuzzing::engine_ops(data);
    });
}

#[test]
fn engine_wire() {
    replay("engine_wire", 12, fuzzing::engine_wire);
}

/// What Linux did is done again as far as the files are the same ones: of its requests, 2 in 5 and more
/// succeed, and callbacks are answered.
#[test]
fn conversations_of_linux_are_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/engine_wire");
    let (mut good, mut all, mut answered) = (0, 0, 0);
    for seed in names(&folder)
        .iter()
        .filter(|name| name.starts_with("linux_"))
    {
        let data = std::fs::read(folder.join(seed)).expect("a seed is readable");
        let mut data = &data[..];
        let mut server = wire::with_clients();
        server.take_replies();
        while let Some(frame) = wire::Frame::take(&mut data) {
            server.play(&frame);
        }
        let replies = server.take_replies();
        let statuses = replies.iter().map(|reply| ReplyReader::parse(reply));
        let statuses: Vec<_> = statuses.flatten().map(|reply| reply.status()).collect();
        good += statuses.iter().filter(|status| status.is_ok()).count();
        all += statuses.len();
        answered += server.answered();
        server.end();
    }
    println!("{good} of {all} succeed, {answered} callbacks are answered");
    assert!(
        good * 2 > all && answered > 0,
        "{good} of {all}, {answered}"
    );
}

/// A corpus without a body here, or the other way round, is a mistake.
#[test]
fn every_target_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for (folder, suffix) in [("corpus", ""), ("fuzz_targets", ".rs")] {
        let mut names = names(&fuzz.join(folder));
        names.sort();
        let expected = [
            "attributes",
            "callback",
            "compound",
            "engine_ops",
            "engine_wire",
            "record_marking",
            "rpc_header",
        ];
        assert_eq!(
            names,
            expected.map(|name| format!("{name}{suffix}")),
            "in fuzz/{folder}"
        );
    }
}

/// Cuts and changes each seed at `places`, or at every place if it has no more bytes.
fn replay(target: &str, places: usize, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut seeds = names(&folder);
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for seed in seeds {
        let data = std::fs::read(folder.join(&seed)).expect("a seed is readable");
        // libtest shows what a failing test printed: the last line is the seed at fault.
        println!("{seed}, whole");
        body(&data);
        let places = places.min(data.len());
        for place in 0..places {
            let at = place * data.len() / places;
            println!("{seed}, cut to {at}");
            body(&data[..at]);
            let mut changed = data.clone();
            let original = data[at];
            let values = [0, 1, 0x7f, 0x80, 0xff, original ^ 1, original ^ 0x80];
            let value = values[place % values.len()];
            println!("{seed}, byte {at} set to {value}");
            changed[at] = value;
            body(&changed);
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a directory entry is readable").file_name())
        .map(|name| name.into_string().expect("our files have plain names"))
        .collect()
}
