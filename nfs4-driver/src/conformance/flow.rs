//! Clients that send much at once, that are slow, or that stop.

use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::proto::client::{CallCredential, null_call};
use nfs4_engine::proto::nfs4::{Stateid, args};

use super::Transport;
use super::client::{Client, SLOTS, next_xid, outcome, results, succeeded};
use super::files::{Answers, NAME, SIZE, byte};
use super::scene::Scene;
use crate::limits::Limits;

/// 64 calls in one piece are all answered, in whichever order, and to the right transaction ids.
pub fn calls_sent_together_are_all_answered<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut client = scene.mounted("pipeline");
    let mut other = scene.mounted("other");
    for how in [Answers::AtOnce, Answers::elsewhere()] {
        scene.files.answer(how);
        for _ in 0..5 {
            let xids = client.send_getattrs(SLOTS);
            let others = other.send_getattrs(SLOTS);
            for reply in client.replies_to(&xids).into_values() {
                succeeded(reply);
            }
            for reply in other.replies_to(&others).into_values() {
                succeeded(reply);
            }
        }
    }
    assert_eq!(scene.files.asked(), 2 * 2 * 5 * SLOTS as usize);
    client.unmount();
    other.unmount();
    drop((client, other));
    scene.end();
}

/// Replies wait for a slow client within a limit, arrive whole, and others are served meanwhile.
pub fn a_client_that_reads_slowly_gets_everything_and_holds_up_no_other<T: Transport>(
    transport: &T,
) {
    let limits = Limits {
        max_unsent: 4 * u64::from(Limits::default().max_reply),
        ..Limits::default()
    };
    let scene = Scene::with(transport, limits.clone());
    let mut slow = scene.mounted("slow");
    let mut other = scene.mounted("other");
    let xids = send_reads(&mut slow, READS, SIZE);
    let start = Instant::now();
    let mut most = 0;
    while start.elapsed() < Duration::from_millis(200) {
        let asked = Instant::now();
        let xids = other.send_getattrs(1);
        other.replies_to(&xids);
        assert!(asked.elapsed() < SOON, "another client waits");
        let (strangers, others) = scene.node.held_bytes();
        most = most.max(strangers + others);
    }
    // Each of the two has at most what it may have.
    assert!(most <= 2 * limits.max_unsent, "{most} bytes are held");
    for step in [10_000, SIZE, 77_777, SIZE]
        .into_iter()
        .cycle()
        .take(xids.len())
    {
        let reply = slow.record(step).expect("a reply");
        assert!(xids.contains(&outcome(&reply).0));
        assert_content(&reply, SIZE);
    }
    slow.unmount();
    other.unmount();
    drop((slow, other));
    scene.end();
}

/// A client that takes no byte of its replies is closed after the stall timeout.
pub fn a_client_that_takes_no_replies_is_closed<T: Transport>(transport: &T) {
    let scene = Scene::with(transport, short_stall());
    let mut deaf = scene.mounted("deaf");
    let mut other = scene.mounted("other");
    // More than the buffers between the two hold.
    send_reads(&mut deaf, READS, SIZE);
    scene.wait_for("the end of the connection", |scene| {
        assert!(other.is_served(), "another client waits");
        scene.node.connections() == Ok(1)
    });
    drop((deaf, other));
    scene.end();
}

/// A client that sends half a record, and no more, is closed; one between two records is not.
pub fn a_client_that_stops_within_a_record_is_closed<T: Transport>(transport: &T) {
    let scene = Scene::with(transport, short_stall());
    let mut quiet = scene.connect();
    assert!(quiet.is_served());
    let call = null_call(next_xid(), &CallCredential::None);
    let mut halves: Vec<_> = [1, 4, 20]
        .into_iter()
        .map(|cut| {
            let mut half = scene.connect();
            half.send(&call[..cut]).expect("it is read");
            half
        })
        .collect();
    for half in &mut halves {
        assert!(half.is_closed(), "it does not wait without end");
    }
    assert!(quiet.is_served(), "between records there is time");
    drop((halves, quiet));
    scene.end();
}

