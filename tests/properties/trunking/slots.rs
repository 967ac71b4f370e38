//! Calls on slots.

use nfs4_engine::{ConnId, Direction, SessionGone};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::Reply;

use super::model::{Answer, Session, Slot};
use super::play::{Play, Seen};
use super::request::{Sent, Work};

/// What should become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Refused(Status),
    Replayed,
    Uncached,
    New,
}

impl Play {
    pub(super) fn make(
        &mut self,
        session: usize,
        slot: usize,
        seqid: u32,
        work: Work,
        keep: bool,
    ) -> usize {
        let number = self.sent.len();
        let Session { id, record, .. } = self.model.sessions[session];
        let peer = &self.peers[self.model.records[record].peer];
        self.sent.push(Sent::new(
            peer,
            number,
            (session, id),
            (slot, seqid),
            work,
            keep,
        ));
        number
    }

    /// What should become of a request.
    fn turn(&self, number: usize) -> Turn {
        let sent = &self.sent[number];
        let session = &self.model.sessions[sent.session];
        if !session.alive || self.model.is_expired(session.record) {
            return Turn::Refused(Status::BADSESSION);
        }
        match sent.work {
            Work::TooLong => return Turn::Refused(Status::REQ_TOO_BIG),
            Work::TooMany => return Turn::Refused(Status::TOO_MANY_OPS),
            Work::NoSlot => return Turn::Refused(Status::BADSLOT),
            _ => {}
        }
        let slot = &session.slots[sent.slot];
        if sent.seqid == slot.seqid + 1 && !slot.running {
            return Turn::New;
        }
        if sent.seqid != slot.seqid {
            return Turn::Refused(Status::SEQ_MISORDERED);
        }
        if slot.running {
            return Turn::Refused(Status::DELAY);
        }
        match (slot.last, &slot.answer) {
            (Some(last), _) if !self.sent[last].is_same(sent) => {
                Turn::Refused(Status::SEQ_FALSE_RETRY)
            }
            (None, _) | (_, Answer::None) => Turn::Refused(Status::SEQ_MISORDERED),
            (_, Answer::Kept(_)) => Turn::Replayed,
            (_, Answer::Dropped) => Turn::Uncached,
        }
    }

    /// A request reaches the server.
    pub(super) fn deliver(&mut self, number: usize, conn: ConnId) {
        let turn = self.turn(number);
        let opens = self.sim.tables().opens;
        let xid = self.sim.xid();
        let sent = &self.sent[number];
        let (at, slot, work) = (sent.session, sent.slot, sent.work);
        let record = self.model.sessions[at].record;
        self.sim.send(conn, sent.under(xid));
        self.sim.settle();
        let reply = self.sim.take_reply(xid);
        let now = self.model.now;
        self.model.counted.sequences += 1;
        let checked = turn != Turn::Refused(Status::BADSESSION)
            && !matches!(work, Work::TooLong | Work::TooMany);
        if checked && let Some(binding) = self.model.sessions[at].binding_mut(conn) {
            binding.active = now;
        }
        if let Turn::Refused(status) = turn {
            self.model.counted.errors += 1;
            if status == Status::BADSESSION && self.model.sessions[at].alive {
                self.seen.insert(Seen::Expiry);
            }
            let reply = reply.expect("a refusal comes at once");
            assert!(
                reply.is_only(Op::Sequence, status),
                "{:?}, not {status}",
                reply.statuses()
            );
            return;
        }
        self.model.records[record].renewed = now;
        self.model.sessions[at].last_used = now;
        self.model.associate(at, conn, Direction::Fore);
        if turn != Turn::New {
            self.model.counted.replays += 1;
            self.repeated(number, conn, &reply.expect("a replay comes at once"));
            return;
        }
        self.model.records[record].running += 1;
        let session = &mut self.model.sessions[at];
        session.running += 1;
        session.slots[slot] = Slot {
            seqid: self.sent[number].seqid,
            running: true,
            last: Some(number),
            answer: Answer::None,
        };
        let drains = self.model.is_draining(conn) && work != Work::Nothing;
        let sent = &mut self.sent[number];
        (sent.by, sent.xid) = (conn, xid);
        if drains {
            self.seen.insert(Seen::Drain);
            let reply = reply.expect("there is no new work");
            assert_eq!(reply.last().1, Status::DELAY, "{:?}", reply.statuses());
            assert_eq!(reply.statuses().len(), 2);
            self.over(number, Some(&reply));
            return;
        }
        sent.executed = true;
        self.went_on(number, reply, opens);
    }

