//! The hot path asks for no memory once it is warm.

use std::hint::black_box;

use nfs4_tests::counting::{Allocations, Counting};
use nfs4_tests::hot::{HotConnection, HotEngine, Shape, successes};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_alloc_when_warm() {
    for shape in Shape::ALL {
        for cachethis in [true, false] {
            let mut hot = HotEngine::new(shape, cachethis);
            let warm = hot.read(WARMING);
            hot.answer(warm);
            let stream = hot.read(CALLS);
            let asked = Allocations::during(|| hot.answer(stream));
            assert_eq!(
                asked.count,
                kept(shape, cachethis) * CALLS as u64,
                "{CALLS} calls of {shape:?}, cachethis {cachethis}"
            );
            assert_eq!(
                successes(hot.reply(), shape.operations()),
                1,
                "the calls did what they were to do"
            );
        }
    }
}

/// What a call puts into tables and takes out again: an OPEN its owner and the file's name, a LOCK
/// the range that was free before. A READDIR has a buffer, which grows by doubling and is sent without
/// a copy, and the template of its entries.
fn kept(shape: Shape, cachethis: bool) -> u64 {
    match shape {
        Shape::Sequence | Shape::GetAttr | Shape::Lookup | Shape::Read | Shape::Write => 0,
        Shape::LockUnlock => 1,
        Shape::OpenClose => 2,
        Shape::ReadDir if cachethis => 3,
        Shape::ReadDir => 9,
    }
}

/// Without this the test above could not fail.
#[test]
fn an_allocation_is_counted() {
    let asked = Allocations::during(|| {
        let mut block = black_box(Vec::<u8>::with_capacity(100));
        block.reserve_exact(200);
        black_box(block);
    });
    let expected = Allocations {
        count: 2,
        bytes: 300,
    };
    assert_eq!(asked, expected);
    // A cold engine allocates, and it is the engine that is counted.
    let mut cold = HotEngine::new(Shape::GetAttr, true);
    let stream = cold.read(1);
    assert_ne!(
        Allocations::during(|| cold.answer(stream)),
        Allocations::default()
    );
}

const WARMING: usize = 16;
const CALLS: usize = 1_000;

/// What the benches measure through the driver is what they say.
#[test]
fn a_connection_answers_all_calls_of_a_wakeup() {
    for shape in Shape::ALL {
        let mut hot = HotConnection::new(shape, true, 32);
        let mut stream = Vec::new();
        hot.read(32, &mut stream);
        hot.answer(&stream);
        let answered = successes(hot.replies(), shape.operations());
        assert_eq!(answered, 32, "{shape:?}");
    }
}
