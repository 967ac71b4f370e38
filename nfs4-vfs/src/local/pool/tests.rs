use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn threads() -> Arc<Threads> {
    Threads::new(Duration::from_millis(50))
}

/// Fills every thread that the place may have, and returns what lets them go.
fn block(pool: &Pool, count: usize) -> Vec<Sender<()>> {
    let (started, starts) = channel();
    let gates = (0..count)
        .map(|_| {
            let (gate, opened) = channel::<()>();
            let started = started.clone();
            pool.run(move || {
                started.send(()).unwrap();
                let _ = opened.recv();
            });
            gate
        })
        .collect();
    for _ in 0..count {
        starts.recv_timeout(LONG).unwrap();
    }
    gates
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn as_many_jobs_block_at_once_as_there_are_threads() {
    let pool = Pool::place_in(threads(), 3);
    let gates = block(&pool, 3);
    let (done, dones) = channel();
    pool.run(move || done.send(()).unwrap());
    assert!(dones.recv_timeout(Duration::from_millis(50)).is_err());
    assert_eq!(lock(&pool.threads.state).running.len(), 3);
    drop(gates);
    dones.recv_timeout(LONG).unwrap();
}

#[test]
fn exports_take_turns() {
    let all = threads();
    let (first, second) = (Pool::place_in(all.clone(), 1), Pool::place_in(all, 1));
    let gates = block(&first, 1);
    let (done, dones) = channel();
    for _ in 0..100 {
        let done = done.clone();
        first.run(move || done.send("first").unwrap());
    }
    second.run(move || done.send("second").unwrap());
    drop(gates);
    assert_second_is_early(&dones);
}

/// Of 101 jobs that tell whose they are, the one of the second export is among the first two.
fn assert_second_is_early(dones: &Receiver<&'static str>) {
    let order: Vec<_> = (0..101)
        .map(|_| dones.recv_timeout(LONG).unwrap())
        .collect();
    let place = order.iter().position(|which| *which == "second").unwrap();
    assert!(place <= 1, "{place}");
}

#[test]
fn an_export_that_hangs_leaves_threads_to_others() {
    let all = threads();
    let (hung, other) = (Pool::place_in(all.clone(), 8), Pool::place_in(all, 8));
    let gates = block(&hung, 6);
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let ran = Arc::clone(&ran);
        hung.run(move || {
            ran.fetch_add(1, SeqCst);
        });
    }
    let (done, dones) = channel();
    other.run(move || done.send(()).unwrap());
    dones.recv_timeout(LONG).unwrap();
    assert_eq!(ran.load(SeqCst), 0);
    drop(gates);
    until("its jobs run when it goes on", || ran.load(SeqCst) == 100);
}

#[test]
fn a_full_queue_refuses_and_does_not_grow() {
    let pool = Pool::place_in(threads(), 1);
    let gates = block(&pool, 1);
    let ran = Arc::new(AtomicUsize::new(0));
    let count = || {
        let ran = Arc::clone(&ran);
        move || {
            ran.fetch_add(1, SeqCst);
        }
    };
    let job = || request(&pool, None, count());
    for _ in 0..MAX_WAITING {
        job().unwrap();
    }
    assert_eq!(job(), Err(FsError::Busy));
    // What lets go is not refused.
    pool.run(count());
    drop(gates);
    until("all that were queued run", || {
        ran.load(SeqCst) == MAX_WAITING + 1
    });
    job().unwrap();
}

#[test]
fn a_job_without_a_thread_waits_until_there_is_one() {
    let pool = Pool::place_in(threads(), 1);
    let most = |count| lock(&pool.threads.state).most_threads = count;
    // As where the system refuses one.
    most(0);
    let (done, dones) = channel();
    pool.run(move || done.send(()).unwrap());
    assert!(dones.recv_timeout(Duration::from_millis(50)).is_err());
    most(1);
    pool.waker().wake();
    dones.recv_timeout(LONG).unwrap();
}

#[test]
fn a_panic_is_counted_and_costs_no_thread() {
    let pool = Pool::place_in(threads(), 1);
    pool.run(|| panic!("a fault of a job"));
    let (done, dones) = channel();
    pool.run(move || done.send(()).unwrap());
    dones.recv_timeout(LONG).unwrap();
    assert_eq!(pool.panics(), 1);
    assert_eq!(lock(&pool.threads.state).running.len(), 1);
}

#[test]
fn threads_end_when_there_is_no_work() {
    let pool = Pool::place_in(threads(), 4);
    drop(block(&pool, 4));
    until("no thread is left", || {
        lock(&pool.threads.state).running.is_empty()
    });
    // And start again.
    drop(block(&pool, 4));
}

#[test]
fn a_place_that_is_dropped_waits_for_what_runs_and_drops_what_waits() {
    let all = threads();
    let (pool, other) = (
        Pool::place_in(all.clone(), 1),
        Pool::place_in(all.clone(), 1),
    );
    let gates = block(&pool, 1);
    let (held, dropped) = channel::<()>();
    pool.run(move || held.send(()).unwrap());
    let ended = std::thread::spawn(move || drop(pool));
    assert!(dropped.recv_timeout(LONG).is_err(), "it ran");
    assert!(!ended.is_finished());
    drop(gates);
    ended.join().unwrap();
    drop(block(&other, 1));
    drop(other);
    assert_eq!(Arc::strong_count(&all), 1, "every thread has ended");
}

#[test]
fn a_job_may_drop_the_last_place() {
    let all = threads();
    let pool = Arc::new(Pool::place_in(all.clone(), 2));
    let (own, gate) = (Arc::clone(&pool), Arc::new(Barrier::new(2)));
    let opened = Arc::clone(&gate);
    pool.run(move || {
        opened.wait();
        drop(own);
    });
    drop(pool);
    gate.wait();
    until("every thread has ended", || Arc::strong_count(&all) == 1);
}

