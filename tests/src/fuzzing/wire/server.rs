//! A server with connections, and what its clients know of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use nfs4_driver::{Closing, DialAny, Dialer, Limits, ManualClock, Node, Timer};
use nfs4_engine::fs::{Backend, FsHandle};
use nfs4_engine::snapshot::Cursor;
use nfs4_engine::{Admin, Boot, Change, Config, ConnId, Engine, Export, Now, TableLengths, Touch};
use nfs4_proto::client::{CbCallReader, ReplyReader};
use nfs4_proto::rpc::reply::write_success;
use nfs4_proto::rpc::{
    CB_NULL, CallHeader, Mark, MessageType, ReplyHeader, peek_message_type, write_mark,
};
use nfs4_proto::xdr::Writer;

use super::files::Files;
use super::frame::{Deed, Frame};
use super::known::Known;
use super::line::Line;
use super::rewrite;

/// A live server, its clock and its connections.
pub struct Server {
    node: Node,
    clock: Arc<ManualClock>,
    timer: Timer,
    dialer: Dialer,
    files: Arc<Files>,
    lines: Vec<Line>,
    /// Connections that the server has made.
    dialled: Vec<Line>,
    known: Known,
    /// Callbacks that wait for a reply, with their connections.
    callbacks: VecDeque<(ConnId, Vec<u8>)>,
    /// Number of callbacks that were answered.
    answered: usize,
    /// Replies since they were last taken.
    replies: Vec<Vec<u8>>,
}

impl Server {
    /// A server without clients, and connections to it.
    pub fn new() -> Server {
        let clock = Arc::new(ManualClock::new(Now::default()));
        let files = Files::new();
        let exports = vec![Export::new("/", Arc::clone(&files) as Arc<dyn Backend>)];
        let engine = Engine::new(boot(), config(), exports, Now::default());
        let engine = engine.expect("the settings are in range");
        let limits = Limits::for_max_io(engine.config().max_io).with(|limits| {
            limits.timer_budget = 16;
        });
        let node = Node::with_clock(engine, limits, Arc::clone(&clock) as _);
        let node = node.expect("the limits are in range");
        node.set_dial_policy(Arc::new(DialAny));
        let mut server = Server {
            timer: node.timer(),
            dialer: node.dialer(),
            node,
            clock,
            files,
            lines: Vec::new(),
            dialled: Vec::new(),
            known: Known::default(),
            callbacks: VecDeque::new(),
            answered: 0,
            replies: Vec::new(),
        };
        for at in 0..Frame::CONNECTIONS {
            let line = server.open(at);
            server.lines.push(line);
        }
        server
    }

    /// What the server has told.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Number of callbacks that a frame has answered.
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// The lengths of the engine's tables.
    ///
    /// # Panics
    /// The engine is dead.
    pub fn tables(&self) -> TableLengths {
        self.node.table_lengths().expect("the engine lives")
    }

