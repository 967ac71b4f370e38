//! The part of a connection that is not its socket.

use std::cell::Cell;
use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::CompletionSink;
use nfs4_engine::proto::rpc::{MessageType, RecordLimits};
use nfs4_engine::{Admin, ConnId, Input};

use crate::admission::Admission;
use crate::backlog::Backlog;
use crate::batch::Batch;
use crate::budget::{Account, Starve};
use crate::credentials::Credentials;
use crate::error::{Closing, EngineDead, Evicted};
use crate::intake::{Intake, Space};
use crate::log;
use crate::mailbox::Mailbox;
use crate::roster::{Rest, Side};
use crate::rpc::{self, Message};
use crate::shared::Shared;
use crate::slice::Slice;
use crate::watch::Watch;

/// A connection of a [`Node`](crate::Node), without its socket: bytes in, bytes out.
///
/// Whenever its socket is readable or writable, or its waker was woken, its owner calls
/// [`Connection::drive`], which does as follows, until there is no progress:
///
/// 1. [`Connection::step`], which handles what was read and what other threads left;
/// 2. writes [`Connection::output`] in one vectored write and reports it to [`Connection::sent`];
/// 3. reads to [`Connection::space`], if there is some, and reports it to [`Connection::received`];
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
    side: Side,
    intake: Intake,
    credentials: Credentials,
    admission: Admission,
    account: Arc<Account>,
    /// What the account knows, so that only changes are reported to it.
    told: (u64, u64),
    backlog: Backlog,
    watch: Watch,
    batch: Batch,
    /// Nothing more is read, and why; the connection ends when the rest is sent.
    ending: Option<Closing>,
    /// No new work is taken.
    stopping: bool,
    closed: bool,
    /// Nothing is left in a buffer of the stream's own.
    pub(crate) flushed: bool,
}

impl Connection {
    pub(crate) fn new(
        node: Arc<Shared>,
        mailbox: Arc<Mailbox>,
        peer: String,
        side: Side,
    ) -> Connection {
        let limits = &node.limits;
        let records = RecordLimits {
            max_record: limits.max_record as usize,
            max_fragments: limits.max_fragments,
        };
        let account = node.budget.open(&peer, &mailbox);
        let mut admission = Admission::new(limits);
        if side == Side::Dialled {
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
            stopping: false,
            closed: false,
            flushed: true,
            sink: Arc::clone(&mailbox) as Arc<dyn CompletionSink>,
            node,
            mailbox,
            peer,
            side,
        }
    }

    /// Its number.
    pub fn id(&self) -> ConnId {
        self.mailbox.id
    }

    /// Where it comes from, as it was opened with.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Handles everything that is there, with one hold of the engine's lock for all calls and one
    /// for each round of file-system answers. `waker` is woken when another thread leaves
    /// something. Says `true` if there is more to handle at once.
    ///
    /// # Errors
    /// The connection is to be closed now.
    pub fn step(&mut self, waker: &Waker) -> Result<bool, Closing> {
        self.batch.slice = Slice::default();
        self.batch.collect(&self.mailbox);
        self.cut();
        loop {
            while self.exchange()? && !self.is_slice_over() {}
            self.admission
                .answered(std::mem::take(&mut self.batch.mail.answered));
            self.backlog
                .called(std::mem::take(&mut self.batch.mail.called));
            match self.batch.mail.evicted {
                Some(Evicted::Memory) => return Err(Closing::Slow),
                Some(Evicted::Place) => return Err(Closing::GaveWay),
                None => {}
            }
            if std::mem::take(&mut self.batch.mail.known) {
                self.account.known();
                self.admission.known();
            }
            if std::mem::take(&mut self.batch.mail.close) {
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
            let rest = Rest {
                moves: self.watch.moves(),
                busy: self.admission.in_flight() > 0,
            };
            if self.mailbox.wait(waker, rest) {
                break;
            }
            self.batch.collect(&self.mailbox);
        }
        let at_once = self.side == Side::Dialled && self.stopping;
        let sent = self.batch.mail.output.is_empty();
        if let Some(ending) = self.ending.take_if(|_| sent || at_once) {
            return Err(ending);
        }
        self.tell_account();
        if let Some(need) = self.lacks() {
            return Ok(self.starve(need, waker));
        }
        let waits = !self.backlog.is_empty() && self.may_start();
        Ok(waits || (self.may_cut() && !self.intake.is_hungry()))
    }

    /// What [`Connection::step`] does up to where it would take the engine's lock again, for tests
    /// in which others take it first. Says `true` if it would.
    ///
    /// # Errors
    /// The connection is to be closed now.
    #[doc(hidden)]
    pub fn half_step(&mut self) -> Result<bool, Closing> {
        self.batch.slice = Slice::default();
        if self.batch.inputs.is_empty() {
            self.batch.collect(&self.mailbox);
            self.cut();
        }
        Ok(self.exchange()?)
    }

    /// What is to be written, as far as `slices` goes; says how many of them are used.
    pub fn output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.batch.mail.output.slices(slices)
    }

    /// Whether nothing is to be written.
    pub fn is_output_empty(&self) -> bool {
        self.batch.mail.output.is_empty()
    }

    /// The first `count` bytes of the output were written.
    pub fn sent(&mut self, count: usize) {
        self.batch.mail.output.sent(count);
        self.account.moved(count);
        self.watch.sent();
    }

    /// Where to read to, never empty; none while nothing is to be read.
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
    pub fn lend(&mut self) -> Option<Space> {
        (self.may_read() && !self.intake.is_lent()).then(|| self.intake.lend())
    }

