//! Calls on slots.

use nfs4_engine::{ConnId, Direction, SessionGone};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::Reply;

use super::model::{Answer, SLOTS, Session, Slot};
use super::play::{Asked, Play, Seen, Server};
use super::request::{Sent, Work};

/// What should become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Refused(Status),
    Replayed,
    Uncached,
    New,
}

impl<S: Server> Play<S> {
    /// A request under the last seqid of a slot, or one after it.
    pub(super) fn request(
        &mut self,
        (session, slot): (u8, u8),
        after: u32,
        work: Work,
        keep: bool,
    ) -> Asked {
        let (session, slot) = (self.session(session), usize::from(slot) % SLOTS);
        let number = self.sent.len();
        let Session {
            id, record, slots, ..
        } = &self.model.sessions[session];
        let seqid = slots[slot].seqid + after;
        let peer = &self.peers[self.model.records[*record].peer];
        self.sent.push(Sent::new(
            peer,
            number,
            (session, *id),
            (slot, seqid),
            work,
            keep,
        ));
        Asked::Request(number)
    }

    /// What should become of a request.
    fn verdict(&self, number: usize) -> Verdict {
        let sent = &self.sent[number];
        let session = &self.model.sessions[sent.session];
        if !session.alive || self.model.is_expired(session.record) {
            return Verdict::Refused(Status::BADSESSION);
        }
        match sent.work {
            Work::TooLong => return Verdict::Refused(Status::REQ_TOO_BIG),
            Work::TooMany => return Verdict::Refused(Status::TOO_MANY_OPS),
            Work::NoSlot => return Verdict::Refused(Status::BADSLOT),
            _ => {}
        }
        let slot = &session.slots[sent.slot];
        if sent.seqid == slot.seqid + 1 && !slot.running {
            return Verdict::New;
        }
        if sent.seqid != slot.seqid {
            return Verdict::Refused(Status::SEQ_MISORDERED);
        }
        if slot.running {
            return Verdict::Refused(Status::DELAY);
        }
        match (slot.last, &slot.answer) {
            (Some(last), _) if !self.sent[last].is_same(sent) => {
                Verdict::Refused(Status::SEQ_FALSE_RETRY)
            }
            (None, _) | (_, Answer::None) => Verdict::Refused(Status::SEQ_MISORDERED),
            (_, Answer::Kept(_)) => Verdict::Replayed,
            (_, Answer::Dropped) => Verdict::Uncached,
        }
    }

    /// The server has handled a request.
    pub(super) fn delivered(
        &mut self,
        number: usize,
        conn: ConnId,
        xid: u32,
        reply: Option<Reply>,
    ) {
        let verdict = self.verdict(number);
        let sent = &self.sent[number];
        let (at, slot, work) = (sent.session, sent.slot, sent.work);
        let record = self.model.sessions[at].record;
        let now = self.model.now;
        self.model.counted.sequences += 1;
        let checked = verdict != Verdict::Refused(Status::BADSESSION)
            && !matches!(work, Work::TooLong | Work::TooMany);
        if checked && let Some(binding) = self.model.sessions[at].binding_mut(conn) {
            binding.active = now;
        }
        if let Verdict::Refused(status) = verdict {
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
        if verdict != Verdict::New {
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
            // What is not there is not there later either.
            let expected = match work {
                Work::Nonsense => Status::NOTSUPP,
                _ => Status::DELAY,
            };
            assert_eq!(reply.last().1, expected, "{:?}", reply.statuses());
            assert_eq!(reply.statuses().len(), 2);
            self.over(number, Some(&reply));
            return;
        }
        sent.executed = true;
        let Some(reply) = reply else {
            assert!(sent.name.is_some(), "{work:?} waits for nobody");
            self.held.push(number);
            return;
        };
        self.executed(number, Some(&reply));
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

    /// The server has handled the file system's answer to a request.
    pub(super) fn answered(&mut self, number: usize, reply: Option<&Reply>) {
        self.held.retain(|held| *held != number);
        let by = self.sent[number].by;
        let is_open = self.model.is_open(by);
        assert_eq!(reply.is_some(), is_open, "answered unless it cannot be");
        self.executed(number, reply);
        if is_open && self.model.is_draining(by) && !self.waits(by) {
            self.close_drained(by);
        }
    }

    /// The operations of a request have run.
    fn executed(&mut self, number: usize, reply: Option<&Reply>) {
        let sent = &self.sent[number];
        if let Some(reply) = reply {
            assert_eq!(reply.conn, sent.by, "by the connection that asked");
        }
        let (at, work, by) = (sent.session, sent.work, sent.by);
        let session = &self.model.sessions[at];
        if !session.alive {
            // The reply is not kept, but what was made is reported; a client that has gone opens
            // nothing.
            let record = &mut self.model.records[session.record];
            let expected = match work {
                Work::Open if !record.alive => Status::SERVERFAULT,
                _ => Status::OK,
            };
            let status = reply.map(Reply::status);
            assert!(status.is_none_or(|status| status == expected), "{status:?}");
            record.opens += usize::from(work == Work::Open && record.alive);
            record.running -= 1;
            record.renewed = self.model.now;
            self.seen.insert(Seen::Orphan);
            return;
        }
        let record = session.record;
        let client = &mut self.model.records[record];
        let expected = match work {
            Work::Nonsense => Status::NOTSUPP,
            Work::Leave => self.leave(at, by),
            Work::Open if !client.reclaimed => Status::GRACE,
            Work::Reclaim if client.reclaimed => Status::COMPLETE_ALREADY,
            _ => Status::OK,
        };
        if let Some(reply) = reply {
            assert_eq!(reply.status(), expected, "{:?}", reply.statuses());
        }
        let done = expected == Status::OK;
        let client = &mut self.model.records[record];
        match work {
            Work::Reclaim if done => client.reclaimed = true,
            Work::Open if done => client.opens += 1,
            _ => {}
        }
        if let Some(name) = &self.sent[number].name {
            let times = self.server.fs().creations(name);
            assert_eq!(times, u64::from(done), "{name:?} is answered");
        }
        self.over(number, reply);
        if work == Work::Leave && done {
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
        let lone_or_nonsense = matches!(sent.work, Work::Nothing | Work::Nonsense);
        slot.answer = if sent.keep || lone_or_nonsense {
            Answer::Kept(reply.map(|reply| reply.body().to_vec()))
        } else {
            Answer::Dropped
        };
    }
}
