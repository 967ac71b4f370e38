//! The COMPOUNDs whose cost the project watches, from record bytes to reply bytes in process.
//!
//! `engine/…` is the engine with MemFs alone; `connection/…` is the same through the driver's half
//! of a connection, one call or 32 calls a wake-up. Figures are per call; allocations come last.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use nfs4_tests::counting::{Allocations, Counting};
use nfs4_tests::hot::{HotConnection, HotEngine, Shape};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for shape in Shape::ALL {
        for cachethis in [true, false] {
            let case = format!("{}/cachethis={cachethis}", shape.name());
            engine(&mut criterion, &case, shape, cachethis);
            for batch in [1, 32] {
                connection(&mut criterion, &case, shape, cachethis, batch);
            }
        }
    }
    criterion.final_summary();
    allocations();
}

fn engine(criterion: &mut Criterion, case: &str, shape: Shape, cachethis: bool) {
    let mut hot = HotEngine::new(shape, cachethis);
    criterion.bench_function(&format!("engine/{case}"), |bencher| {
        bencher.iter_custom(|calls| {
            in_batches(calls, BATCH, |batch| {
                let stream = hot.read(batch);
                let start = Instant::now();
                hot.answer(black_box(stream));
                black_box(hot.reply());
                start.elapsed()
            })
        });
    });
}

fn connection(criterion: &mut Criterion, case: &str, shape: Shape, cachethis: bool, size: usize) {
    let mut hot = HotConnection::new(shape, cachethis, size);
    let mut stream = Vec::new();
    criterion.bench_function(&format!("connection/{case}/batch={size}"), |bencher| {
        bencher.iter_custom(|calls| {
            in_batches(calls, BATCH, |batch| {
                hot.read(batch, &mut stream);
                let together = stream.len() / batch * size;
                let start = Instant::now();
                for wakeup in black_box(&stream).chunks(together) {
                    hot.answer(wakeup);
                    black_box(hot.replies());
                }
                start.elapsed()
            })
        });
    });
}

/// Calls are written before the clock starts, so many at a time: few enough to stay in the cache.
fn in_batches(calls: u64, most: usize, mut run: impl FnMut(usize) -> Duration) -> Duration {
    let mut left = calls;
    let mut spent = Duration::ZERO;
    while left > 0 {
        let batch = left.min(most as u64);
        left -= batch;
        spent += run(batch as usize);
    }
    spent
}

/// Prints what a call allocates, after warming.
fn allocations() {
    println!("\nallocations per call:");
    for shape in Shape::ALL {
        let calls = if shape.bytes() > 4_096 { 64 } else { 4_096 };
        for cachethis in [true, false] {
            let case = format!("{}/cachethis={cachethis}", shape.name());
            let mut hot = HotEngine::new(shape, cachethis);
            let warm = hot.read(calls);
            hot.answer(warm);
            let stream = hot.read(calls);
            let asked = Allocations::during(|| hot.answer(stream));
            print(&format!("engine/{case}"), calls, asked);
            for size in [1, 32] {
                let mut hot = HotConnection::new(shape, cachethis, size);
                let mut stream = Vec::new();
                let mut run = || {
                    hot.read(calls, &mut stream);
                    let together = stream.len() / calls * size;
                    Allocations::during(|| {
                        for wakeup in stream.chunks(together) {
                            hot.answer(wakeup);
                        }
                    })
                };
                run();
                print(&format!("connection/{case}/batch={size}"), calls, run());
            }
        }
    }
}

fn print(case: &str, calls: usize, asked: Allocations) {
    let per_call = |total: u64| total as f64 / calls as f64;
    println!(
        "  {case:<52} {:>7.3} of {:>8.1} bytes",
        per_call(asked.count),
        per_call(asked.bytes)
    );
}

const BATCH: usize = 64;
