//! Through a node: what arrives is played when its connection has its turn.

use nfs4_driver::Closing;
use nfs4_engine::{BindingPolicy, ConnId};

use super::node::{Host, Rest, Turn};
use super::play::{PEERS, Play, Seen, Server, Step};

/// One input.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    /// As everywhere; calls are sent, and wait for their connection's turn.
    Input(Step),
    /// A connection reads at most so many bytes and takes the engine's lock.
    Turn { conn: u8, bytes: u16 },
}

impl Play<Host> {
    /// Two clients with a session each.
    pub(super) fn new(policy: BindingPolicy, limit: u8) -> Play<Host> {
        let mut play: Play<Host> = Play::start(policy, limit);
        for peer in 0..PEERS {
            for step in Play::<Host>::first_calls(peer) {
                play.step(Move::Input(step));
                play.turn(play.model.conns[peer].id, usize::MAX);
            }
        }
        play
    }

    pub(super) fn step(&mut self, step: Move) {
        if self.model.conns.is_empty() {
            self.connect();
        }
        match step {
            Move::Turn { conn, bytes } => {
                let conn = self.conn(conn);
                if self.server.is_anyone_between(conn) {
                    self.seen.insert(Seen::Between);
                }
                self.turn(conn, bytes.into());
            }
            Move::Input(Step::Drop { conn }) => self.lose(self.conn(conn)),
            Move::Input(Step::Answer { which }) => self.answer(which.into()),
            Move::Input(step) => match self.call(step) {
                Some(call) => self.server.send(call),
                None => self.happen(step),
            },
        }
        self.compare();
    }

    /// Everything is answered, executed at most once, and nothing is left.
    pub(super) fn finish(&mut self) {
        loop {
            let conns = self.model.conns.iter().map(|conn| conn.id);
            let busy: Vec<ConnId> = conns.filter(|conn| self.server.is_busy(*conn)).collect();
            for conn in &busy {
                self.turn(*conn, usize::MAX);
            }
            if busy.is_empty() && self.held.is_empty() {
                break;
            }
            self.answer(0);
            self.compare();
        }
        self.assert_executed_once();
        self.server.assert_nothing_is_left();
    }

    /// A connection does what it can under one hold of the lock.
    fn turn(&mut self, conn: ConnId, bytes: usize) {
        let Turn {
            answers,
            calls,
            mut replies,
        } = self.server.turn(conn, bytes);
        let mut reply_to = |xid: u32| {
            let is_next = replies.front().is_some_and(|reply| reply.xid() == xid);
            is_next.then(|| replies.pop_front()).flatten()
        };
        if calls.len() > 1 {
            self.seen.insert(Seen::Batch);
        }
        if self.server.is_mid_call(conn) {
            self.seen.insert(Seen::Cut);
        }
        for number in answers {
            let reply = reply_to(self.sent[number].xid);
            self.answered(number, reply.as_ref());
        }
        for (at, call) in calls.iter().enumerate() {
            self.is_latest = at + 1 == calls.len();
            self.handled(call, reply_to(call.xid));
        }
        assert_eq!(
            replies,
            [],
            "replies that nobody asked for, or in another order"
        );
        self.compare();
        let is_unwanted = self.model.conn_mut(conn).closing;
        match self.server.rest(conn) {
            Rest::NotYet => {}
            Rest::Open => assert!(!is_unwanted, "{conn} is not closed"),
            Rest::Closed => {
                assert!(is_unwanted, "{conn} is closed");
                self.closed(conn);
                self.compare();
            }
        }
    }

    /// A connection is lost, with all that is on its way to the server.
    fn lose(&mut self, conn: ConnId) {
        let before = self.server.tables();
        let answers = self.server.close(conn, &Closing::EndOfStream);
        if answers.is_empty() {
            let mut after = before;
            after.connections -= 1;
            assert_eq!(self.server.tables(), after, "a lost connection took more");
        }
        self.closed(conn);
        for number in answers {
            self.answered(number, None);
        }
    }

    /// The file system answers a request: its connection handles that in its turn.
    fn answer(&mut self, which: usize) {
        let sent = &self.sent;
        if let Some((number, true)) = self.server.answer(which, |number| sent[number].by) {
            self.seen.insert(Seen::Late);
            self.answered(number, None);
        }
    }
}