#[test]
fn the_exports_of_a_process_share_their_threads() {
    let (first, second) = (Pool::enter(2), Pool::enter(5));
    assert!(Arc::ptr_eq(&first.threads, &second.threads));
    assert!(lock(&first.threads.state).most_threads >= 5);
    drop(first);
    drop(block(&second, 1));
}

fn lane(ino: u64) -> Lane {
    let (dev, generation) = (1, 0);
    Lane::Writes(ObjectId {
        dev,
        ino,
        generation,
    })
}

fn run_in(pool: &Pool, lane: Lane, job: impl FnOnce() + Send + 'static) -> Result<(), FsError> {
    request(pool, Some(lane), job)
}

/// A job that is refused as a request is.
fn request(
    pool: &Pool,
    lane: Option<Lane>,
    job: impl FnOnce() + Send + 'static,
) -> Result<(), FsError> {
    let act = Act::Run(Box::new(job));
    pool.threads.room(pool.key, lane)?.put(Job {
        lane,
        act,
        is_request: true,
    });
    Ok(())
}

#[test]
fn jobs_of_a_lane_take_one_thread_and_keep_their_order() {
    let pool = Pool::place_in(threads(), 2);
    let (done, dones) = channel();
    let (gate, opened) = channel::<()>();
    run_in(&pool, lane(1), move || {
        let _ = opened.recv();
    })
    .unwrap();
    for number in 0..100 {
        let done = done.clone();
        run_in(&pool, lane(1), move || done.send((1, number)).unwrap()).unwrap();
    }
    let other = done.clone();
    run_in(&pool, lane(2), move || other.send((2, 0)).unwrap()).unwrap();
    pool.run(move || done.send((0, 0)).unwrap());
    let mut first = [0; 2].map(|_| dones.recv_timeout(LONG).unwrap());
    first.sort_unstable();
    assert_eq!(
        first,
        [(0, 0), (2, 0)],
        "a lane that waits leaves a thread to others"
    );
    assert!(dones.try_recv().is_err());
    drop(gate);
    for number in 0..100 {
        assert_eq!(dones.recv_timeout(LONG).unwrap(), (1, number));
    }
    until("no lane is left", || {
        let state = lock(&pool.threads.state);
        let place = &state.places[&pool.key];
        (place.lanes.len(), place.waiting, place.running) == (0, 0, 0)
    });
}

#[test]
fn a_panic_does_not_end_a_lane() {
    let pool = Pool::place_in(threads(), 1);
    let (done, dones) = channel();
    let gates = block(&pool, 1);
    run_in(&pool, lane(1), || panic!("a fault of a job")).unwrap();
    run_in(&pool, lane(1), move || done.send(()).unwrap()).unwrap();
    drop(gates);
    dones.recv_timeout(LONG).unwrap();
    until("the panic is counted", || pool.panics() == 1);
}

#[test]
fn what_waits_in_lanes_counts_and_is_dropped_with_the_place() {
    let pool = Pool::place_in(threads(), 1);
    let gates = block(&pool, 1);
    let (held, dropped) = channel::<()>();
    let job = |number| {
        let held = held.clone();
        run_in(&pool, lane(number % 3), move || held.send(()).unwrap())
    };
    for number in 0..MAX_WAITING as u64 {
        job(number).unwrap();
    }
    assert_eq!(job(0), Err(FsError::Busy));
    drop(held);
    let ended = std::thread::spawn(move || drop(pool));
    assert!(dropped.recv_timeout(LONG).is_err(), "one ran");
    drop(gates);
    ended.join().unwrap();
}

#[test]
fn what_lets_go_does_not_count_for_the_limit_of_requests() {
    let pool = Pool::place_in(threads(), 1);
    let gates = block(&pool, 1);
    for number in 0..2 * MAX_WAITING {
        match number % 2 {
            0 => pool.run(|| ()),
            _ => pool.run_in(Some(lane(1)), || ()),
        }
    }
    for _ in 0..MAX_WAITING {
        run_in(&pool, lane(1), || ()).unwrap();
    }
    assert_eq!(run_in(&pool, lane(1), || ()), Err(FsError::Busy));
    drop(gates);
    until("nothing waits", || {
        let state = lock(&pool.threads.state);
        let place = &state.places[&pool.key];
        (place.lanes.len(), place.waiting, place.running) == (0, 0, 0)
    });
}

#[test]
fn a_lane_leaves_its_thread_to_an_export_that_waits() {
    let all = threads();
    let (first, second) = (Pool::place_in(all.clone(), 1), Pool::place_in(all, 1));
    let gates = block(&first, 1);
    let (done, dones) = channel();
    for _ in 0..100 {
        let done = done.clone();
        run_in(&first, lane(1), move || done.send("first").unwrap()).unwrap();
    }
    second.run(move || done.send("second").unwrap());
    drop(gates);
    assert_second_is_early(&dones);
}

/// A thread that was notified for one job, and does not run yet, is none for the next.
#[test]
fn a_job_that_blocks_does_not_keep_the_next_from_a_thread() {
    let pool = Pool::place_in(threads(), 2);
    for _ in 0..200 {
        drop(block(&pool, 1));
        until("a thread waits for work", || {
            lock(&pool.threads.state).waiting_threads > 0
        });
        let (gate, opened) = channel::<()>();
        pool.run(move || {
            let _ = opened.recv();
        });
        let (done, dones) = channel();
        pool.run(move || done.send(()).unwrap());
        dones.recv_timeout(LONG).unwrap();
        drop(gate);
    }
}
