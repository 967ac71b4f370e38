//! The hot path from record bytes to reply bytes, set up through the public door: for benches, for
//! a profiler, and for the test that nothing is allocated on it.

mod caller;
mod codec;

use std::io::IoSlice;
use std::sync::Arc;
use std::task::Waker;

use nfs4_driver::{Connection, Limits, Node, SystemClock};
use nfs4_engine::bytes::{Buf, Bytes};
use nfs4_engine::fs::driver::{self, CompletionSink, FsTicket, Submitted};
use nfs4_engine::fs::{
    Authority, Backend, Creation, Credential, FsHandle, FsOp, FsReply, FsRequest, FsResult,
    NewNode, OpenHow, SetAttrs, Stability, Target,
};
use nfs4_engine::{
    Action, Boot, Call, Config, ConnId, Engine, Export, Input, Mono, Now, Outbox, Segment, Wall,
};
use nfs4_proto::rpc::{CallHeader, Mark, NFS_V4, NFS4_PROGRAM};
use nfs4_vfs::{MemFs, MemFsConfig};

pub use self::caller::Shape;
use self::caller::{Caller, DIRECTORY, ENTRIES, FILE, FILE_SIZE, GID, GROUPS, UID};
pub(crate) use self::caller::{call, introduction, read, session_args};
pub use self::codec::Codec;

/// The engine with a [`MemFs`] and one client, driven as a driver drives it.
pub struct HotEngine {
    engine: Engine,
    outbox: Outbox,
    now: Now,
    cred: Arc<Credential>,
    sink: Arc<dyn CompletionSink>,
    caller: Caller,
    reply: Vec<u8>,
    /// What was taken from the metric lane.
    counted: u64,
}

/// The same behind a [`Node`], on one of its connections.
pub struct HotConnection {
    connection: Connection,
    caller: Caller,
    output: Vec<u8>,
}

impl HotEngine {
    /// A server with a client, its session and a file.
    pub fn new(shape: Shape, cachethis: bool) -> HotEngine {
        let mut hot = HotEngine::empty(Config::default());
        hot.open(ConnId::FIRST);
        hot.caller = Caller::introduce(shape, cachethis, 1, |stream| {
            hot.answer(Bytes::from_owner(stream));
            hot.reply.clone()
        });
        hot
    }

    /// A server with a file and without clients.
    pub(crate) fn empty(config: Config) -> HotEngine {
        let now = Now {
            mono: Mono::from_nanos(1),
            wall: Wall::default(),
        };
        HotEngine {
            engine: engine(config, now),
            outbox: Outbox::new(),
            now,
            cred: Arc::new(Credential::sys(UID, GID, &GROUPS)),
            sink: Arc::new(NoSink),
            caller: Caller::default(),
            reply: Vec::new(),
            counted: 0,
        }
    }

    /// A connection is there, from an address of its own: one has a share of everything only.
    pub(crate) fn open(&mut self, conn: ConnId) {
        let [.., high, middle, low] = conn.get().to_be_bytes();
        let peer = format!("10.{high}.{middle}.{low}:1023");
        self.handle(Input::ConnOpened { conn, peer });
    }

    /// The engine, to be looked at.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The next `count` calls, as they lie in a read buffer.
    pub fn read(&mut self, count: usize) -> Bytes {
        let mut stream = Vec::new();
        self.caller.calls(count, &mut stream);
        Bytes::from_owner(stream)
    }

    /// The last call `count` times more, as a client retransmits it.
    pub fn read_again(&mut self, count: usize) -> Bytes {
        let mut stream = Vec::new();
        self.caller.last_call(count, &mut stream);
        Bytes::from_owner(stream)
    }

    /// Answers calls one by one: record mark, RPC header, engine, file system, reply bytes, metrics.
    #[inline(never)]
    pub fn answer(&mut self, mut stream: Bytes) {
        while let Some(mark) = Mark::peek(&stream) {
            stream.advance(Mark::LEN);
            let record = stream.split_to(mark.len as usize);
            self.answer_one(ConnId::FIRST, record);
        }
    }

    /// The reply to the last call, with its record mark.
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }

    /// Answers one call, without its record mark.
    pub(crate) fn answer_one(&mut self, conn: ConnId, mut record: Bytes) {
        self.now.mono = Mono::from_nanos(self.now.mono.as_nanos() + 1_000);
        self.reply.clear();
        let message_len = u32::try_from(record.len()).unwrap_or(u32::MAX);
        let (header, body) = CallHeader::decode(&record).expect("our own calls are well-formed");
        header
            .expect(NFS4_PROGRAM, NFS_V4, NFS_V4)
            .expect("our own calls are for this program");
        let (xid, cred) = (header.xid, Arc::clone(&self.cred));
        record.advance(body);
        let call = Call::new(conn, xid, cred, record, message_len);
        self.handle(Input::Call(call));
        self.outbox.clear();
        self.counted += self.outbox.metrics.compounds;
        self.outbox.metrics.clear();
    }

    fn handle(&mut self, input: Input) {
        self.engine.handle(self.now, input, &mut self.outbox);
        while let Some(action) = self.outbox.pop() {
            match action {
                Action::Reply(reply) => {
                    for segment in self.outbox.segments(&reply) {
                        match segment {
                            Segment::Bytes(bytes) => self.reply.extend_from_slice(bytes),
                            Segment::Payload(bytes) => self.reply.extend_from_slice(bytes),
                        }
                    }
                }
                Action::Fs {
                    ticket,
                    backend,
                    request,
                } => {
                    let submitted = driver::submit(&*backend, ticket, request, &self.sink);
                    let Submitted::Answered(result) = submitted else {
                        unreachable!("MemFs answers at once");
                    };
                    let done = Input::FsDone { ticket, result };
                    self.engine.handle(self.now, done, &mut self.outbox);
                }
                _ => {}
            }
        }
    }
}

