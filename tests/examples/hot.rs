//! Runs one of the measured COMPOUNDs so many times, for a profiler:
//!
//! ```sh
//! cargo build --release -p nfs4-tests --example hot
//! valgrind --tool=callgrind --toggle-collect='nfs4_tests::hot::*::answer' target/release/examples/hot compound_getattr true
//! ```
//!
//! Words after the shape: `true` to have replies kept, `connection` to go through the driver, `replay`
//! for retransmissions, `decode` and `encode` for the codec alone, `long` for a thousand times as many.
//! `tests/instructions/run` counts the instructions of all of them.

use nfs4_tests::hot::{Codec, HotConnection, HotEngine, Shape, successes};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let shape = Shape::ALL
        .into_iter()
        .find(|shape| has(shape.name()))
        .unwrap_or(Shape::Sequence);
    let cachethis = has("true");
    let batches = if has("long") { 100_000 } else { 100 };
    if has("decode") {
        Codec::new(shape).decode(batches * BATCH);
    } else if has("encode") {
        Codec::new(shape).encode(batches * BATCH);
    } else if has("connection") {
        through_a_connection(shape, cachethis, batches);
    } else {
        in_the_engine(shape, cachethis, batches, has("replay"));
    }
    println!("{} calls of {}", batches * BATCH, shape.name());
}

fn through_a_connection(shape: Shape, cachethis: bool, batches: usize) {
    let mut hot = HotConnection::new(shape, cachethis, BATCH);
    let mut stream = Vec::new();
    for _ in 0..batches {
        hot.read(BATCH, &mut stream);
        hot.answer(&stream);
    }
    let answered = successes(hot.replies(), shape.operations());
    assert_eq!(answered, BATCH, "{shape:?}");
}

fn in_the_engine(shape: Shape, cachethis: bool, batches: usize, replay: bool) {
    let mut hot = HotEngine::new(shape, cachethis);
    if replay {
        let first = hot.read(1);
        hot.answer(first);
    }
    for _ in 0..batches {
        let stream = match replay {
            true => hot.read_again(BATCH),
            false => hot.read(BATCH),
        };
        hot.answer(stream);
    }
    assert_eq!(successes(hot.reply(), shape.operations()), 1, "{shape:?}");
}

const BATCH: usize = 32;
