//! Through [`Engine::handle`], on the simulated network: each input is seen through before the next.

use std::time::Duration;

use nfs4_engine::{Admin, BindingPolicy, Config, ConnId, Engine, Event};
use nfs4_tests::sim::{Fs, Pace, Sim};

use super::counted::Counted;
use super::play::{PEERS, Play, Server, Step};

impl Server for Sim {
    fn start(config: Config) -> Sim {
        let mut sim = Sim::with(config);
        sim.set_pace(Pace::Held);
        sim
    }

    fn connect(&mut self) -> ConnId {
        Sim::connect(self)
    }

    fn admin(&mut self, admin: Admin) {
        Sim::admin(self, admin);
        self.settle();
    }

    fn jump(&mut self, span: Duration) {
        Sim::jump(self, span);
    }

    fn run_timers(&mut self) {
        Sim::run_timers(self);
    }

    fn fs(&self) -> &Fs {
        Sim::fs(self)
    }

    fn look<R>(&self, read: impl FnOnce(&Engine) -> R) -> R {
        read(self.engine())
    }

    fn counted(&mut self) -> Counted {
        Counted::of(self.metrics())
    }

    fn take_told(&mut self) -> Option<Vec<Event>> {
        Some(self.take_events())
    }
}

impl Play<Sim> {
    /// Two clients with a session each.
    pub(super) fn new(policy: BindingPolicy, limit: u8) -> Play<Sim> {
        let mut play: Play<Sim> = Play::start(policy, limit);
        for step in (0..PEERS).flat_map(Play::<Sim>::first_calls) {
            play.step(step);
        }
        play
    }

    pub(super) fn step(&mut self, step: Step) {
        if self.model.conns.is_empty() {
            self.connect();
        }
        if let Some(call) = self.call(step) {
            self.server.send(call.conn, call.record.clone());
            self.server.settle();
            let reply = self.server.take_reply(call.xid);
            self.handled(&call, reply);
        } else {
            match step {
                Step::Drop { conn } => self.lose(self.conn(conn)),
                Step::Answer { which } if !self.held.is_empty() => {
                    self.answer(usize::from(which) % self.held.len());
                }
                other => self.happen(other),
            }
        }
        self.settle();
    }

    /// Everything is answered, executed at most once, and nothing is left.
    pub(super) fn finish(&mut self) {
        while !self.held.is_empty() {
            self.answer(0);
            self.settle();
        }
        self.assert_executed_once();
        self.server.assert_nothing_is_left();
    }

    /// The server is as the model has it, and has closed what it should.
    fn settle(&mut self) {
        let closing = self.model.conns.iter().filter(|conn| conn.closing);
        let closing: Vec<ConnId> = closing.map(|conn| conn.id).collect();
        for conn in closing {
            let is_alive = self.server.network().is_alive(conn);
            assert!(!is_alive, "{conn} is not closed");
            self.closed(conn);
        }
        let unasked = self.server.take_replies();
        assert_eq!(unasked, [], "replies that nobody asked for");
        self.compare();
    }

    /// Losing a connection changes bindings only.
    fn lose(&mut self, conn: ConnId) {
        let mut before = self.server.tables();
        self.server.kill(conn);
        self.server.settle();
        before.connections -= 1;
        assert_eq!(self.server.tables(), before, "a lost connection took more");
        self.closed(conn);
    }

    /// The file system answers.
    fn answer(&mut self, which: usize) {
        let number = self.held[which];
        self.server.answer(which);
        self.server.settle();
        let reply = self.server.take_reply(self.sent[number].xid);
        self.answered(number, reply.as_ref());
    }
}
