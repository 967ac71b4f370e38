//! Cycles over TCP, on both transports.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nfs4_driver::engine::proto::client::{CompoundBuilder, Credential, ReplyReader};
use nfs4_driver::engine::proto::nfs4::args::{self, CreateHow, OpenClaim, OpenHow};
use nfs4_driver::engine::proto::nfs4::{
    ClientId, FattrRaw, OpNum, Owner, SessionId, Stateid, Verifier,
};
use nfs4_driver::engine::proto::rpc::Mark;
use nfs4_driver::engine::proto::xdr::List;
use nfs4_driver::engine::{Boot, Config, Engine, Export, Now, TableLengths};
use nfs4_driver::{Limits, ManualClock, Node};
use nfs4_tests::counting::live_bytes;
use nfs4_transport_std as threads;
use nfs4_transport_tokio as on_tokio;
use nfs4_vfs::{MemFs, MemFsConfig};
use tokio::sync::oneshot;

use crate::{alone, cycles};

#[test]
fn over_tokio_nothing_is_left() {
    let (stop, stopped) = oneshot::channel::<()>();
    soak(
        |node| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let server = runtime.block_on(on_tokio::Server::bind("127.0.0.1:0", node));
            let server = server.unwrap();
            let address = server.local_addr().unwrap();
            let serving = thread::spawn(move || {
                let shutdown = async { drop(stopped.await) };
                runtime.block_on(server.serve(shutdown)).unwrap();
            });
            (address, serving)
        },
        || drop(stop),
    );
}

#[test]
fn over_threads_nothing_is_left() {
    let stop = std::sync::OnceLock::new();
    soak(
        |node| {
            let server = threads::Server::bind("127.0.0.1:0", node).unwrap();
            let address = server.local_addr().unwrap();
            stop.set(server.stop_handle()).unwrap();
            (address, thread::spawn(|| server.serve().unwrap()))
        },
        || stop.get().unwrap().stop(),
    );
}

/// `Limits::max_pooled`: what the buffer of a large record leaves behind.
#[test]
fn buffers_rest_as_far_as_the_limit_lets_them() {
    let _alone = alone();
    let left: Vec<i64> = [0, 8 << 20]
        .into_iter()
        .map(|max_pooled| {
            let node = node(Arc::new(ManualClock::new(Now::default())), max_pooled);
            let server = threads::Server::bind("127.0.0.1:0", node.clone()).unwrap();
            let (address, stop) = (server.local_addr().unwrap(), server.stop_handle());
            let serving = thread::spawn(|| server.serve().unwrap());
            let before = live_bytes();
            let mut client = Client::connect(address);
            // Refused, but read to its end before.
            let call = compound().raw(OpNum(0), &[0; 1 << 20]).finish();
            client.stream.write_all(&call).unwrap();
            client.reply();
            drop((client, call));
            wait_for(
                || "connections".to_owned(),
                || node.connections().unwrap() == 0,
            );
            let left = live_bytes() - before;
            stop.stop();
            serving.join().unwrap();
            left
        })
        .collect();
    let (none, some) = (left[0], left[1]);
    assert!(none < 256 << 10, "{none} bytes");
    assert!((1 << 20..3 << 20).contains(&some), "{some} bytes");
}

fn soak(serve: impl FnOnce(Node) -> (SocketAddr, JoinHandle<()>), stop: impl FnOnce()) {
    let _alone = alone();
    // What the first runtime of a process opens for signals, if it can, stays open.
    drop(
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build(),
    );
    let before = Taken::now();
    let clock = Arc::new(ManualClock::new(Now::default()));
    // Buffers that rest would be as many as were in use at once, which is chance.
    let node = node(Arc::clone(&clock), 0);
    let (server, serving) = serve(node.clone());
    let cycles = cycles(SOCKET_CYCLES);
    let mut first = None;
    for number in 1..=cycles {
        cycle(server, number);
        // Tables are as large as they had to be once: not as many at once as chance has it.
        wait_for(
            || "connections".to_owned(),
            || node.connections().unwrap() == 0,
        );
        if number.is_multiple_of(10) {
            expire(&node, &clock);
        }
        if number == cycles / 10 {
            first = Some((Taken::now(), live_bytes()));
        }
    }
    expire(&node, &clock);
    let (first, first_bytes) = first.unwrap();
    first.is_not_exceeded();
    // Less than one byte in a cycle: what rests in which thread is chance, and one may still end.
    let more = (cycles - cycles / 10) as i64;
    let what = || format!("{} bytes of {first_bytes}", live_bytes() - first_bytes);
    wait_for(what, || live_bytes() - first_bytes < more);
    let bytes = live_bytes();
    println!("{bytes} bytes are live after {cycles} cycles, {first_bytes} after a tenth");
    stop();
    serving.join().unwrap();
    drop(node);
    before.comes_back();
}

