//! Threads that share a node.

use std::sync::Arc;
use std::time::Duration;

use nfs4_driver::engine::TableLengths;
use nfs4_interleavings::{Client, Held, Park, in_many_orders, node};
use shuttle::thread;

#[test]
fn an_answer_by_another_thread_reaches_a_connection_that_waits() {
    in_many_orders(|| {
        let files = Arc::new(Held::default());
        let node = node(Arc::clone(&files) as _);
        let mut client = Client::enter(&node, "waits");
        let answering = thread::spawn(move || {
            files.answer_one();
            files.answer_one();
        });
        client.send_getattr(0, 1);
        client.send_getattr(1, 1);
        client.reply();
        client.reply();
        answering.join().unwrap();
        client.close();
    });
}

#[test]
fn a_reply_is_kept_when_its_connection_closes_while_another_thread_answers() {
    in_many_orders(|| {
        let files = Arc::new(Held::default());
        let node = node(Arc::clone(&files) as _);
        let mut client = Client::enter(&node, "goes");
        client.send_getattr(0, 1);
        client.work().unwrap();
        let answering = thread::spawn(move || files.answer_one());
        let mut again = client.again(&node);
        client.close();
        answering.join().unwrap();
        // Executed once: the file system would not answer a second request.
        again.send_getattr(0, 1);
        again.reply();
        again.close();
        assert_eq!(node.connections(), Ok(0));
    });
}

#[test]
fn connections_that_work_at_once_all_get_their_replies() {
    in_many_orders(|| {
        let files = Arc::new(Held::default());
        let node = node(Arc::clone(&files) as _);
        let threads: Vec<_> = ["one", "two"]
            .into_iter()
            .map(|name| {
                let node = node.clone();
                thread::spawn(move || {
                    let mut client = Client::enter(&node, name);
                    client.send_getattr(0, 1);
                    client.reply();
                    client.close();
                })
            })
            .collect();
        files.answer_one();
        files.answer_one();
        for thread in threads {
            thread.join().unwrap();
        }
        let TableLengths { clients, .. } = node.table_lengths().unwrap();
        assert_eq!((clients, node.connections()), (2, Ok(0)));
    });
}

#[test]
fn a_timer_that_sleeps_is_woken_by_an_earlier_deadline() {
    in_many_orders(|| {
        let node = node(Arc::new(Held::default()));
        let mut timer = node.timer();
        let (park, waker) = Park::new();
        let sleeping = thread::spawn(move || {
            loop {
                match timer.run(&waker).unwrap() {
                    // The client's lease.
                    Some(span) if span > Duration::ZERO => return,
                    Some(_) => {}
                    None => park.wait(),
                }
            }
        });
        Client::enter(&node, "leases").close();
        sleeping.join().unwrap();
    });
}