    /// The reply of the first time comes again, by the connection that asks now.
    fn repeated(&mut self, number: usize, conn: ConnId, reply: &Reply) {
        assert_eq!(reply.conn, conn, "by the connection that asked");
        let sent = &self.sent[number];
        let slot = &mut self.model.sessions[sent.session].slots[sent.slot];
        match &mut slot.answer {
            Answer::Kept(Some(body)) => {
                self.seen.insert(Seen::Replay);
                assert_eq!(body, reply.body(), "another answer");
            }
            Answer::Kept(lost @ None) => *lost = Some(reply.body().to_vec()),
            Answer::Dropped => {
                let statuses = reply.statuses();
                assert_eq!(statuses.len(), 2);
                assert_eq!(statuses[0], (Op::Sequence, Status::OK));
                assert_eq!(statuses[1].1, Status::RETRY_UNCACHED_REP);
            }
            Answer::None => unreachable!("it was not answered before"),
        }
    }

    /// The file system answers.
    pub(super) fn answer(&mut self, which: usize) {
        let number = self.held.remove(which);
        let opens = self.sim.tables().opens;
        self.sim.answer(which);
        self.sim.settle();
        let Sent { xid, by, .. } = self.sent[number];
        let reply = self.sim.take_reply(xid);
        let was_alive = self.model.conns.iter().any(|conn| conn.id == by);
        self.went_on(number, reply, opens);
        if was_alive && self.model.is_draining(by) && !self.waits(by) {
            self.seen.insert(Seen::Drain);
            self.closed(by);
        }
    }

    /// A request in execution waits, or is over.
    fn went_on(&mut self, number: usize, reply: Option<Reply>, opens: usize) {
        if self.sim.held().len() > self.held.len() {
            assert!(reply.is_none(), "answered and waiting");
            self.held.push(number);
            return;
        }
        let sent = &self.sent[number];
        let is_open = self.model.conns.iter().any(|conn| conn.id == sent.by);
        assert_eq!(reply.is_some(), is_open, "answered unless it cannot be");
        let (at, work) = (sent.session, sent.work);
        if !self.model.sessions[at].alive {
            // Its client is gone, and nobody keeps the answer.
            let statuses = reply.map(|reply| reply.last().1);
            assert!(statuses.is_none_or(|status| status == Status::DELAY));
            return;
        }
        if let Some(name) = &sent.name
            && self.sim.fs().creations(name) != 1
        {
            assert!(work == Work::Open, "{name:?} is answered, not executed");
        }
        let opened = self.sim.tables().opens - opens;
        self.model.records[self.model.sessions[at].record].opens += opened;
        if let Some(reply) = &reply {
            let expected = match work {
                Work::Nonsense => Status::NOTSUPP,
                Work::Leave => self.leave(at, sent.by),
                Work::Open if opened == 0 => Status::GRACE,
                Work::Reclaim if reply.status() != Status::OK => Status::COMPLETE_ALREADY,
                _ => Status::OK,
            };
            assert_eq!(reply.status(), expected, "{:?}", reply.statuses());
        }
        self.over(number, reply.as_ref());
        if work == Work::Leave && reply.is_some_and(|reply| reply.status() == Status::OK) {
            self.model.destroy(at, SessionGone::Request);
        }
    }

    /// What DESTROY_SESSION should answer in the session itself.
    fn leave(&self, at: usize, conn: ConnId) -> Status {
        let session = &self.model.sessions[at];
        if session.binding(conn).is_none() {
            Status::CONN_NOT_BOUND_TO_SESSION
        } else if session.running > 1 {
            Status::DELAY
        } else {
            Status::OK
        }
    }

    /// A request is answered.
    fn over(&mut self, number: usize, reply: Option<&Reply>) {
        let sent = &self.sent[number];
        let now = self.model.now;
        let session = &mut self.model.sessions[sent.session];
        session.running -= 1;
        session.last_used = now;
        let record = &mut self.model.records[session.record];
        record.running -= 1;
        record.renewed = now;
        let slot = &mut session.slots[sent.slot];
        slot.running = false;
        let lone_or_nonsense = match sent.work {
            Work::Nothing => true,
            Work::Nonsense => sent.executed,
            _ => false,
        };
        slot.answer = if sent.keep || lone_or_nonsense {
            Answer::Kept(reply.map(|reply| reply.body().to_vec()))
        } else {
            Answer::Dropped
        };
    }
}
