//! What a node's connections share: the engine behind its lock.

use std::sync::{Arc, Weak};
use std::time::Duration;

use nfs4_engine::fs::driver::CompletionSink;
use nfs4_engine::metrics::CompoundBuckets;
use nfs4_engine::stable::StableWrite;
use nfs4_engine::{Action, Admin, ConnId, Engine, Event, Input, Mono, Now, Outbox};

use crate::batch::{Batch, DialOrder};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::dial::Dials;
use crate::error::{AdminError, EngineDead, Evicted, Refused};
use crate::events::EventLog;
use crate::fair_lock::{FairGuard, FairLock};
use crate::limits::Limits;
use crate::log;
use crate::mailbox::{Mailbox, Orphans};
use crate::mailboxes::Mailboxes;
use crate::pool::BufferPool;
#[cfg(feature = "record")]
use crate::recording::{Recorded, Recording};
use crate::roster::{Initiator, Origin, Roster};
use crate::stable::{Asker, StableCompletion, Stores};
use crate::sync::{AtomicU64, Ordering};
use crate::timer_wakers::Timers;

/// The engine behind its lock, and what all connections of a node use.
pub(crate) struct Shared {
    locked: FairLock<Locked>,
    pub(crate) acquisitions: AtomicU64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) pool: Arc<BufferPool>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) timers: Arc<Timers>,
    pub(crate) dials: Dials,
    pub(crate) events: Arc<EventLog>,
    self_sink: Arc<dyn CompletionSink>,
    pub(crate) stores: Stores,
    /// The asker of writes that no connection waits for.
    this: Weak<Shared>,
    /// After the lock, so that it is dropped last: it waits until all is written.
    #[cfg(feature = "record")]
    recording: Option<Recording>,
}

/// The values under the lock.
pub(crate) struct Locked {
    pub(crate) engine: Engine,
    pub(crate) outbox: Outbox,
    pub(crate) mailboxes: Mailboxes,
    /// The counted connections: all but those that are being evicted.
    roster: Roster,
    next_id: ConnId,
    /// The deadline for which the timers sleep; [`Mono::NEVER`] without one.
    armed: Mono,
    /// How late timers have run.
    pub(crate) timer_lag: CompoundBuckets,
    events: Arc<EventLog>,
    #[cfg(feature = "record")]
    recorded: Option<Box<Recorded>>,
}

impl Shared {
    pub(crate) fn new(
        engine: Engine,
        limits: Limits,
        clock: Arc<dyn Clock>,
        #[cfg(feature = "record")] recording: Option<Recording>,
    ) -> Arc<Shared> {
        let armed = engine.next_timeout().map_or(Mono::NEVER, |(at, _)| at);
        let timers = Arc::<Timers>::default();
        let events = Arc::<EventLog>::default();
        Arc::new_cyclic(|this: &Weak<Shared>| Shared {
            locked: FairLock::new(Locked {
                #[cfg(feature = "record")]
                recorded: recording
                    .as_ref()
                    .map(|to| Box::new(to.begin(engine.start()))),
                engine,
                outbox: Outbox::new(),
                mailboxes: Mailboxes::default(),
                roster: Roster::default(),
                next_id: ConnId::FIRST,
                armed,
                timer_lag: CompoundBuckets::default(),
                events: Arc::clone(&events),
            }),
            acquisitions: AtomicU64::new(0),
            clock,
            pool: BufferPool::new(limits.max_pooled, Arc::clone(&timers)),
            budget: Budget::new(&limits),
            dials: Dials::new(limits.max_dials),
            events,
            limits,
            timers,
            self_sink: Arc::new(Orphans(this.clone())),
            stores: Stores::default(),
            this: this.clone(),
            #[cfg(feature = "record")]
            recording,
        })
    }

    /// Ends the recording, if there is one, and waits until it is written.
    #[cfg(feature = "record")]
    pub(crate) fn end_recording(&self) -> std::io::Result<()> {
        // The recording of a dead engine has ended.
        if let Ok(mut locked) = self.lock() {
            drop(locked.recorded.take());
        }
        self.recording.as_ref().map_or(Ok(()), Recording::finish)
    }