/// What the process has of the system's.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    descriptors: usize,
    /// Those of the server; the test harness has its own.
    threads: usize,
}

impl Taken {
    fn now() -> Taken {
        Taken {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            threads: threads(),
        }
    }

    /// Waits until there is no more than that. It may be less: when this was looked at, what served
    /// a connection that was gone may just have been ending.
    fn is_not_exceeded(&self) {
        let is_more =
            |now: &Taken| now.descriptors > self.descriptors || now.threads > self.threads;
        wait_for(|| format!("{:?}", Taken::now()), || !is_more(&Taken::now()));
    }

    /// Waits until it is so again.
    fn comes_back(&self) {
        wait_for(|| format!("{:?}", Taken::now()), || Taken::now() == *self);
    }
}

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One that has ended meanwhile has no name.
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("nfs4") || name.starts_with("tokio"))
        .count()
}

/// A client mounts, loses its connection and reboots while it has a file open, and unmounts;
/// another vanishes at some point.
fn cycle(server: SocketAddr, number: usize) {
    let name = format!("client {number:05}");
    let mut client = Client::connect(server);
    client.mount(&name, 1);
    client.open(&name);
    let mut client = Client::connect(server);
    client.mount(&name, 2);
    let open_stateid = client.open(&name);
    let close = args::Close {
        seqid: 0,
        open_stateid,
    };
    let sessionid = client.session;
    let object = &client.file.clone()[..];
    client.call(|c| c.putfh(args::PutFh { object }).close(close));
    client.call(|c| c.destroy_session(args::DestroySession { sessionid }));
    let clientid = client.id;
    client.bare(|c| c.destroy_clientid(args::DestroyClientId { clientid }));

    let name = format!("ghost {number:05}");
    let mut ghost = Client::connect(server);
    ghost.introduce(&name, 1);
    let stage = number % 3;
    if stage > 0 {
        ghost.enter();
    }
    if stage > 1 {
        ghost.open(&name);
        // It does not wait for the reply to this.
        let call = ghost.next().putrootfh().getfh().finish();
        ghost.stream.write_all(&call).unwrap();
    }
}

/// Lets the leases of all that vanished run out.
fn expire(node: &Node, clock: &ManualClock) {
    // Once for what was active now, and once for the timers to find that out.
    for _ in 0..2 {
        clock.advance(2 * Config::default().lease);
        while node.timer().run(Waker::noop()).unwrap() == Some(Duration::ZERO) {}
    }
    assert_eq!(node.table_lengths().unwrap(), TableLengths::default());
}

/// Waits until something is given back.
fn wait_for(what: impl Fn() -> String, is_given_back: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_given_back() {
        assert!(start.elapsed() < PATIENCE, "{} stay", what());
        thread::sleep(Duration::from_micros(100));
    }
}

fn node(clock: Arc<ManualClock>, max_pooled: u64) -> Node {
    let root = MemFs::new(MemFsConfig {
        root_mode: 0o777,
        ..MemFsConfig::new(1, 1 << 20)
    });
    let boot = Boot {
        epoch: 1,
        entropy: [7; 16],
        write_verifier: [1; 8],
        server_major: b"leaks".to_vec(),
        server_minor: 0,
        server_scope: b"leaks".to_vec(),
    };
    let limits = Limits {
        max_pooled,
        ..Limits::default()
    };
    let exports = vec![Export::new("/", Arc::new(root))];
    let engine = Engine::new(boot, Config::default(), exports, Now::default()).unwrap();
    Node::with_clock(engine, limits, clock).unwrap()
}

