//! Through a [`Node`]: connections take the engine's lock in any order, each with what has come by
//! it meanwhile, wherever the stream was cut; file systems answer at once, later, or too late.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use nfs4_driver::{Closing, Connection, Limits, ManualClock, Node, Timer};
use nfs4_engine::fs::{Backend, Capabilities, Completion, FsHandle, FsRequest, FsResult, Pending};
use nfs4_engine::{Admin, Boot, Config, ConnId, Engine, Event, Export, Now, TableLengths};
use nfs4_proto::rpc::Mark;
use nfs4_tests::sim::{Fs, Reply, created};

use super::counted::Counted;
use super::play::{Call, Server};
use super::request::number_of;

/// A node with its connections.
pub(super) struct Host {
    node: Node,
    clock: Arc<ManualClock>,
    timer: Timer,
    files: Arc<Files>,
    lines: BTreeMap<ConnId, Line>,
    counted: Counted,
}

/// A connection, and what is on its way by it.
struct Line {
    connection: Connection,
    /// What the client has sent and the server has not read.
    unread: VecDeque<u8>,
    /// The calls in that, and those of which a part is read: each with how many bytes are missing.
    calls: VecDeque<(usize, Call)>,
    /// Requests whose late answers are in the connection's mailbox.
    late: Vec<usize>,
    /// Requests whose answers the connection has in its hands: it is between two holds of the lock.
    ready: Vec<usize>,
}

/// What a connection did under one hold of the lock, in this order.
pub(super) struct Turn {
    /// Numbers of the requests for which a file system's answer was handled.
    pub(super) answers: Vec<usize>,
    /// The calls that were handled.
    pub(super) calls: Vec<Call>,
    /// What was sent.
    pub(super) replies: VecDeque<Reply>,
}

/// What became of a connection after its turn.
pub(super) enum Rest {
    /// It is between two holds of the lock.
    NotYet,
    Open,
    /// It was closed, as the server wanted.
    Closed,
}

impl Server for Host {
    fn start(config: Config) -> Host {
        let clock = Arc::new(ManualClock::new(Now::default()));
        let files = Arc::new(Files {
            inner: Fs::new(),
            log: Mutex::default(),
        });
        let exports = vec![Export::new("/", Arc::clone(&files) as Arc<dyn Backend>)];
        let limits = Limits::for_max_io(config.max_io).with(|limits| {
            limits.max_connections = 1 << 20;
            limits.max_connections_per_peer = 1 << 20;
            limits.timer_budget = 16;
            // The model hands every call to the engine at once, and counts none as answered before
            // the connection rests.
            limits.max_unsent_by_strangers = 1 << 40;
            limits.max_held = 1 << 40;
            limits.max_held_by_strangers = 1 << 40;
        });
        let engine = Engine::new(boot(), config, exports, Now::default());
        let engine = engine.expect("the settings are in range");
        let node = Node::with_clock(engine, limits, Arc::clone(&clock) as _);
        let node = node.expect("the limits are in range");
        Host {
            timer: node.timer(),
            node,
            clock,
            files,
            lines: BTreeMap::new(),
            counted: Counted::default(),
        }
    }

    fn connect(&mut self) -> ConnId {
        let connection = self.node.open("192.0.2.1").expect("it is let in");
        let id = connection.id();
        let line = Line {
            connection,
            unread: VecDeque::new(),
            calls: VecDeque::new(),
            late: Vec::new(),
            ready: Vec::new(),
        };
        self.lines.insert(id, line);
        self.check();
        id
    }

    fn admin(&mut self, admin: Admin) {
        self.node.admin(admin).expect("the engine lives");
        self.check();
    }

    fn jump(&mut self, span: Duration) {
        self.clock.advance(span);
    }

    fn run_timers(&mut self) {
        while self.run_timers_once() == Some(Duration::ZERO) {}
    }

    fn fs(&self) -> &Fs {
        &self.files.inner
    }

    fn look<R>(&self, read: impl FnOnce(&Engine) -> R) -> R {
        self.node.look(read).expect("the engine lives")
    }

