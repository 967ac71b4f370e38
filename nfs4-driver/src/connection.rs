//! The part of a connection that is not its socket.

use std::cell::Cell;
use std::fmt;
use std::io::IoSlice;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::driver::CompletionSink;
use nfs4_engine::proto::rpc::{MessageType, RecordLimits};
use nfs4_engine::{Admin, ConnId, Input};

use crate::admission::Admission;
use crate::backlog::Backlog;
use crate::batch::Batch;
use crate::budget::{Account, RoomWait};
use crate::credentials::Credentials;
use crate::error::{Closing, EngineDead, Evicted};
use crate::intake::{Intake, ReadSpace};
use crate::log;
use crate::mailbox::Mailbox;
use crate::roster::{Activity, Initiator};
use crate::rpc::{self, Message};
use crate::shared::Shared;
use crate::slice::TimeSlice;
use crate::watch::Watch;

/// A connection of a [`Node`](crate::Node), without its socket: bytes in, bytes out.
///
/// Whenever its socket is readable or writable, or its waker was woken, its owner calls
/// [`Connection::drive`], which does as follows, until there is no progress:
///
/// 1. [`Connection::step`], which handles what was read and what other threads left;
/// 2. writes [`Connection::output`] in one vectored write and reports it to [`Connection::sent`];
/// 3. reads to [`Connection::space`], if there is some, and reports it to [`Connection::received`],
///    or the end to [`Connection::end_of_stream`];
/// 4. before it waits, [`Connection::rest`].
///
/// An owner that blocks in a read lets others use the connection meanwhile: it reads to what
/// [`Connection::lend`] gave it, and reports it to [`Connection::take_back`].
///
/// [`Connection::tick`] handles timeouts. An error of either is the end:
/// [`Connection::close`]. A dropped connection is closed as well.
pub struct Connection {
    node: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    sink: Arc<dyn CompletionSink>,
    peer: String,
    initiator: Initiator,
    intake: Intake,
    credentials: Credentials,
    admission: Admission,
    account: Arc<Account>,
    /// What was last recorded in the account, so that only changes are.
    told: (u64, u64),
    backlog: Backlog,
    watch: Watch,
    batch: Batch,
    /// Why nothing more is read; the connection ends when all replies are sent.
    ending: Option<Closing>,
    /// The peer sends nothing more; the connection ends when its calls are answered.
    half_closed: bool,
    /// The connection starts no new call.
    stopping: bool,
    closed: bool,
    /// The stream's own buffer is empty.
    pub(crate) flushed: bool,
    /// The last read filled its space.
    pub(crate) filled_space: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("conn", &self.id())
            .field("peer", &self.peer)
            .field("stopping", &self.stopping)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(
        node: Arc<Shared>,
        mailbox: Arc<Mailbox>,
        peer: String,
        initiator: Initiator,
    ) -> Connection {
        let limits = &node.limits;
        let records = RecordLimits {
            max_record: limits.max_record as usize,
            max_fragments: limits.max_fragments,
        };
        let account = node.budget.open(&peer, &mailbox);
        let mut admission = Admission::new(limits);
        if initiator == Initiator::Server {
            account.known();
            admission.known();
        }
        Connection {
            intake: Intake::new(Arc::clone(&node.pool), records),
            credentials: Credentials::new(),
            admission,
            account,
            told: (0, 0),
            backlog: Backlog::new(limits),
            watch: Watch::new(node.clock.now().mono),
            batch: Batch::default(),
            ending: None,
            half_closed: false,
            stopping: false,
            closed: false,
            flushed: true,
            filled_space: false,
            sink: Arc::clone(&mailbox) as Arc<dyn CompletionSink>,
            node,
            mailbox,
            peer,
            initiator,
        }
    }

    /// The id of the connection.
    pub fn id(&self) -> ConnId {
        self.mailbox.id
    }

