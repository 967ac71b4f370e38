//! Clients go on at the next server, as far as stable storage knows them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_driver::engine::proto::nfs4::Status;
use nfs4_driver::engine::proto::nfs4::args::ReclaimComplete;
use nfs4_driver::engine::stable::{ClientRecord, StableError, StableWrite};
use nfs4_driver::engine::{Admin, Config, Export};
use nfs4_driver::{Identity, Limits, MemoryStore, Node, StableCompletion, StableStore};
use nfs4_tests::live::{Client, Serving, Transport};
use nfs4_vfs::{MemFs, MemFsConfig};

const TRANSPORTS: [Transport; 3] = [Transport::Tokio, Transport::Threads, Transport::AsyncStd];

fn files() -> Arc<MemFs> {
    let config = MemFsConfig::new(1, 16 << 20).with(|files| files.root_mode = 0o777);
    Arc::new(MemFs::new(config))
}

/// A start of the same server on the same files.
fn node(files: &Arc<MemFs>, store: impl StableStore) -> Node {
    let config = Config::default().with(|config| {
        config.lease = Duration::from_secs(30);
        config.delegations = false;
    });
    let node = Node::builder().export_with(Export::new("/", Arc::clone(files) as _));
    let node = node.identity(Identity::named("stable")).config(config);
    let limits = Limits::default().with(|limits| limits.stop_timeout = Duration::from_millis(100));
    node.limits(limits).stable(store).build().unwrap()
}

#[test]
fn opens_and_locks_are_reclaimed_from_the_next_server() {
    for on in TRANSPORTS {
        let (files, store) = (files(), MemoryStore::default());
        let server = Serving::start(on, node(&files, store.clone()));
        let mut a = Client::connect(server.address);
        a.mount("a", 1);
        a.open("held");
        assert_eq!(a.lock(0, false), Status::OK);
        let mut b = Client::connect(server.address);
        b.mount("b", 1);
        server.end();
        assert_eq!(store.records().len(), 2, "{on:?}");

        let again = node(&files, store.clone());
        assert!(again.grace().unwrap().active, "{on:?}");
        let server = Serving::start(on, again);
        let mut b = Client::connect(server.address);
        b.introduce("b", 1);
        b.enter_to_reclaim();
        assert_eq!(b.complete_reclaims(), Status::OK);
        assert_eq!(b.try_open("held").unwrap_err(), Status::GRACE);
        let mut stranger = Client::connect(server.address);
        stranger.introduce("stranger", 1);
        stranger.enter_to_reclaim();
        stranger.file.clone_from(&a.file);
        assert_eq!(stranger.lock(0, true), Status::NO_GRACE);

        a.connection = Client::connect(server.address).connection;
        a.introduce("a", 1);
        a.enter_to_reclaim();
        assert_eq!(a.lock(0, true), Status::OK);
        assert_eq!(a.complete_reclaims(), Status::OK);
        // All that were known have reclaimed: there is no grace period any more.
        b.open("held");
        assert_eq!(b.lock(9, false), Status::DENIED, "{on:?}");
        assert_eq!(b.lock(10, false), Status::OK);
        assert_eq!(a.lock(0, true), Status::NO_GRACE);
    }
}

#[test]
fn without_a_record_there_is_no_grace_period() {
    let node = node(&files(), MemoryStore::default());
    assert!(!node.grace().unwrap().active);
    let server = Serving::start(Transport::Tokio, node);
    let mut client = Client::connect(server.address);
    client.mount("a", 1);
    client.open("new");
}

/// A store that does what it is told to.
#[derive(Clone, Default)]
struct Told {
    how: Arc<Mutex<How>>,
    kept: Arc<Mutex<Vec<StableCompletion>>>,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Default)]
enum How {
    #[default]
    Stores,
    Fails,
    Drops,
    Panics,
    Waits,
}