    fn counted(&mut self) -> Counted {
        let since = self.node.metrics(Counted::of).expect("the engine lives");
        self.counted.add(&since);
        self.counted
    }

    fn take_told(&mut self) -> Option<Vec<Event>> {
        None
    }
}

impl Host {
    /// A client sends a call, which the server has not read yet.
    pub(super) fn send(&mut self, call: Call) {
        if let Some(line) = self.lines.get_mut(&call.conn) {
            line.unread.extend(&call.record);
            line.calls.push_back((call.record.len(), call));
        }
    }

    /// A connection takes the lock once. Unless it did that before and has the answers of file
    /// systems in its hands, it reads, at most so many bytes.
    pub(super) fn turn(&mut self, conn: ConnId, bytes: usize) -> Turn {
        let line = self.lines.get_mut(&conn).expect("it is open");
        let ready = std::mem::take(&mut line.ready);
        let late = std::mem::take(&mut line.late);
        let (answers, calls) = if ready.is_empty() {
            (late, line.read(bytes))
        } else {
            line.ready = late;
            (ready, Vec::new())
        };
        let more = line.connection.half_step().expect("it goes on");
        line.ready.append(&mut self.files.lock().ready);
        assert_eq!(more, !line.ready.is_empty(), "answers in its hands");
        let replies = line.written();
        self.check();
        Turn {
            answers,
            calls,
            replies,
        }
    }

    /// A connection that has no answers in its hands looks whether it is to be closed, which is done
    /// then, and rests.
    pub(super) fn rest(&mut self, conn: ConnId) -> Rest {
        let line = self.lines.get_mut(&conn).expect("it is open");
        if !line.ready.is_empty() {
            return Rest::NotYet;
        }
        match line.connection.step(Waker::noop()) {
            Ok(more) => {
                assert!(!more, "all was handled");
                assert!(line.written().is_empty(), "all was sent");
                line.connection.rest();
                Rest::Open
            }
            Err(Closing::Engine) => {
                assert_eq!(self.close(conn, &Closing::Engine), []);
                Rest::Closed
            }
            Err(other) => panic!("{conn}: {other}"),
        }
    }

    /// A connection is lost; the requests are returned for which a file system's answer was handled
    /// before that.
    pub(super) fn close(&mut self, conn: ConnId, why: &Closing) -> Vec<usize> {
        let line = self.lines.remove(&conn).expect("it is open");
        line.connection.close(why);
        self.check();
        [line.ready, line.late].concat()
    }

    /// Whether a connection has more to do.
    pub(super) fn is_busy(&self, conn: ConnId) -> bool {
        let line = &self.lines[&conn];
        !(line.calls.is_empty() && line.late.is_empty() && line.ready.is_empty())
    }

    /// Whether a part of a call was read.
    pub(super) fn is_mid_call(&self, conn: ConnId) -> bool {
        let next = self.lines[&conn].calls.front();
        next.is_some_and(|(missing, call)| *missing < call.record.len())
    }

    /// Whether a connection other than this is between two holds of the lock.
    pub(super) fn is_anyone_between(&self, conn: ConnId) -> bool {
        let mut others = self.lines.iter().filter(|(id, _)| **id != conn);
        others.any(|(_, line)| !line.ready.is_empty())
    }

    /// The file system answers one of the requests that it has, if there are any: the number of the
    /// request, and whether the answer was handled at once, because the connection that it came
    /// `by` is gone.
    pub(super) fn answer(
        &mut self,
        which: usize,
        by: impl Fn(usize) -> ConnId,
    ) -> Option<(usize, bool)> {
        let mut files = self.files.lock();
        let which = which.checked_rem(files.jobs.len())?;
        let job = files.jobs.remove(which);
        drop(files);
        job.completion.complete(job.result);
        let line = self.lines.get_mut(&by(job.number));
        let at_once = line.is_none();
        if let Some(line) = line {
            line.late.push(job.number);
        }
        self.check();
        Some((job.number, at_once))
    }