/// A client that sends nothing more gets the replies to what it has sent, those included that a file
/// system gives later; then the connection ends.
pub fn a_client_that_ends_its_half_gets_its_replies<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut idle = scene.connect();
    assert!(idle.is_served());
    idle.end_writes();
    assert!(idle.is_closed(), "nothing is owed to it");

    let mut client = scene.mounted("half");
    scene.files.answer(Answers::Held);
    let late = client.send_getattrs(3);
    scene.has_waiting(3);
    let reads = send_reads_from(&mut client, 3, 6, SIZE);
    client.end_writes();
    // Long enough to close it, if it were closed now.
    thread::sleep(Duration::from_millis(50));
    for _ in 0..reads.len() {
        let reply = client
            .reply()
            .expect("a reply to a client that sends no more");
        assert!(reads.contains(&outcome(&reply).0));
        assert_content(&reply, SIZE);
    }
    assert!(
        client.is_quiet(Duration::from_millis(50)),
        "calls are in flight"
    );
    scene.files.release_all();
    for reply in client.replies_to(&late).into_values() {
        succeeded(reply);
    }
    assert!(client.is_closed(), "all is answered");
    drop((idle, client));
    scene.end();
}

/// A client that is gone altogether ends its half, too: its connection ends although a file system
/// never answers.
pub fn a_half_closed_connection_is_not_kept_without_end<T: Transport>(transport: &T) {
    let scene = Scene::with(transport, short_stall());
    let mut client = scene.mounted("gone");
    scene.files.answer(Answers::Held);
    client.send_getattrs(2);
    scene.has_waiting(2);
    client.end_writes();
    assert!(client.is_closed(), "it is not kept");
    scene.has_connections(0);
    scene.files.release_all();
    assert_eq!(scene.tables().parked, 0);
    drop(client);
    scene.end();
}

/// A client that sends many long requests does not keep another one waiting for all of them.
pub fn long_requests_let_others_have_their_turn<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut greedy = scene.mounted("greedy");
    let mut other = scene.mounted("other");
    scene.files.answer(Answers::After(Duration::from_millis(2)));
    let xids = greedy.send_getattrs(SLOTS);
    let short = other.send_getattrs(1);
    other.replies_to(&short);
    let before = scene.files.asked();
    assert!(before < SLOTS as usize / 2, "{before} requests came before");
    greedy.replies_to(&xids);
    greedy.unmount();
    other.unmount();
    drop((greedy, other));
    scene.end();
}

fn send_reads<T: Transport>(client: &mut Client<'_, T>, count: u32, length: usize) -> Vec<u32> {
    send_reads_from(client, 0, count, length)
}

/// Sends READs of the beginning of the file, each on a slot of its own from `first` on; returns their
/// transaction ids.
fn send_reads_from<T: Transport>(
    client: &mut Client<'_, T>,
    first: u32,
    count: u32,
    length: usize,
) -> Vec<u32> {
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: length as u32,
    };
    let file = args::Lookup { objname: NAME };
    let (mut xids, mut calls) = (Vec::new(), Vec::new());
    for slot in first..first + count {
        let (xid, call) = client.request(slot, |call| call.putrootfh().lookup(file).read(read));
        xids.push(xid);
        calls.extend(call);
    }
    client.send(&calls).expect("it is read");
    xids
}

/// The reply to such a READ.
#[track_caller]
fn assert_content(reply: &[u8], length: usize) {
    let mut results = results(reply);
    for _ in 0..3 {
        results.next_result().expect("a result");
    }
    let read = results.read().expect("bytes");
    assert_eq!(read.data.len(), length);
    // Every byte of a piece that buffers could have torn, and some of the others.
    let places = (0..4_096).chain((4_096..length).step_by(61));
    let right = |at: usize| read.data[at] == byte(at);
    assert!(places.into_iter().all(right), "other bytes were read");
}

fn short_stall() -> Limits {
    Limits {
        stall_timeout: Duration::from_millis(250),
        ..Limits::default()
    }
}

const READS: u32 = 24;
/// What a request takes at most on a machine that does much else.
const SOON: Duration = Duration::from_secs(2);