/// A client on a connection of its own, with one slot.
struct Client {
    stream: TcpStream,
    id: ClientId,
    create_sequence: u32,
    session: SessionId,
    sequence: u32,
    file: Vec<u8>,
}

impl Client {
    fn connect(server: SocketAddr) -> Client {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client {
            stream,
            id: ClientId(0),
            create_sequence: 0,
            session: SessionId::default(),
            sequence: 0,
            file: Vec::new(),
        }
    }

    fn mount(&mut self, name: &str, incarnation: u8) {
        self.introduce(name, incarnation);
        self.enter();
    }

    fn introduce(&mut self, name: &str, incarnation: u8) {
        let exchange = args::ExchangeId {
            clientowner: args::ClientOwner {
                verifier: Verifier([incarnation; 8]),
                ownerid: name.as_bytes(),
            },
            flags: 0,
            state_protect: args::StateProtect::None,
            client_impl_id: None,
        };
        let reply = self.bare(|c| c.exchange_id(exchange));
        let made = ReplyReader::parse(&reply).unwrap().exchange_id().unwrap();
        self.id = made.clientid;
        self.create_sequence = made.sequenceid;
    }

    fn enter(&mut self) {
        let channel = args::ChannelAttrs {
            headerpadsize: 0,
            maxrequestsize: 4_096,
            maxresponsesize: 4_096,
            maxresponsesize_cached: 4_096,
            maxoperations: 8,
            maxrequests: 1,
            rdma_ird: None,
        };
        let create = args::CreateSession {
            clientid: self.id,
            sequence: self.create_sequence,
            flags: 0,
            fore_chan_attrs: channel,
            back_chan_attrs: channel,
            cb_program: 0,
            sec_parms: List::new(&[]),
        };
        let reply = self.bare(|c| c.create_session(create));
        let made = ReplyReader::parse(&reply).unwrap().create_session();
        self.session = made.unwrap().sessionid;
        let done = args::ReclaimComplete { one_fs: false };
        self.call(|c| c.reclaim_complete(done));
    }

    fn open(&mut self, name: &str) -> Stateid {
        let open = args::Open {
            seqid: 0,
            share_access: 3,
            share_deny: 0,
            owner: Owner {
                clientid: ClientId(0),
                owner: name.as_bytes(),
            },
            openhow: OpenHow::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
            claim: OpenClaim::Null(b"file"),
        };
        let reply = self.call(|c| c.putrootfh().open(open).getfh());
        let mut results = ReplyReader::parse(&reply).unwrap();
        results.sequence().unwrap();
        results.putrootfh().unwrap();
        let stateid = results.open().unwrap().stateid;
        self.file = results.getfh().unwrap().object.to_vec();
        stateid
    }

    fn call(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let call = build(&mut self.next()).finish();
        self.exchange(&call)
    }

    fn bare(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let call = build(&mut compound()).finish();
        self.exchange(&call)
    }

    /// Starts the next COMPOUND of its slot.
    fn next(&mut self) -> CompoundBuilder {
        self.sequence += 1;
        let mut call = compound();
        call.sequence(args::Sequence {
            sessionid: self.session,
            sequenceid: self.sequence,
            slotid: 0,
            highest_slotid: 0,
            cachethis: true,
        });
        call
    }

    /// Sends a call and returns its reply, in which every operation must have succeeded.
    fn exchange(&mut self, call: &[u8]) -> Vec<u8> {
        self.stream.write_all(call).unwrap();
        let reply = self.reply();
        ReplyReader::parse(&reply).unwrap().finish().unwrap();
        reply
    }

    fn reply(&mut self) -> Vec<u8> {
        let mut mark = [0; Mark::LEN];
        self.stream.read_exact(&mut mark).unwrap();
        let mut reply = vec![0; Mark::from_bytes(mark).len as usize];
        self.stream.read_exact(&mut reply).unwrap();
        reply
    }
}

fn compound() -> CompoundBuilder {
    CompoundBuilder::call(7, &Credential::None, b"", 1)
}

const SOCKET_CYCLES: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);