impl Told {
    fn now(&self, how: How) {
        *self.how.lock().unwrap() = how;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn wait_for(&self, asked: usize) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.asked() < asked {
            assert!(Instant::now() < end, "{} writes", self.asked());
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn answer(&self, result: Result<(), StableError>) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap());
        kept.into_iter().for_each(|done| done.complete(result));
    }
}

impl StableStore for Told {
    fn recover(&self) -> io::Result<Vec<ClientRecord>> {
        Ok(Vec::new())
    }

    fn submit(&self, _: StableWrite, done: StableCompletion) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let how = *self.how.lock().unwrap();
        match how {
            How::Stores => done.complete(Ok(())),
            How::Fails => done.complete(Err(StableError::NoSpace)),
            How::Drops => drop(done),
            How::Panics => panic!("a store that panics"),
            How::Waits => self.kept.lock().unwrap().push(done),
        }
    }
}

#[test]
fn nothing_is_granted_that_is_not_stored() {
    for on in TRANSPORTS {
        let store = Told::default();
        let node = node(&files(), store.clone());
        let server = Serving::start(on, node.clone());
        let mut client = Client::connect(server.address);
        client.introduce("a", 1);
        client.enter_to_reclaim();
        for how in [How::Fails, How::Drops, How::Panics] {
            store.now(how);
            let asked = store.asked();
            assert_eq!(client.complete_reclaims(), Status::DELAY, "{on:?}");
            assert_eq!(store.asked(), asked + 1);
            assert_eq!(client.try_open("new").unwrap_err(), Status::GRACE);
        }
        store.now(How::Stores);
        assert_eq!(client.complete_reclaims(), Status::OK);
        client.open("new");
        assert_eq!(node.table_lengths().unwrap().stores, 0);
    }
}

#[test]
fn an_answer_that_comes_late_finds_its_request_or_none() {
    for on in TRANSPORTS {
        let store = Told::default();
        let node = node(&files(), store.clone());
        let server = Serving::start(on, node.clone());
        store.now(How::Waits);

        // Another thread answers, while the client waits.
        let mut client = Client::connect(server.address);
        client.introduce("a", 1);
        client.enter_to_reclaim();
        let answers = store.clone();
        let answering = thread::spawn(move || {
            answers.wait_for(1);
            thread::sleep(Duration::from_millis(20));
            answers.answer(Ok(()));
        });
        assert_eq!(client.complete_reclaims(), Status::OK, "{on:?}");
        answering.join().unwrap();

        // The client is gone when the answer comes.
        let mut gone = Client::connect(server.address);
        gone.introduce("b", 1);
        gone.enter_to_reclaim();
        let done = ReclaimComplete { one_fs: false };
        let call = gone.compose().reclaim_complete(done).finish();
        gone.connection.send(&call).unwrap();
        store.wait_for(2);
        let client = gone.id.0;
        node.admin(Admin::EvictClient { client }).unwrap();
        assert!(node.table_lengths().unwrap().stores > 0);
        store.answer(Ok(()));
        let end = Instant::now() + Duration::from_secs(20);
        while node.table_lengths().unwrap().stores > 0 {
            assert!(Instant::now() < end, "{on:?}");
            // What is stored of the client is removed.
            store.answer(Ok(()));
            thread::sleep(Duration::from_millis(1));
        }

        // The connection is closed when the answer comes, and then the node is gone.
        let asked = store.asked();
        for name in ["c", "d"] {
            let mut last = Client::connect(server.address);
            last.introduce(name, 1);
            last.enter_to_reclaim();
            let call = last.compose().reclaim_complete(done).finish();
            last.connection.send(&call).unwrap();
        }
        store.wait_for(asked + 2);
        server.end();
        assert_eq!(node.table_lengths().unwrap().stores, 2);
        let kept = store.kept.lock().unwrap().pop().unwrap();
        kept.complete(Ok(()));
        assert_eq!(node.table_lengths().unwrap().stores, 1, "{on:?}");
        drop(node);
        store.answer(Ok(()));
    }
}
