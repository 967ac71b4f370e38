//! Runs one of the measured COMPOUNDs so many times, for a profiler:
//!
//! ```sh
//! cargo build --release -p nfs4-tests --example hot
//! valgrind --tool=callgrind --toggle-collect='nfs4_tests::hot::*::answer' target/release/examples/hot compound_getattr true
//! ```

use nfs4_tests::hot::{HotConnection, HotEngine, Shape, successes};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let shape = Shape::ALL
        .into_iter()
        .find(|shape| has(shape.name()))
        .unwrap_or(Shape::Sequence);
    let cachethis = has("true");
    let batches = if has("long") { 100_000 } else { 100 };
    if has("connection") {
        let mut hot = HotConnection::new(shape, cachethis, BATCH);
        let mut stream = Vec::new();
        for _ in 0..batches {
            hot.read(BATCH, &mut stream);
            hot.answer(&stream);
        }
        assert_eq!(
            successes(hot.replies(), shape.operations()),
            BATCH,
            "{shape:?}"
        );
    } else {
        let mut hot = HotEngine::new(shape, cachethis);
        for _ in 0..batches {
            let stream = hot.read(BATCH);
            hot.answer(stream);
        }
        assert_eq!(successes(hot.reply(), shape.operations()), 1, "{shape:?}");
    }
    println!("{} calls of {}", batches * BATCH, shape.name());
}

const BATCH: usize = 32;
