//! A file system behind each way to poll it, and its clients.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_driver::{Limits, Node, Workers};
use nfs4_engine::fs::FileSystem;
use nfs4_engine::{Config, TableLengths};
use nfs4_proto::client::{CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Status, args};
use nfs4_tests::live::{Client, Connection, Serving, runtime};
use nfs4_transport_std as threads;
use nfs4_transport_tokio as on_tokio;

/// Makes three tests of a function over [`Polled`].
macro_rules! on_all {
    ($name:ident) => {
        mod $name {
            use crate::served::Polled;

            #[test]
            fn on_tokio() {
                super::$name(Polled::OnTokio);
            }

            #[test]
            fn by_one_thread() {
                super::$name(Polled::ByThreads(1));
            }

            #[test]
            fn by_eight_threads() {
                super::$name(Polled::ByThreads(8));
            }
        }
    };
}

/// Where futures are polled: on the runtime of a server on tokio, or by so many threads beside a
/// server on threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    OnTokio,
    ByThreads(usize),
}

/// A server of one file system.
pub(crate) struct Served {
    pub(crate) serving: Serving,
    pub(crate) node: Node,
}

impl Served {
    pub(crate) fn start(on: Polled, fs: impl FileSystem) -> Served {
        Served::with_limits(on, fs, Limits::default())
    }

    pub(crate) fn with_limits(on: Polled, fs: impl FileSystem, limits: Limits) -> Served {
        let config = Config::default();
        let (serving, node) = match on {
            Polled::OnTokio => {
                let runtime = runtime();
                let builder = on_tokio::Server::builder().export("/", fs);
                let builder = builder.config(config).limits(limits);
                let server = runtime.block_on(builder.bind("127.0.0.1:0")).unwrap();
                let node = server.node().clone();
                (Serving::of_runtime(runtime, server), node)
            }
            Polled::ByThreads(count) => {
                let workers = Workers::new(NonZeroUsize::new(count).unwrap()).unwrap();
                let builder = threads::Server::builder().export("/", fs);
                let builder = builder.config(config).limits(limits).spawner(workers);
                let server = builder.bind("127.0.0.1:0").unwrap();
                let node = server.node().clone();
                (Serving::of_threads(server), node)
            }
        };
        Served { serving, node }
    }

    /// A connection to it.
    pub(crate) fn connection(&self) -> Connection {
        Connection::from(IpAddr::from([127, 0, 0, 1]), self.serving.address)
    }

    /// A client with a session that is this user to RPC.
    pub(crate) fn client(&self, uid: u32) -> Client {
        let mut client = Client::on(self.connection(), Some(uid));
        client.mount(&format!("user {uid}"), 1);
        client
    }

    /// Stops it well, with nothing left of the clients that unmounted.
    pub(crate) fn end(self, clients: impl IntoIterator<Item = Client>) {
        for mut client in clients {
            client.unmount();
        }
        wait_until("no connections", || self.node.connections() == Ok(0));
        let mut left = self.node.table_lengths().unwrap();
        // They find when they are due that there is nothing left.
        left.timers = 0;
        assert_eq!(left, TableLengths::default());
        self.serving.end();
    }
}

/// Attributes to set.
#[derive(Clone, Default)]
pub(crate) struct Set {
    mask: Bitmap,
    values: Vec<u8>,
}

impl Set {
    pub(crate) fn none() -> Set {
        Set::default()
    }

    pub(crate) fn size(size: u64) -> Set {
        Set::none().with(num::SIZE, &size.to_be_bytes())
    }

    pub(crate) fn mode(mode: u32) -> Set {
        Set::none().with(num::MODE, &mode.to_be_bytes())
    }

    pub(crate) fn owner(self, uid: u32) -> Set {
        self.id(num::OWNER, uid)
    }

    pub(crate) fn group(self, gid: u32) -> Set {
        self.id(num::OWNER_GROUP, gid)
    }

    fn id(self, number: u32, id: u32) -> Set {
        let mut text = id.to_string().into_bytes();
        let len = text.len() as u32;
        text.resize(text.len().next_multiple_of(4), 0);
        self.with(number, &[&len.to_be_bytes()[..], &text].concat())
    }

    /// In the order of the numbers.
    fn with(mut self, number: u32, value: &[u8]) -> Set {
        self.mask |= Bitmap::of(&[number]);
        self.values.extend(value);
        self
    }

    pub(crate) fn raw(&self) -> FattrRaw<'_> {
        FattrRaw {
            mask: self.mask,
            values: &self.values,
        }
    }
}

/// Goes from the root along names.
pub(crate) fn walk<'a>(c: &'a mut CompoundBuilder, path: &[&str]) -> &'a mut CompoundBuilder {
    let mut c = c.putrootfh();
    for name in path {
        let objname = name.as_bytes();
        c = c.lookup(args::Lookup { objname });
    }
    c
}

/// The last of the results, and its status.
pub(crate) fn results(reply: &[u8]) -> ReplyReader<'_> {
    ReplyReader::parse(reply).unwrap()
}

pub(crate) fn status(reply: &[u8]) -> Status {
    results(reply).status()
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