    /// Carries out a request of the administrator, under the hold of the lock that found it
    /// possible.
    pub(crate) fn admin(&self, admin: Admin) -> Result<(), AdminError> {
        let mut batch = Batch::default();
        let mut locked = self.lock()?;
        locked.engine.check_admin(&admin)?;
        let done = admin.clone();
        let now = self.clock.now();
        locked.handle(now, Input::Admin(admin));
        self.settle(locked, &mut batch, None);
        log::admin(&done);
        Ok(self.finish(&mut batch)?)
    }

    /// Hands the inputs of `batch` to the engine under one hold of the lock, unless they take
    /// longer than [`SLICE`]: then other threads get the lock in between, and when the time slice
    /// of the connection `own` is over, the rest stays in `batch`. Effects on that connection and
    /// all requests to file systems are in `batch` on return; effects on other connections are in
    /// their mailboxes.
    pub(crate) fn exchange(
        &self,
        batch: &mut Batch,
        own: Option<&Mailbox>,
    ) -> Result<(), EngineDead> {
        let mut locked = self.lock()?;
        if let Some(own) = own {
            own.collect(&mut batch.mail);
        }
        let mut now = self.clock.now();
        // A loop of its own: to inspect an input on its way costs two copies of it.
        for input in &batch.inputs {
            if let Input::ConnClosed { conn } = input {
                locked.mailboxes.remove(*conn);
                locked.roster.leave(*conn);
            }
        }
        let mut inputs = std::mem::take(&mut batch.inputs);
        let mut slice_end = now.mono.after(SLICE);
        batch.slice.begin(now.mono);
        while let Some(input) = inputs.pop_front() {
            locked.handle(now, input);
            if inputs.is_empty() || !inputs.len().is_multiple_of(LOOKED_AFTER) {
                continue;
            }
            now.mono = self.clock.mono();
            if now.mono >= slice_end {
                if own.is_some() && batch.slice.is_over_at(now.mono) {
                    break;
                }
                self.settle(locked, batch, own);
                locked = self.lock()?;
                now = self.clock.now();
                slice_end = now.mono.after(SLICE);
            }
        }
        self.settle(locked, batch, own);
        // Its memory is reused; inputs that arrived meanwhile follow.
        inputs.append(&mut batch.inputs);
        batch.inputs = inputs;
        Ok(())
    }

    /// Does due work, within a budget; returns when to come back. `lag` is how late it is called, if it
    /// was not called early.
    pub(crate) fn due(&self, batch: &mut Batch, lag: Option<Duration>) -> Result<Due, EngineDead> {
        let budget = self.limits.timer_budget as usize;
        let mut locked = self.lock()?;
        if let Some(lag) = lag {
            locked.timer_lag.observe(lag);
        }
        let now = self.clock.now();
        let left = locked.handle_timeout(now, budget);
        let next = locked.next_timeout();
        locked.armed = next;
        self.settle(locked, batch, None);
        let others = [
            self.budget.relieve(now.mono),
            self.dials.wake_paced(now.mono),
            self.clock.beat(),
        ];
        let others = others.into_iter().flatten().min();
        Ok(match next {
            _ if left => Due::Now,
            Mono::NEVER => others.map_or(Due::Never, Due::In),
            at => {
                let due = at.since(now.mono);
                Due::In(others.map_or(due, |others| due.min(others)))
            }
        })
    }

    /// Carries out a batch without a connection: its requests, and what they cause.
    pub(crate) fn finish(&self, batch: &mut Batch) -> Result<(), EngineDead> {
        loop {
            batch.run_work(&self.self_sink);
            if batch.inputs.is_empty() {
                return Ok(());
            }
            self.exchange(batch, None)?;
        }
    }

    /// Delivers an answer of a file system or of stable storage that no connection takes, and what happens to
    /// leases.
    pub(crate) fn deliver(&self, answer: Input) {
        let mut batch = Batch::default();
        batch.inputs.push_back(answer);
        // A dead engine needs no answer.
        let _ = self
            .exchange(&mut batch, None)
            .and_then(|()| self.finish(&mut batch));
    }

    /// Removes a connection, whose unhandled answers are in `batch`.
    pub(crate) fn close(&self, mailbox: &Mailbox, batch: &mut Batch) {
        mailbox.close().take_done(&mut batch.inputs);
        batch
            .inputs
            .push_back(Input::ConnClosed { conn: mailbox.id });
        // A dead engine has no use for it.
        let _ = self.exchange(batch, None).and_then(|()| self.finish(batch));
    }

