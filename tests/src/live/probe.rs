//! A well-behaved client that goes on working while others attack: what it waits for is what they
//! cost.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nfs4_proto::client::ReplyReader;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, StableHow, Stateid, Status, args};

use super::client::Client;
use super::connection::Connection;
use super::latency::Latencies;

/// A client with its own connection, session and file. It asks for attributes, writes and reads a
/// little, in turn and at a steady pace; if a reply is late, the requests that should have been sent
/// meanwhile count as late, too. A request that is answered DELAY is sent again until it is not.
pub struct Probe {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    taken: Mutex<Vec<Duration>>,
    stop: AtomicBool,
}

impl Probe {
    /// Starts it, from an address of this machine, as a user.
    pub fn start(server: SocketAddr, from: IpAddr, uid: u32) -> Probe {
        let mut client = Client::on(Connection::from(from, server), Some(uid));
        client.mount("probe", 1);
        let open = client.open("probe");
        client.write(open, 0, &DATA);
        client.cachethis = false;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || run(&mut client, open, &seen))
            .expect("a thread");
        Probe { shared, thread }
    }

    /// What the requests took that it sent during `work`.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> (T, Latencies) {
        self.take();
        let done = work();
        (done, Latencies::of(self.take()))
    }

    /// What its requests take during a while in which nothing else is done.
    pub fn quiet(&self, span: Duration) -> Latencies {
        self.during(|| thread::sleep(span)).1
    }

    /// Ends it. Every request must have been answered with success.
    pub fn end(self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the probe is served to the end");
    }

    fn take(&self) -> Vec<Duration> {
        // A probe that was not served has panicked, which its end tells.
        let taken = self.shared.taken.lock();
        std::mem::take(&mut *taken.unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

fn run(client: &mut Client, open: Stateid, shared: &Shared) {
    let mut due = Instant::now();
    for turn in 0.. {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        while ask(client, open, turn) == Status::DELAY {
            thread::sleep(PACE);
        }
        let took = due.elapsed();
        let taken = shared.taken.lock();
        taken.expect("nothing panics under it").push(took);
        due += PACE;
    }
    client.remove(open, "probe");
    client.unmount();
}

/// One request of the three kinds; says how it ended.
fn ask(client: &mut Client, stateid: Stateid, turn: u64) -> Status {
    let object = &client.file.clone()[..];
    let mut call = client.compose();
    call.putfh(args::PutFh { object });
    match turn % 3 {
        0 => call.getattr(args::GetAttr {
            attr_request: Bitmap::of(&[num::CHANGE, num::SIZE]),
        }),
        1 => call.write(args::Write {
            stateid,
            offset: 0,
            stable: StableHow::Unstable,
            data: &DATA,
        }),
        _ => call.read(args::Read {
            stateid,
            offset: 0,
            count: DATA.len() as u32,
        }),
    };
    let reply = client.connection.exchange(&call.finish());
    let reply = reply.expect("the probe keeps its connection");
    let mut results = ReplyReader::parse(&reply).expect("a reply to a COMPOUND");
    let status = results.status();
    if status != Status::DELAY {
        results.finish().expect("the probe is served");
    }
    status
}

/// From one request to the next.
const PACE: Duration = Duration::from_millis(2);
const DATA: [u8; 4_096] = [b'p'; 4_096];