    /// All connections close and all leases run out: nothing may be left.
    pub(super) fn assert_nothing_is_left(&mut self) {
        let conns: Vec<ConnId> = self.lines.keys().copied().collect();
        for conn in conns {
            self.close(conn, &Closing::EndOfStream);
        }
        while let Some(sleep) = self.run_timers_once() {
            self.clock.advance(sleep);
        }
        assert_eq!(self.tables(), TableLengths::default());
        assert_eq!(self.fs().held(), 0, "files are still held");
    }

    fn run_timers_once(&mut self) -> Option<Duration> {
        let sleep = self.timer.run(Waker::noop()).expect("the engine lives");
        self.check();
        sleep
    }

    /// Holds the tables against what must always be true of them.
    fn check(&self) {
        let open: Vec<ConnId> = self.lines.keys().copied().collect();
        let holds = self.look(|engine| engine.check_invariants(&open));
        assert_eq!(holds, Ok(()));
        let on_the_way = self
            .lines
            .values()
            .map(|line| line.late.len() + line.ready.len());
        let outstanding = self.files.lock().jobs.len() + on_the_way.sum::<usize>();
        assert_eq!(
            self.tables().parked,
            outstanding,
            "each waits for one answer"
        );
    }
}

impl Line {
    /// Reads at most so many bytes; the calls that are complete then.
    fn read(&mut self, bytes: usize) -> Vec<Call> {
        let Some(space) = self.connection.space() else {
            return Vec::new();
        };
        let count = bytes.min(self.unread.len()).min(space.len());
        for (place, byte) in space.iter_mut().zip(self.unread.drain(..count)) {
            *place = byte;
        }
        if count > 0 {
            self.connection.received(count);
        }
        let mut left = count;
        let mut calls = Vec::new();
        while let Some((missing, _)) = self.calls.front_mut() {
            if *missing > left {
                *missing -= left;
                break;
            }
            left -= *missing;
            calls.extend(self.calls.pop_front().map(|(_, call)| call));
        }
        assert!(calls.len() < Limits::default().max_in_flight as usize / 2);
        calls
    }

    /// What the server has written.
    fn written(&mut self) -> VecDeque<Reply> {
        let mut bytes = Vec::new();
        while !self.connection.is_output_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let used = self.connection.output(&mut slices);
            let before = bytes.len();
            for slice in &slices[..used] {
                bytes.extend_from_slice(slice);
            }
            let count = bytes.len() - before;
            self.connection.sent(count);
        }
        let mut rest = &bytes[..];
        let mut replies = VecDeque::new();
        while let Some(mark) = Mark::peek(rest) {
            let (record, behind) = rest.split_at(Mark::LEN + mark.len as usize);
            replies.push_back(Reply::new(self.connection.id(), record));
            rest = behind;
        }
        assert!(rest.is_empty(), "whole records");
        replies
    }
}

/// A file system that carries out every request as it comes, and answers some later.
struct Files {
    inner: Fs,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// What is not answered.
    jobs: Vec<Job>,
    /// Numbers of the requests that were answered at once, since this was looked at.
    ready: Vec<usize>,
}

/// A request that is to be answered later.
struct Job {
    number: usize,
    completion: Completion,
    result: FsResult,
}

impl Files {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("nobody panics under it")
    }
}

impl Backend for Files {
    fn root(&self) -> FsHandle {
        self.inner.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        let name = created(&request.op).expect("all requests make something");
        let number = number_of(name);
        let answer = self.inner.submit(request, pending);
        let mut log = self.lock();
        if number.is_multiple_of(READY) {
            log.ready.push(number);
            return answer;
        }
        let Poll::Ready(result) = answer else {
            unreachable!("MemFs answers at once")
        };
        log.jobs.push(Job {
            number,
            completion: pending.completion(),
            result,
        });
        Poll::Pending
    }

    fn release(&self, fh: FsHandle) {
        self.inner.release(fh);
    }
}

fn boot() -> Boot {
    Boot::new(0x5eed, *b"0123456789abcdef", b"node").with(|boot| {
        boot.write_verifier = *b"verifier";
        boot.server_minor = 7;
        boot.server_scope = b"scope".to_vec();
    })
}

/// One request in so many is answered at once.
const READY: usize = 3;