    /// Takes the replies since the last time, without their marks.
    pub fn take_replies(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.replies)
    }

    /// Carries out a frame, and holds the tables against what must always be true of them.
    ///
    /// # Panics
    /// The server breaks a promise.
    pub fn play(&mut self, frame: &Frame<'_>) {
        let at = frame.connection();
        match frame.deed() {
            Deed::Record => {
                let record = if frame.has(Frame::VERBATIM) {
                    frame.payload.to_vec()
                } else {
                    rewrite::call(frame.payload, &self.known)
                };
                self.send(at, &record, frame);
            }
            Deed::Stream => {
                let piece = if frame.has(Frame::PIECES) {
                    frame.arg
                } else {
                    0
                };
                self.lines[at].send(frame.payload, usize::from(piece));
            }
            Deed::Reply => self.reply(frame),
            Deed::Time => self.pass(frame.arg),
            Deed::Reconnect => self.reconnect(at, &Closing::EndOfStream),
            Deed::Files if frame.arg == 0 => self.files.turn(),
            Deed::Files => self
                .files
                .answer(usize::from(frame.arg >> 4), frame.arg & 15),
            Deed::Administer => self.administer(at, frame),
        }
        self.settle();
        self.check();
    }

    fn send(&mut self, at: usize, record: &[u8], frame: &Frame<'_>) {
        let size = usize::from(frame.arg).max(1);
        let mut stream = Vec::new();
        if frame.has(Frame::FRAGMENTS) {
            let mut left = record;
            while left.len() > size {
                let (fragment, rest) = left.split_at(size);
                let mark = Mark {
                    last: false,
                    len: fragment.len() as u32,
                };
                stream.extend(mark.to_bytes());
                stream.extend(fragment);
                left = rest;
            }
            stream.extend(write_mark(left.len()));
            stream.extend(left);
        } else {
            stream.extend(write_mark(record.len()));
            stream.extend(record);
        }
        let piece = if frame.has(Frame::PIECES) { size } else { 0 };
        self.lines[at].send(&stream, piece);
    }

    /// A client answers a callback; what fits none is sent nevertheless.
    fn reply(&mut self, frame: &Frame<'_>) {
        let at = usize::from(frame.arg).checked_rem(self.callbacks.len());
        let waiting = at.and_then(|at| self.callbacks.remove(at));
        self.answered += usize::from(waiting.is_some());
        let verbatim = frame.has(Frame::VERBATIM);
        let (conn, record) = match waiting {
            Some((conn, callback)) if !verbatim => (conn, rewrite::reply(frame.payload, &callback)),
            Some((conn, _)) => (conn, frame.payload.to_vec()),
            None => (self.lines[frame.connection()].id(), frame.payload.to_vec()),
        };
        let stream = [&write_mark(record.len())[..], &record].concat();
        let mut lines = self.lines.iter_mut().chain(&mut self.dialled);
        if let Some(line) = lines.find(|line| line.id() == conn) {
            line.send(&stream, 0);
        }
    }

    /// Tenths of a second, or beyond 200 whole leases.
    fn pass(&mut self, arg: u8) {
        let millis = match arg {
            0..200 => u64::from(arg) * 100,
            _ => u64::from(arg - 199) * 5_000,
        };
        self.clock.advance(Duration::from_millis(millis));
        for _ in 0..4 {
            self.timer.run(Waker::noop()).expect("the engine lives");
        }
    }

    fn administer(&mut self, at: usize, frame: &Frame<'_>) {
        let conn = self.lines[at].id();
        let admin = match frame.arg & 7 {
            0 => Admin::Drain { conn },
            1 => Admin::StopDraining { conn },
            2 => return self.lines[at].turn(),
            3 => {
                let touch = if frame.arg & 8 == 0 {
                    Touch::Read
                } else {
                    Touch::Change
                };
                let fh = self.known.some_handle(frame.arg >> 4);
                if let Some(fh) = fh.and_then(|fh| FsHandle::new(fh.get(3..)?).ok()) {
                    let _ = self.node.may_touch(0, fh, touch).expect("the engine lives");
                }
                return;
            }
            4 => Admin::Configure(Box::new(Change::default().with(|change| {
                change.fore_slots = Some(u32::from(frame.arg >> 3) + 1);
                change.max_connections_per_session = Some(u32::from(frame.arg >> 5) + 1);
            }))),
            5 => {
                let page = self.node.clients(Cursor::default(), 1);
                let page = page.expect("the engine lives");
                let Some(client) = page.items.first() else {
                    return;
                };
                Admin::EvictClient {
                    client: client.client_id,
                }
            }
            6 => return self.lines[at].stop(),
            _ => {
                self.node.make_way().expect("the engine lives");
                return;
            }
        };
        // What is gone meanwhile is refused.
        let _ = self.node.admin(admin);
    }

    fn open(&self, at: usize) -> Line {
        let peer = format!("192.0.2.{}:700", at % 3);
        Line::new(self.node.open(peer).expect("there is room for a few"))
    }

    fn reconnect(&mut self, at: usize, why: &Closing) {
        let line = self.open(at);
        let old = std::mem::replace(&mut self.lines[at], line);
        self.callbacks.retain(|(conn, _)| *conn != old.id());
        old.close(why);
    }

    /// All connections handle what they have, until none has anything.
    fn settle(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let mut written = Vec::new();
            for at in 0..self.lines.len() {
                let (records, end) = self.lines[at].drive();
                written.extend(
                    records
                        .into_iter()
                        .map(|record| (self.lines[at].id(), record)),
                );
                if let Err(why) = end {
                    self.reconnect(at, &why);
                }
            }
            let mut open = Vec::new();
            for mut line in std::mem::take(&mut self.dialled) {
                let (records, end) = line.drive();
                written.extend(records.into_iter().map(|record| (line.id(), record)));
                match end {
                    Ok(()) => open.push(line),
                    Err(why) => line.close(&why),
                }
            }
            self.dialled = open;
            while let Some(dial) = self.dialer.next(Waker::noop()) {
                if self.dialled.len() < Frame::CONNECTIONS
                    && let Ok(connection) = dial.connected()
                {
                    self.dialled.push(Line::new(connection));
                }
            }
            if written.is_empty() {
                break;
            }
            for (conn, record) in written {
                self.written(conn, record);
            }
        }
    }

    fn written(&mut self, conn: ConnId, record: Vec<u8>) {
        let (_, kind) = peek_message_type(&record).expect("the server sends RPC messages");
        match kind {
            MessageType::Reply => {
                check_reply(&record);
                self.known.learn(&record);
                self.replies.push(record);
            }
            MessageType::Call => {
                let (header, _) = CallHeader::decode(&record).expect("a call");
                if header.proc == CB_NULL {
                    return self.answer_null(conn, header.xid);
                }
                check_callback(&record);
                self.callbacks.push_back((conn, record));
            }
        }
    }

    /// A callback path is found to work.
    fn answer_null(&mut self, conn: ConnId, xid: u32) {
        let mut w = Writer::new();
        write_success(&mut w, xid);
        let stream = [&write_mark(w.len())[..], w.as_slice()].concat();
        if let Some(line) = self.dialled.iter_mut().find(|line| line.id() == conn) {
            line.send(&stream, 0);
        }
    }

    /// Holds the tables against what must always be true of them.
    fn check(&self) {
        let lines = self.lines.iter().chain(&self.dialled);
        let open: Vec<ConnId> = lines.map(Line::id).collect();
        let holds = self.node.look(|engine| engine.check_invariants(&open));
        assert_eq!(holds, Ok(Ok(())));
    }

    /// All connections close, file systems answer, all leases run out: nothing may be left.
    ///
    /// # Panics
    /// Something is left.
    pub fn end(mut self) {
        for line in self.lines.drain(..).chain(self.dialled.drain(..)) {
            line.close(&Closing::EndOfStream);
        }
        self.files.catch_up();
        for _ in 0..MAX_WAKES {
            while let Some(dial) = self.dialer.next(Waker::noop()) {
                drop(dial);
            }
            match self.timer.run(Waker::noop()).expect("the engine lives") {
                None => break,
                Some(sleep) => self.clock.advance(sleep),
            }
        }
        self.check();
        assert_eq!(
            self.tables(),
            TableLengths::default(),
            "state of clients that are gone"
        );
        assert_eq!(self.files.waiting(), 0, "requests that have no answer");
        assert_eq!(self.files.held(), 0, "files that are held for no client");
        let locked = self.files.locked();
        assert_eq!(locked, [0; 2], "bytes that are locked for no client");
        assert_eq!(
            self.node.held_bytes(),
            (0, 0),
            "bytes of connections that are gone"
        );
    }
}