impl HotConnection {
    /// A server with a client, its session and a file; up to `slots` calls may come together.
    pub fn new(shape: Shape, cachethis: bool, slots: usize) -> HotConnection {
        let clock = SystemClock::new();
        let node = Node::with_clock(
            engine(Config::default(), nfs4_driver::Clock::now(&clock)),
            Limits::default(),
            Arc::new(clock),
        )
        .expect("the defaults are valid");
        let connection = node.open("bench").expect("there is room for one");
        let mut hot = HotConnection {
            connection,
            caller: Caller::default(),
            output: Vec::new(),
        };
        hot.caller = Caller::introduce(shape, cachethis, slots, |stream| {
            hot.answer(&stream);
            hot.output.clone()
        });
        hot
    }

    /// The next `count` calls, as they come from the socket.
    pub fn read(&mut self, count: usize, stream: &mut Vec<u8>) {
        stream.clear();
        self.caller.calls(count, stream);
    }

    /// Answers calls that arrived together, as one wake-up of a connection does.
    #[inline(never)]
    pub fn answer(&mut self, mut stream: &[u8]) {
        self.output.clear();
        while !stream.is_empty() {
            let space = self.connection.space().expect("it is ready to read");
            let count = space.len().min(stream.len());
            space[..count].copy_from_slice(&stream[..count]);
            stream = &stream[count..];
            self.connection.received(count);
            while self
                .connection
                .step(Waker::noop())
                .expect("nothing ends it")
            {}
            while !self.connection.is_output_empty() {
                let mut slices = [IoSlice::new(&[]); 64];
                let used = self.connection.output(&mut slices);
                let before = self.output.len();
                for slice in &slices[..used] {
                    self.output.extend_from_slice(slice);
                }
                self.connection.sent(self.output.len() - before);
            }
        }
        self.connection.rest();
    }

    /// The replies to the last calls, with their record marks.
    pub fn replies(&self) -> &[u8] {
        &self.output
    }
}

/// Cuts a stream of replies; how many are successes with `results` results each.
pub fn successes(mut stream: &[u8], results: u32) -> usize {
    let mut count = 0;
    while let Some(mark) = Mark::peek(stream) {
        let (record, rest) = stream[Mark::LEN..].split_at(mark.len as usize);
        stream = rest;
        let mut reply = read(record);
        count += usize::from(reply.count() == results && reply.finish().is_ok());
    }
    count
}

/// An engine that serves a file system with one file.
fn engine(config: Config, now: Now) -> Engine {
    let files = MemFs::new(MemFsConfig::new(1, 1 << 30));
    let superuser = Arc::new(Credential::sys(0, 0, &[]));
    let make = |op| {
        let cred = Arc::clone(&superuser);
        let made = files.answer(FsRequest::new(cred, now, op));
        made.expect("the superuser may create a file")
    };
    let FsReply::Opened(file) = make(create(files.root(), Bytes::from_static(FILE))) else {
        unreachable!("a file was created")
    };
    make(FsOp::Write {
        fh: file.fh,
        offset: 0,
        data: Bytes::from(vec![7; FILE_SIZE]),
        stability: Stability::File,
        authority: Authority::Open,
    });
    let FsReply::Created { fh: directory, .. } = make(FsOp::Create {
        dir: files.root(),
        name: Bytes::from_static(DIRECTORY),
        node: NewNode::Directory,
        set: SetAttrs::default(),
    }) else {
        unreachable!("a directory was created")
    };
    for number in 0..ENTRIES {
        make(create(directory, format!("entry-{number:06}").into()));
    }
    let boot = Boot::new(1, [1; 16], b"bench");
    let exports = vec![Export::new("/", Arc::new(files))];
    Engine::new(boot, config, exports, now).expect("the settings are in range")
}

/// The creation of a file.
fn create(dir: FsHandle, name: Bytes) -> FsOp {
    FsOp::Open {
        target: Target::Name { dir, name },
        how: OpenHow::new(
            true,
            true,
            Creation::Unchecked(SetAttrs::default().with(|set| set.mode = Some(0o666))),
        ),
    }
}

/// All answers come at once.
struct NoSink;

impl CompletionSink for NoSink {
    fn complete(&self, _: FsTicket, _: FsResult) {
        unreachable!("MemFs answers at once");
    }
}