    /// Registers a connection of `peer`, and hands the engine the input that `opened` makes.
    pub(crate) fn register(
        self: &Arc<Shared>,
        peer: &str,
        initiator: Initiator,
        opened: impl FnOnce(ConnId) -> Input,
    ) -> Result<Arc<Mailbox>, Refused> {
        let mut batch = Batch::default();
        let origin = Origin::of(peer);
        let mut locked = self.lock()?;
        locked.make_room(&origin, &self.limits, &mut batch)?;
        let id = locked.next_id;
        locked.next_id = id.next();
        let node: Weak<Shared> = Arc::downgrade(self);
        let mailbox = Mailbox::new(id, node);
        locked.mailboxes.insert(Arc::clone(&mailbox));
        // A connection that the server makes is for a known client.
        locked
            .roster
            .enter(id, origin, initiator == Initiator::Server);
        let now = self.clock.now();
        locked.handle(now, opened(id));
        self.settle(locked, &mut batch, None);
        self.finish(&mut batch)?;
        Ok(mailbox)
    }

    /// Evicts a connection, if one can be evicted.
    pub(crate) fn make_way(&self) -> Result<bool, EngineDead> {
        let mut batch = Batch::default();
        let done = self.lock()?.give_way(None, &self.limits, &mut batch);
        batch.after_lock();
        Ok(done)
    }

    /// Moves every action to its connection or queue before it releases the lock, and wakes their
    /// owners afterwards.
    fn settle(&self, mut locked: FairGuard<'_, Locked>, batch: &mut Batch, own: Option<&Mailbox>) {
        locked.route(batch, own.map(|own| own.id), self);
        #[cfg(feature = "record")]
        locked.recorded.take_if(|recorded| !recorded.hand_over());
        let next = locked.next_timeout();
        let earlier = next < locked.armed;
        if earlier {
            locked.armed = next;
        }
        drop(locked);
        if earlier {
            self.timers.wake();
        }
        batch.after_lock();
        self.dials.take_in(batch, &*self.clock);
        if std::mem::take(&mut batch.stores) {
            self.stores.submit();
        }
    }

    pub(crate) fn lock(&self) -> Result<FairGuard<'_, Locked>, EngineDead> {
        let measured = self
            .acquisitions
            .load(Ordering::Relaxed)
            .is_multiple_of(MEASURED);
        let Some(locked) = self.locked.hold(measured) else {
            self.events.close();
            return Err(EngineDead);
        };
        self.acquisitions.fetch_add(1, Ordering::Relaxed);
        Ok(locked)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.events.close();
    }
}

impl Locked {
    #[inline]
    fn handle(&mut self, now: Now, input: Input) {
        let Locked { engine, outbox, .. } = self;
        #[cfg(feature = "record")]
        if let Some(recorded) = &mut self.recorded {
            return recorded.handle(engine, now, input, outbox);
        }
        engine.handle(now, input, outbox);
    }

    fn handle_timeout(&mut self, now: Now, budget: usize) -> bool {
        let Locked { engine, outbox, .. } = self;
        #[cfg(feature = "record")]
        if let Some(recorded) = &mut self.recorded {
            return recorded.handle_timeout(engine, now, budget, outbox);
        }
        engine.handle_timeout(now, budget, outbox)
    }

    fn next_timeout(&self) -> Mono {
        let next = self.engine.next_timeout();
        next.map_or(Mono::NEVER, |(at, _)| at)
    }

