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
            let calls = calls(shape);
            let stream = hot.read(calls);
            let asked = Allocations::during(|| hot.answer(stream));
            assert_eq!(
                asked.count,
                kept(shape, cachethis) * calls as u64,
                "{calls} calls of {shape:?}, cachethis {cachethis}"
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
        Shape::Sequence
        | Shape::GetAttr
        | Shape::Lookup
        | Shape::Read
        | Shape::Write
        | Shape::ReadLarge
        | Shape::WriteLarge => 0,
        Shape::LockUnlock => 1,
        Shape::OpenClose => 2,
        Shape::ReadDir if cachethis => 4,
        Shape::ReadDir => 9,
    }
}

/// How often it is called: so that all calls together fit into memory.
fn calls(shape: Shape) -> usize {
    if shape.bytes() > 4_096 { 32 } else { CALLS }
}

/// Also not between the engine and the socket, however many replies are sent with one write: what is
/// allocated is the handle of the buffer that the calls were read to, as for any call.
#[test]
fn a_large_read_allocates_nothing_in_the_driver() {
    for together in [1, 4, 8] {
        let least = allocated_by_a_wakeup(Shape::Sequence, together);
        let read = allocated_by_a_wakeup(Shape::ReadLarge, together);
        assert_eq!(read, least, "{together} at once");
        assert!(read.count <= 1 && read.bytes <= 64, "{read:?}");
    }
}

/// What so many calls allocate that arrive together on a warm connection.
fn allocated_by_a_wakeup(shape: Shape, together: usize) -> Allocations {
    let mut hot = HotConnection::new(shape, false, together);
    let mut stream = Vec::new();
    let mut allocated = Allocations::default();
    for _ in 0..WARMING {
        hot.read(together, &mut stream);
        allocated = Allocations::during(|| hot.answer(&stream));
        let answered = successes(hot.replies(), shape.operations());
        assert_eq!(answered, together);
        assert!(hot.replies().len() >= together * shape.bytes());
    }
    allocated
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
