//! Writes dictionaries for libFuzzer, of the numbers that mean something:
//! `cargo run --manifest-path fuzz/Cargo.toml --no-default-features --example dictionaries`.

use std::fmt::Write;
use std::path::Path;

use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{CbOp, Op, Status};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dictionaries");
    std::fs::create_dir_all(&folder).expect("the repository can be written");
    for (target, entries) in [
        ("compound", operations()),
        ("callback", callbacks()),
        ("attributes", attributes()),
        ("engine_wire", operations()),
    ] {
        let mut text = String::new();
        for (name, bytes) in entries {
            write!(text, "{}=\"", name.to_lowercase()).expect("a string grows");
            for byte in bytes {
                write!(text, "\\x{byte:02x}").expect("a string grows");
            }
            text.push_str("\"\n");
        }
        let path = folder.join(format!("{target}.dict"));
        std::fs::write(path, text).expect("the repository can be written");
    }
}

type Entries = Vec<(String, Vec<u8>)>;

fn word(name: &str, word: u32) -> (String, Vec<u8>) {
    (name.to_owned(), word.to_be_bytes().to_vec())
}

fn operations() -> Entries {
    let ops = Op::ALL.iter().map(|op| word(op.name(), op.number().0));
    let mut entries: Entries = ops.chain(statuses()).collect();
    entries.push((
        "minor_2_of_one".into(),
        [[0; 4], [0, 0, 0, 2], [0, 0, 0, 1]].concat(),
    ));
    entries
}

fn callbacks() -> Entries {
    let ops = CbOp::ALL.iter().map(|op| word(op.name(), op.number().0));
    ops.chain(statuses()).collect()
}

/// Bitmaps with one bit, and the numbers.
fn attributes() -> Entries {
    let mut entries = Entries::new();
    for info in num::ALL {
        let words = info.number as usize / 32 + 1;
        let mut bitmap = (words as u32).to_be_bytes().to_vec();
        bitmap.resize(4 * words, 0);
        bitmap.extend((1_u32 << (info.number % 32)).to_be_bytes());
        entries.push((info.name.to_owned(), bitmap));
    }
    entries
}

/// Those whose results have another form.
fn statuses() -> impl Iterator<Item = (String, Vec<u8>)> {
    let statuses = [
        Status::DENIED,
        Status::DELAY,
        Status::TOOSMALL,
        Status::CLID_INUSE,
    ];
    let statuses = statuses
        .into_iter()
        .map(|status| word(&status.to_string(), status.0));
    statuses.chain([word("max", u32::MAX)])
}