impl Default for Server {
    fn default() -> Server {
        Server::new()
    }
}

/// A reply of the server is whole, and only its last result is an error.
fn check_reply(record: &[u8]) {
    let header = ReplyHeader::decode(record).expect("a reply");
    let Ok(accepted) = header.outcome else { return };
    if accepted.results == record.len() {
        return;
    }
    let mut reader = ReplyReader::parse(record).expect("results of a COMPOUND");
    let mut last = None;
    while let Some(result) = reader.next_result().expect("a result") {
        assert!(last.is_none_or(|last: nfs4_proto::nfs4::Status| last.is_ok()));
        last = Some(result.status());
    }
    let status = last.unwrap_or(reader.status());
    assert_eq!(
        reader.status(),
        status,
        "of the COMPOUND and of its last operation"
    );
    let end = reader.finish();
    assert!(end.is_ok() || !status.is_ok(), "{end:?}");
}

fn check_callback(record: &[u8]) {
    let mut call = CbCallReader::parse(record).expect("a callback");
    while call.next_op().expect("an operation").is_some() {}
    assert_eq!(call.finish(), Ok(()));
}

fn boot() -> Boot {
    Boot::new(7, [9; 16], b"fuzz")
}

fn config() -> Config {
    Config::default().with(|config| {
        config.grace = Duration::ZERO;
        config.lease = Duration::from_secs(10);
        config.max_opens_per_client = 64;
        config.max_states = 256;
        config.max_clients = 16;
        config.max_reply_cache = 1 << 20;
    })
}

/// Times that all connections are driven after one frame.
const MAX_ROUNDS: usize = 64;
/// Times that the timers run at the end.
const MAX_WAKES: usize = 4_000;
