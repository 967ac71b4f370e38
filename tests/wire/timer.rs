//! Deadlines of the engine, run by a transport.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use nfs4_driver::engine::{Config, Now};
use nfs4_driver::{Limits, ManualClock};

use crate::files::RootOnly;
use crate::peer::{NULL, Peer};
use crate::server::{PATIENCE, Running, Transport, node};
use crate::session::Session;

on_each!(a_timer_is_woken_only_for_an_earlier_deadline);

async fn a_timer_is_woken_only_for_an_earlier_deadline(on: Transport) {
    let clock = Arc::new(ManualClock::new(Now::default()));
    let server = Running::share(
        on,
        node(
            Limits::default(),
            Arc::new(RootOnly),
            Arc::clone(&clock) as _,
        ),
    )
    .await;
    let mut timer = server.node.timer();
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert_eq!(timer.run(&waker), Ok(None), "nothing is due, ever");

    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"leased").await;
    assert_eq!(
        woken.0.load(Ordering::SeqCst),
        1,
        "the first deadline is earlier than none"
    );
    let Config {
        lease, courtesy, ..
    } = Config::default();
    assert_eq!(timer.run(&waker), Ok(Some(lease)));

    for _ in 0..10 {
        clock.advance(Duration::from_secs(1));
        peer.send(&session.getattr(0)).await;
        peer.record().await.unwrap();
    }
    assert_eq!(
        woken.0.load(Ordering::SeqCst),
        1,
        "a lease renewed is a later deadline"
    );
    clock.advance(lease * 2 + courtesy);
    while timer.run(&waker).unwrap() == Some(Duration::ZERO) {}
    assert_eq!(server.node.table_lengths().unwrap().clients, 0);
}

on_each!(a_timer_is_woken_for_a_large_read_buffer_that_rests);

async fn a_timer_is_woken_for_a_large_read_buffer_that_rests(on: Transport) {
    let clock = Arc::new(ManualClock::new(Now::default()));
    let limits = Limits::default();
    let mut message = crate::peer::message(&NULL);
    message.resize(limits.max_record as usize, 0);
    let node = node(limits, Arc::new(RootOnly), Arc::clone(&clock) as _);
    let server = Running::share(on, node).await;
    let mut timer = server.node.timer();
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert_eq!(timer.run(&waker), Ok(None), "nothing is due, ever");
    let mut peer = Peer::connect(server.address).await;
    for times in 1..=2 {
        peer.send(&crate::peer::mark(&message)).await;
        assert_eq!(peer.outcome(NULL.xid).await, Ok(()));
        wait_for_times(&woken, times).await;
        let next = timer.run(&waker).unwrap().unwrap();
        clock.advance(next);
        assert_eq!(timer.run(&waker), Ok(None), "it is given up");
    }
}

async fn wait_for_times(woken: &Count, times: usize) {
    let reached = async {
        while woken.0.load(Ordering::SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .expect("the timer is woken");
}

on_each!(due_work_is_done_in_slices);

async fn due_work_is_done_in_slices(on: Transport) {
    let clock = Arc::new(ManualClock::new(Now::default()));
    let limits = Limits::default().with(|limits| limits.timer_budget = 16);
    let server = Running::share(
        on,
        node(limits, Arc::new(RootOnly), Arc::clone(&clock) as _),
    )
    .await;
    let mut peer = Peer::connect(server.address).await;
    for client in 0..20 {
        Session::establish(&mut peer, &[client]).await;
    }
    clock.advance(Config::default().lease * 2 + Config::default().courtesy);
    let mut timer = server.node.timer();
    let mut slices = 1;
    while timer.run(Waker::noop()).unwrap() == Some(Duration::ZERO) {
        slices += 1;
        assert!(slices < 100, "every slice gets further");
    }
    assert!(slices > 1, "others get in between");
    assert_eq!(server.node.table_lengths().unwrap().clients, 0);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