    /// The peer's address, as given to [`Node::open`](crate::Node::open).
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Handles all that has arrived, with one hold of the engine's lock for all calls and one for
    /// each round of file-system answers. `waker` is called when another thread leaves something
    /// for the connection. Returns `true` if there is more to handle at once.
    ///
    /// # Errors
    /// The connection is to be closed now.
    pub fn step(&mut self, waker: &Waker) -> Result<bool, Closing> {
        self.batch.slice = TimeSlice::default();
        self.batch.collect(&self.mailbox);
        self.cut();
        loop {
            while self.exchange()? && !self.is_slice_over() {}
            let mail = &mut self.batch.mail;
            self.admission.answered(mem::take(&mut mail.answered));
            self.backlog.called(mem::take(&mut mail.called));
            match self.batch.mail.evicted {
                Some(Evicted::Memory) => return Err(Closing::Slow),
                Some(Evicted::Place) => return Err(Closing::GaveWay),
                None => {}
            }
            if mem::take(&mut self.batch.mail.known) {
                self.account.known();
                self.admission.known();
            }
            if mem::take(&mut self.batch.mail.close) {
                self.end(if self.stopping {
                    Closing::Stopped
                } else {
                    Closing::Engine
                });
            }
            if self.batch.is_busy() {
                self.tell_account();
                return Ok(true);
            }
            let rest = Activity {
                moves: self.watch.moves(),
                busy: self.admission.in_flight() > 0 && !self.half_closed,
            };
            if self.mailbox.wait(waker, rest) {
                break;
            }
            self.batch.collect(&self.mailbox);
        }
        let at_once = self.initiator == Initiator::Server && (self.stopping || self.half_closed);
        let ends = at_once || self.batch.mail.output.is_empty();
        if let Some(ending) = self.ending.take_if(|_| ends) {
            return Err(ending);
        }
        if self.half_closed && self.owes_nothing() {
            return Err(Closing::EndOfStream);
        }
        self.tell_account();
        if let Some(need) = self.lacks() {
            return Ok(self.wait_for_room(need, waker));
        }
        self.account.forgo();
        let waits = !self.backlog.is_empty() && self.may_start();
        Ok(waits || (self.may_cut() && !self.intake.is_hungry()))
    }

    /// What [`Connection::step`] does up to where it would take the engine's lock again, for tests
    /// in which others take it first. Returns `true` if it would.
    ///
    /// # Errors
    /// The connection is to be closed now.
    #[cfg(feature = "__test")]
    #[doc(hidden)]
    pub fn half_step(&mut self) -> Result<bool, Closing> {
        self.batch.slice = TimeSlice::default();
        if self.batch.inputs.is_empty() {
            self.batch.collect(&self.mailbox);
            self.cut();
        }
        Ok(self.exchange()?)
    }