    /// Makes sure that there is room for one more connection from `origin`.
    fn make_room(
        &mut self,
        origin: &Origin,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<(), Refused> {
        if self.roster.count(origin) >= limits.max_connections_per_peer as usize
            && !self.give_way(Some(origin), limits, batch)
        {
            return Err(Refused::TooManyOfPeer);
        }
        if self.roster.len() >= limits.max_connections as usize
            && !self.give_way(None, limits, batch)
        {
            return Err(Refused::TooManyConnections);
        }
        Ok(())
    }

    /// Evicts a connection, of this origin or of any; returns whether there was one.
    fn give_way(&mut self, origin: Option<&Origin>, limits: &Limits, batch: &mut Batch) -> bool {
        // A connection keeps its descriptor until it has ended.
        let most_leaving = (limits.max_connections as usize / LEAVING).max(LEAST_LEAVING);
        if self.mailboxes.len() - self.roster.len() >= most_leaving {
            return false;
        }
        let mailboxes = &self.mailboxes;
        let rest = |conn| {
            mailboxes
                .get(conn)
                .map_or_else(Default::default, |mailbox| mailbox.activity())
        };
        let Some(conn) = self.roster.give_way(origin, rest) else {
            return false;
        };
        if let Some(mailbox) = self.mailboxes.get(conn) {
            batch.wakers.extend(mailbox.put_eviction(Evicted::Place));
        }
        true
    }

    fn route(&mut self, batch: &mut Batch, own: Option<ConnId>, node: &Shared) {
        let traces = log::records();
        while let Some(action) = self.outbox.pop() {
            if traces {
                batch.traced.extend(log::traced(&self.outbox, &action));
            }
            match action {
                Action::Reply(reply) if Some(reply.conn) == own => {
                    batch.mail.output.push_reply(&self.outbox, &reply);
                    batch.mail.answered += 1;
                }
                // Without a mailbox the connection is gone, and the reply is dropped.
                Action::Reply(reply) => {
                    if let Some(mailbox) = self.mailboxes.get(reply.conn) {
                        batch.wakers.extend(mailbox.put_reply(&self.outbox, &reply));
                    }
                }
                Action::Callback(callback) => {
                    let call = self.outbox.call(&callback);
                    if Some(callback.conn) == own {
                        batch.mail.output.push(call);
                        batch.mail.called += 1;
                    } else if let Some(mailbox) = self.mailboxes.get(callback.conn) {
                        batch.wakers.extend(mailbox.put_call(call));
                    }
                }
                Action::Dial { dial, target, peer } => {
                    batch.dials.push(DialOrder { dial, target, peer });
                }
                Action::Known { conn } if Some(conn) == own => batch.mail.known = true,
                Action::Known { conn } => {
                    if let Some(mailbox) = self.mailboxes.get(conn) {
                        batch.wakers.extend(mailbox.put_known());
                    }
                }
                Action::Close { conn } if Some(conn) == own => batch.mail.close = true,
                Action::Close { conn } => {
                    if let Some(mailbox) = self.mailboxes.get(conn) {
                        batch.wakers.extend(mailbox.put_close());
                    }
                }
                action @ (Action::Fs { .. }
                | Action::Release { .. }
                | Action::Unlease { .. }
                | Action::Unlock { .. }
                | Action::Forget { .. }) => batch.work.push_back(action),
                Action::Stable { ticket, write } => {
                    // Only the client itself waits for the rest; for these, others may.
                    let is_own =
                        matches!(&write, StableWrite::Client(record) if record.lost.is_empty());
                    let own = own.filter(|_| is_own);
                    let connection = own.and_then(|own| self.mailboxes.get(own));
                    let asker = match connection {
                        Some(mailbox) => Asker::Connection(Arc::clone(mailbox)),
                        None => Asker::Node(node.this.clone()),
                    };
                    node.stores.put(write, StableCompletion::new(ticket, asker));
                    batch.stores = true;
                }
                Action::Event(event) => {
                    if let Event::Bound { conn, .. } | Event::Unbound { conn, .. } = event {
                        self.roster.set_bound(conn, self.engine.is_bound(conn));
                    }
                    self.events
                        .add(self.outbox.now().wall, &event, &mut batch.wakers);
                    batch.events.push(event);
                }
                // Of a later engine, and nothing here has asked for it.
                _ => {}
            }
        }
        self.outbox.clear();
    }
}

/// The times of the engine's lock are measured at one of this many uses.
const MEASURED: u64 = 64;
/// Time for which one connection keeps the engine from others while it has more inputs.
const SLICE: Duration = Duration::from_micros(200);
/// Number of inputs after which the clock is read.
const LOOKED_AFTER: usize = 4;
/// The fraction of connections that may be closing, beside those that count.
const LEAVING: usize = 16;
/// Minimum of that number.
const LEAST_LEAVING: usize = 16;

/// When the timer runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    In(Duration),
    Never,
}
