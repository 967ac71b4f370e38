//! The cost of many clients and sessions: a SEQUENCE, the memory of idle ones, and how long a listing
//! holds the engine. Figures only, nothing is asserted.
//!
//! `sequence/…` are criterion's. The ratios after them are of medians of short batches, few of which
//! are interrupted, and of these the least of many runs, since other work of the machine only adds.
//! Below them stands what one session costs if before each of its calls a single line of a cache is
//! touched that nothing else uses, one of as many as there are sessions, in random order: the least
//! cost of a session, if it is not known beforehand whose call comes next.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use nfs4_engine::snapshot::Cursor;
use nfs4_tests::counting::{Counting, live_bytes};
use nfs4_tests::crowd::Crowd;
use nfs4_tests::sim::Rng;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for sessions in SIZES {
        let mut crowd = Crowd::of_sessions(sessions);
        criterion.bench_function(&format!("sequence/sessions={sessions}"), |bencher| {
            bencher.iter_custom(|calls| run(&mut crowd, calls));
        });
    }
    criterion.final_summary();
    ratios();
    memory();
    holds();
}

/// SEQUENCEs, each of another session.
fn run(crowd: &mut Crowd, calls: u64) -> Duration {
    run_after(crowd, calls, || {})
}

/// The same; before each something else is done, which counts.
fn run_after(crowd: &mut Crowd, calls: u64, mut before: impl FnMut()) -> Duration {
    let mut left = calls;
    let mut spent = Duration::ZERO;
    while left > 0 {
        // Written before the clock starts, and few enough to stay in the cache.
        let batch = left.min(BATCH);
        left -= batch;
        let calls = crowd.read(batch as usize);
        let start = Instant::now();
        crowd.answer_after(black_box(calls), &mut before);
        black_box(crowd.reply());
        spent += start.elapsed();
    }
    spent
}

fn ratios() {
    println!("\nSEQUENCE in random order of sessions, least of {RUNS} runs, median of each:");
    let mut first = None;
    let mut print = |what: &str, many: usize, run: &mut dyn FnMut() -> Duration| {
        let least = (0..RUNS).map(|_| median(run)).min();
        let nanos = least.unwrap_or_default().as_nanos() as f64 / BATCH as f64;
        let ratio = nanos / *first.get_or_insert(nanos);
        println!("  {many:>7} {what:<20} {nanos:>8.1} ns, {ratio:.2} times that of the first");
    };
    for sessions in SIZES {
        let mut crowd = Crowd::of_sessions(sessions);
        print("sessions", sessions, &mut || run(&mut crowd, BATCH));
    }
    for lines in SIZES {
        let mut crowd = Crowd::of_sessions(1);
        let mut memory = vec![Line([0; 8]); lines];
        let mut rng = Rng::new(1);
        let mut order: Vec<u32> = (0..).take(lines).collect();
        for at in (1..lines).rev() {
            order.swap(at, rng.index(at + 1));
        }
        let mut order = order.into_iter().cycle();
        let mut touch = || {
            if let Some(line) = order.next() {
                memory[line as usize].0[0] += 1;
            }
        };
        print("lines beside one", lines, &mut || {
            run_after(&mut crowd, BATCH, &mut touch)
        });
    }
}

/// How long a batch takes.
fn median(run: &mut dyn FnMut() -> Duration) -> Duration {
    let mut batches: Vec<Duration> = (0..BATCHES).map(|_| run()).collect();
    batches.sort();
    batches[batches.len() / 2]
}

/// Prints what those that are there and do nothing hold.
fn memory() {
    let mut crowd = Crowd::new(MANY);
    let mut before = live_bytes();
    println!("\nlive bytes, for each of {MANY}:");
    let mut print = |what: &str| {
        let now = live_bytes();
        println!("  {what:<44} {:>7.0}", (now - before) as f64 / MANY as f64);
        before = now;
    };
    crowd.connect(MANY);
    print("connection");
    crowd.introduce();
    print("client, not confirmed");
    crowd.create_sessions();
    print("session, of a client that is confirmed by it");
    let calls = crowd.read(MANY);
    crowd.answer(calls);
    print("slots of a session that was used once");
}

/// Prints how long the longest page of each view takes.
fn holds() {
    let crowd = Crowd::of_sessions(MANY);
    let engine = crowd.engine();
    let now = nfs4_engine::Now::default();
    println!(
        "\nlongest page of a snapshot of {MANY} sessions, each page by its least of {RUNS} walks:"
    );
    print_holds("sessions", |from| {
        let page = engine.sessions(from, usize::MAX);
        (page.items.len(), page.next)
    });
    print_holds("clients", |from| {
        let page = engine.clients(now, from, usize::MAX);
        (page.items.len(), page.next)
    });
    let mut loads = Vec::with_capacity(MANY);
    print_holds("session loads", |from| {
        loads.clear();
        let next = engine.session_loads(from, &mut loads);
        (loads.len(), next)
    });
}

fn print_holds(what: &str, mut page: impl FnMut(Cursor) -> (usize, Option<Cursor>)) {
    let mut pages: Vec<Duration> = Vec::new();
    let mut items = 0;
    for _ in 0..RUNS {
        items = 0;
        let mut next = Some(Cursor::default());
        let mut at = 0;
        while let Some(from) = next {
            let start = Instant::now();
            let (count, after) = black_box(page(from));
            let held = start.elapsed();
            match pages.get_mut(at) {
                Some(least) => *least = held.min(*least),
                None => pages.push(held),
            }
            next = after;
            (at, items) = (at + 1, items + count);
        }
    }
    let longest = pages.iter().max().copied().unwrap_or_default();
    let count = pages.len();
    println!("  {what:<14} {items:>6} in {count:>3} pages: {longest:>9.1?}");
}

/// A line of a cache.
#[derive(Clone)]
#[repr(align(64))]
struct Line([u64; 8]);

const SIZES: [usize; 3] = [1, 1_000, 100_000];
const BATCH: u64 = 64;
const BATCHES: u64 = 1_600;
const RUNS: u64 = 30;
const MANY: usize = 10_000;