    /// Fills `slices` with bytes to be written; returns how many slices are used.
    pub fn output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.batch.mail.output.slices(slices)
    }

    /// Whether there is nothing to write.
    pub fn is_output_empty(&self) -> bool {
        self.batch.mail.output.is_empty()
    }

    pub(crate) fn output_len(&self) -> u64 {
        self.batch.mail.output.len()
    }

    /// Records that the first `count` bytes of the output were written.
    pub fn sent(&mut self, count: usize) {
        self.batch.mail.output.sent(count);
        self.account.moved(count);
        self.watch.sent();
    }

    /// The space to read into, never empty; none while nothing is to be read.
    pub fn space(&mut self) -> Option<&mut [u8]> {
        if self.may_read() && !self.intake.is_lent() {
            Some(self.intake.space())
        } else {
            None
        }
    }

    /// `count` bytes, not zero, were read to the [`Connection::space`].
    pub fn received(&mut self, count: usize) {
        self.intake.received(count);
        self.account.moved(count);
        self.watch.received();
    }

    /// Gives away where to read to, so that the connection can be used during the read; none while
    /// nothing is to be read or it is given away already.
    pub fn lend(&mut self) -> Option<ReadSpace> {
        (self.may_read() && !self.intake.is_lent()).then(|| self.intake.lend())
    }

    /// Takes back the lent space, into which `count` bytes were read.
    pub fn take_back(&mut self, space: ReadSpace, count: usize) {
        self.intake.take_back(space, count);
        if count > 0 {
            self.account.moved(count);
            self.watch.received();
        }
    }

    /// Records the end of what the peer sends. The calls that came before are answered, and then the
    /// connection ends; at the latest when no byte of a reply was taken within
    /// [`Limits::stall_timeout`](crate::Limits::stall_timeout).
    pub fn end_of_stream(&mut self) {
        self.half_closed = true;
        let (conn, owes_nothing) = (self.id(), self.owes_nothing());
        let inputs = &mut self.batch.inputs;
        match self.initiator {
            // It was there for callbacks only, and none is answered any more.
            Initiator::Server => self.end(Closing::EndOfStream),
            Initiator::Peer if owes_nothing => {}
            Initiator::Peer => inputs.push_back(Input::ConnHalfClosed { conn }),
        }
    }

    /// Frees memory that is not needed until more bytes arrive.
    pub fn rest(&mut self) {
        self.intake.rest();
        self.batch.rest();
    }

    /// Starts no new call and ends when the calls in flight are answered and sent; calls that
    /// arrive meanwhile get DELAY. A connection that the server made ends at once: no calls arrive
    /// on it.
    ///
    /// The owner limits the time that this takes; so does the engine, by
    /// [`Config::drain_deadline`](nfs4_engine::Config::drain_deadline).
    pub fn stop(&mut self) {
        if mem::replace(&mut self.stopping, true) {
            return;
        }
        let (conn, inputs) = (self.id(), &mut self.batch.inputs);
        match self.initiator {
            Initiator::Peer => inputs.push_back(Input::Admin(Admin::Drain { conn })),
            Initiator::Server => self.end(Closing::Stopped),
        }
    }

    /// Checks timeouts; returns how long to sleep before the next check.
    ///
    /// # Errors
    /// A timeout is over, and the connection is to be closed.
    pub fn tick(&mut self) -> Result<Duration, Closing> {
        let unsent = !self.batch.mail.output.is_empty();
        // An owner that blocks in a write reads nothing meanwhile: the peer is late with its replies, not
        // with its record.
        let mid_record = !unsent && self.may_read() && self.intake.is_mid_record();
        let answering = self.admission.in_flight() > 0 || !self.intake.is_hungry();
        // The engine decides how long a connection for callbacks is kept.
        let busy = answering || self.initiator == Initiator::Server;
        // A peer that is gone altogether ends its stream, too.
        let owed = unsent || self.half_closed;
        let (now, limits) = (self.node.clock.now().mono, &self.node.limits);
        self.watch.tick(now, limits, mid_record, owed, busy)
    }

    /// Closes the connection and logs why. Calls in flight are executed and not answered.
    pub fn close(mut self, why: &Closing) {
        self.shut(why);
    }

    fn shut(&mut self, why: &Closing) {
        if !mem::replace(&mut self.closed, true) {
            log::closed(self.id(), &self.peer, why);
            self.node.budget.close(self.id());
            self.node.close(&self.mailbox, &mut self.batch);
        }
    }

    /// Hands the inputs to the engine under one hold of its lock, and submits the requests to file
    /// systems. Returns `true` if some are answered already.
    fn exchange(&mut self) -> Result<bool, EngineDead> {
        if !self.batch.inputs.is_empty() {
            let _line = self.account.stand_in_line();
            self.node.exchange(&mut self.batch, Some(&self.mailbox))?;
        }
        self.batch.run_slice(&self.sink, &*self.node.clock);
        Ok(self.batch.is_busy())
    }

    /// Whether its time slice is over.
    pub(crate) fn is_slice_over(&self) -> bool {
        self.batch.slice.is_over()
    }

    /// Stops reading; the first reason is kept.
    fn end(&mut self, why: Closing) {
        self.ending.get_or_insert(why);
    }

    /// Whether the connection's own limits allow one more call.
    fn may_start(&self) -> bool {
        self.ending.is_none() && self.admission.is_open(self.batch.mail.output.len())
    }

    /// Whether a further record may be cut from what was read. While calls wait, it stands behind
    /// them.
    fn may_cut(&self) -> bool {
        let next_may_start = self.backlog.is_empty() && self.may_start();
        next_may_start || (self.ending.is_none() && self.backlog.looks_for_replies())
    }

    /// Whether no call waits for its execution or its reply, and no reply to be sent.
    fn owes_nothing(&self) -> bool {
        let answered = self.admission.in_flight() == 0 && self.backlog.is_empty();
        answered && self.intake.is_hungry() && self.batch.mail.output.is_empty()
    }

    fn may_read(&self) -> bool {
        !self.half_closed
            && self.may_cut()
            && self.intake.is_hungry()
            && self.intake.wanted().is_none()
    }

    /// The bytes of the node's budget that the connection needs to continue.
    fn lacks(&self) -> Option<u64> {
        if self.ending.is_some() {
            return None;
        }
        if !self.backlog.is_empty() && self.may_start() {
            let need = self.admission.need();
            return (need > 0 && !self.account.has_room(need)).then_some(need);
        }
        let reads = !self.half_closed && self.may_cut() && self.intake.is_hungry();
        let wanted = self.intake.wanted().filter(|_| reads);
        wanted.map(|wanted| wanted as u64)
    }

    /// Waits for room in the node's budget; `true` if there is some.
    fn wait_for_room(&self, need: u64, waker: &Waker) -> bool {
        let waits = self.account.wait_for_room(need, waker);
        if waits == RoomWait::First {
            // The timer looks for connections to close.
            self.node.timers.wake();
        }
        waits == RoomWait::Room
    }

    /// Records what the connection holds, if that has changed.
    fn tell_account(&mut self) {
        let waiting = self.batch.mail.output.len() + self.intake.held();
        let held = self.admission.settle() + waiting + self.backlog.bytes();
        if (held, waiting) != self.told {
            self.told = (held, waiting);
            self.account.hold(held, waiting);
        }
    }

    /// Whether one more call may start now: the node's budget has room for its reply.
    fn grant(&mut self) -> bool {
        let (account, held) = (&self.account, Cell::new(self.told.0));
        let granted = self.admission.grant(|more| {
            let taken = account.take(more);
            held.set(held.get() + if taken { more } else { 0 });
            taken
        });
        self.told.0 = held.get();
        granted
    }

    /// Reserves the memory that a large record needs, if the node's budget has room.
    fn grow(&mut self) {
        while let Some(size) = self.intake.wanted()
            && self.account.take(size as u64)
        {
            self.told.0 += size as u64;
            self.intake.grow();
        }
    }

    /// Cuts what was read into records, as far as admission allows: calls become inputs, and RPC
    /// errors are answered.
    fn cut(&mut self) {
        while !self.backlog.is_empty()
            && self.may_start()
            && self.grant()
            && let Some(record) = self.backlog.pop()
        {
            self.call(record);
        }
        while self.may_cut() {
            match self.intake.next_record() {
                Ok(Some(record)) => self.record(record),
                Ok(None) => break,
                Err(fault) => self.end(Closing::Record(fault)),
            }
        }
        if self.may_cut() && !self.half_closed {
            self.grow();
        }
    }

    fn record(&mut self, record: Bytes) {
        match rpc::message_type(&record) {
            Ok(MessageType::Reply) => self.reply(record),
            Ok(MessageType::Call)
                if self.backlog.is_empty() && self.may_start() && self.grant() =>
            {
                self.call(record);
            }
            Ok(MessageType::Call) => self.backlog.push(record),
            Err(rpc::NotRpc) => self.end(Closing::NotRpc),
        }
    }

    fn reply(&mut self, record: Bytes) {
        self.backlog.replied();
        match rpc::read_reply(self.mailbox.id, record) {
            Ok(reply) => self.batch.inputs.push_back(Input::CallbackReply(reply)),
            Err(rpc::NotRpc) => self.end(Closing::NotRpc),
        }
    }

    fn call(&mut self, record: Bytes) {
        let conn = self.mailbox.id;
        let output = &mut self.batch.mail.output;
        let message = match self.initiator {
            Initiator::Peer => rpc::read_call(conn, record, &mut self.credentials, output),
            Initiator::Server => rpc::refuse_call(conn, &record, output),
        };
        match message {
            Ok(Message::Call(call)) => {
                self.admission.start();
                self.batch.inputs.push_back(Input::Call(call));
            }
            Ok(Message::Answered) => {}
            Ok(Message::Refused(xid, fault)) => log::call_refused(conn, xid, &self.peer, fault),
            Err(rpc::NotRpc) => self.end(Closing::NotRpc),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A second panic would end the process; the lock is poisoned nevertheless.
        let _ = catch_unwind(AssertUnwindSafe(|| self.shut(&Closing::Abandoned)));
    }
}