    /// Takes back what this connection lent, after `count` bytes, or none, were read to it.
    pub fn take_back(&mut self, space: Space, count: usize) {
        self.intake.take_back(space, count);
        if count > 0 {
            self.account.moved(count);
            self.watch.received();
        }
    }

    /// Nothing can be read now: memory that is not needed meanwhile is freed.
    pub fn rest(&mut self) {
        self.intake.rest();
        self.batch.rest();
    }

    /// Takes no new work and ends when the calls in flight are answered and sent; those that come
    /// meanwhile get DELAY. A connection that was dialled ends at once: by that no calls
    /// come.
    ///
    /// How long this may take is for its owner to say, or for the engine after
    /// [`Config::drain_deadline`](nfs4_engine::Config::drain_deadline).
    pub fn stop(&mut self) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        let conn = self.mailbox.id;
        match self.side {
            Side::Accepted => self
                .batch
                .inputs
                .push_back(Input::Admin(Admin::Drain { conn })),
            Side::Dialled => self.end(Closing::Stopped),
        }
    }

    /// Looks after timeouts; says how long to sleep before the next look.
    ///
    /// # Errors
    /// A timeout is over, and the connection is to be closed.
    pub fn tick(&mut self) -> Result<Duration, Closing> {
        let unsent = !self.batch.mail.output.is_empty();
        // An owner that blocks in a write reads nothing meanwhile: the peer is late with its replies, not
        // with its record.
        let mid_record = !unsent && self.may_read() && self.intake.is_mid_record();
        let answering = self.admission.in_flight() > 0 || !self.intake.is_hungry();
        // How long a connection for callbacks is of use is for the engine to say.
        let busy = answering || self.side == Side::Dialled;
        self.watch.tick(
            self.node.clock.now().mono,
            &self.node.limits,
            mid_record,
            unsent,
            busy,
        )
    }

    /// Ends it and says why in the log. Calls in flight are carried out and not answered.
    pub fn close(mut self, why: &Closing) {
        self.shut(why);
    }

    fn shut(&mut self, why: &Closing) {
        if !std::mem::replace(&mut self.closed, true) {
            log::closed(self.id(), &self.peer, why);
            self.node.budget.close(self.id());
            self.node.close(&self.mailbox, &mut self.batch);
        }
    }

    /// Hands the engine its inputs, under one hold of its lock, and lets file systems
    /// work. Says `true` if they have answered already.
    fn exchange(&mut self) -> Result<bool, EngineDead> {
        if !self.batch.inputs.is_empty() {
            let _line = self.account.stand_in_line();
            self.node.exchange(&mut self.batch, Some(&self.mailbox))?;
        }
        self.batch.run_slice(&self.sink, &*self.node.clock);
        Ok(self.batch.is_busy())
    }

    /// Whether it has worked for as long as it should before others do.
    pub(crate) fn is_slice_over(&self) -> bool {
        self.batch.slice.is_over()
    }

    /// Nothing more is read; the first reason stays.
    fn end(&mut self, why: Closing) {
        self.ending.get_or_insert(why);
    }

    /// Whether the connection's own marks allow one more call.
    fn may_start(&self) -> bool {
        self.ending.is_none() && self.admission.is_open(self.batch.mail.output.len())
    }

    /// Whether a record may be taken in. While calls wait, the next one is behind them.
    fn may_cut(&self) -> bool {
        let next_may_start = self.backlog.is_empty() && self.may_start();
        next_may_start || (self.ending.is_none() && self.backlog.looks_for_replies())
    }

    fn may_read(&self) -> bool {
        self.may_cut() && self.intake.is_hungry() && self.intake.wanted().is_none()
    }

    /// The bytes of the node's budget without which the connection cannot continue.
    fn lacks(&self) -> Option<u64> {
        if self.ending.is_some() {
            return None;
        }
        if !self.backlog.is_empty() && self.may_start() {
            let need = self.admission.need();
            return (need > 0 && !self.account.has_room(need)).then_some(need);
        }
        let reads = self.may_cut() && self.intake.is_hungry();
        let wanted = self.intake.wanted().filter(|_| reads);
        wanted.map(|wanted| wanted as u64)
    }

    /// Waits for room in the node's budget; `true` if there is some.
    fn starve(&self, need: u64, waker: &Waker) -> bool {
        match self.account.starve(need, waker) {
            Starve::Room => true,
            Starve::Waits => false,
            Starve::First => {
                // It looks for connections that can make room.
                self.node.timers.wake();
                false
            }
        }
    }

    /// Says what the connection holds, if that has changed.
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

    /// Takes the memory that a large record needs, if the node's budget has room for it.
    fn grow(&mut self) {
        while let Some(size) = self.intake.wanted()
            && self.account.take(size as u64)
        {
            self.told.0 += size as u64;
            self.intake.grow();
        }
    }

    /// Turns what was read into inputs and RPC's own answers, as far as admission goes.
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
        if self.may_cut() {
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
        let message = match self.side {
            Side::Accepted => rpc::read_call(conn, record, &mut self.credentials, output),
            Side::Dialled => rpc::refuse_call(conn, &record, output),
        };
        match message {
            Ok(Message::Call(call)) => {
                self.admission.start();
                self.batch.inputs.push_back(Input::Call(call));
            }
            Ok(Message::Answered) => {}
            Ok(Message::Refused(fault)) => log::call_refused(conn, &self.peer, fault),
            Err(rpc::NotRpc) => self.end(Closing::NotRpc),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A second panic would take the whole process along; the lock is poisoned by it all the
        // same.
        let _ = catch_unwind(AssertUnwindSafe(|| self.shut(&Closing::Abandoned)));
    }
}
