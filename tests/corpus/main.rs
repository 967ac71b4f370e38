//! The fuzz targets' bodies over their committed corpora, as plain tests: every seed, every seed
//! cut short at every length, and every seed with each byte changed. No fuzzer is needed.

use std::path::Path;

use nfs4_proto::fuzzing;
use nfs4_tests::fuzzing::engine_ops as play;

#[test]
fn record_marking() {
    replay("record_marking", fuzzing::record_marking);
}

#[test]
fn rpc_header() {
    replay("rpc_header", fuzzing::rpc_header);
}

#[test]
fn compound_walk() {
    replay("compound_walk", fuzzing::compound_walk);
}

#[test]
fn engine_ops() {
    replay("engine_ops", |data| {
        play(data);
    });
}

/// A corpus without a body here, or the other way round, is a mistake.
#[test]
fn every_target_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for (folder, suffix) in [("corpus", ""), ("fuzz_targets", ".rs")] {
        let mut names = names(&fuzz.join(folder));
        names.sort();
        let expected = [
            "compound_walk",
            "engine_ops",
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

fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let seeds = names(&folder);
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for seed in seeds {
        let data = std::fs::read(folder.join(&seed)).expect("a seed is readable");
        // libtest shows what a failing test printed: the last line is the seed at fault.
        println!("{seed}, whole");
        body(&data);
        for length in 0..data.len() {
            println!("{seed}, cut to {length}");
            body(&data[..length]);
        }
        let mut changed = data.clone();
        for (at, original) in data.iter().enumerate() {
            for value in [
                0,
                1,
                0x7f,
                0x80,
                0xff,
                original ^ 1,
                original.wrapping_add(1),
            ] {
                println!("{seed}, byte {at} set to {value}");
                changed[at] = value;
                body(&changed);
            }
            changed[at] = *original;
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
