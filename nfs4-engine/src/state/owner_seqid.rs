//! The seqid of an owner in 4.0, which orders its requests and recognises a retransmission of the last
//! one. [RFC 7530 §9.1.7]

use alloc::boxed::Box;

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

use crate::fh::Fh;
use crate::keys::OpenKey;

/// The seqid state of an owner.
#[derive(Default)]
pub(crate) struct OwnerSeqid {
    /// The seqid of the last request that counted; none before the first.
    seqid: Option<u32>,
    /// OPEN_CONFIRM has shown that the client sends these requests, and that they are no old copies.
    confirmed: bool,
    /// A request is being executed.
    running: bool,
    last: Option<LastReply>,
    /// The open that OPEN_CONFIRM must confirm.
    pub(crate) unconfirmed: Option<OpenKey>,
    /// The open that the last request closed.
    pub(crate) closed: Option<OpenKey>,
}

/// A request of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeqidRequest {
    pub(crate) op: Op,
    pub(crate) seqid: u32,
    /// A hash of its arguments.
    pub(crate) print: u64,
}

/// The last request and its reply.
pub(crate) struct LastReply {
    op: Op,
    print: u64,
    pub(crate) status: Status,
    /// The result after the status.
    pub(crate) body: Box<[u8]>,
    /// The current filehandle after the request.
    pub(crate) current: Option<Fh>,
}

/// The outcome of the seqid check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeqidCheck {
    /// The request is the next one: it is executed.
    New,
    /// The request is a retransmission of the last one: it gets the same reply.
    Replay,
    /// A request of the owner is still in execution.
    Running,
    /// The request is neither the next nor the last one.
    Bad,
}

impl OwnerSeqid {
    /// Checks the seqid of a request. A first request may have any seqid.
    pub(crate) fn judge(&self, asked: &SeqidRequest) -> SeqidCheck {
        if self.running {
            return SeqidCheck::Running;
        }
        match self.seqid {
            None => SeqidCheck::New,
            Some(seqid) if seqid == asked.seqid => {
                let same = |last: &LastReply| last.op == asked.op && last.print == asked.print;
                if self.last.as_ref().is_some_and(same) {
                    SeqidCheck::Replay
                } else {
                    SeqidCheck::Bad
                }
            }
            Some(seqid) if follows(seqid, asked.seqid) => SeqidCheck::New,
            Some(_) => SeqidCheck::Bad,
        }
    }

    /// The reply to the last request.
    pub(crate) fn last(&self) -> Option<&LastReply> {
        self.last.as_ref()
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Whether no request has counted yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.seqid.is_none()
    }

    /// A request begins.
    pub(crate) fn begin(&mut self) {
        self.running = true;
    }

    /// Forgets all earlier requests: another sequence begins before the first was confirmed.
    pub(crate) fn restart(&mut self) {
        *self = OwnerSeqid {
            confirmed: self.confirmed,
            ..OwnerSeqid::default()
        };
    }

    /// Ends the running request, which does not count: the client uses its seqid again.
    pub(crate) fn undo(&mut self) {
        self.running = false;
    }

    /// Ends the running request, and keeps its reply.
    pub(crate) fn end(&mut self, asked: &SeqidRequest, answer: SeqidReply) {
        self.running = false;
        self.seqid = Some(asked.seqid);
        self.last = Some(LastReply {
            op: asked.op,
            print: asked.print,
            status: answer.status,
            body: answer.body,
            current: answer.current,
        });
    }

    /// Counts a request whose reply another owner keeps.
    pub(crate) fn count(&mut self, seqid: u32) {
        self.seqid = Some(seqid);
        self.last = None;
    }

    /// OPEN_CONFIRM has confirmed the owner.
    pub(crate) fn confirm(&mut self) {
        self.confirmed = true;
        self.unconfirmed = None;
    }
}

/// The reply to a request.
pub(crate) struct SeqidReply {
    pub(crate) status: Status,
    pub(crate) body: Box<[u8]>,
    pub(crate) current: Option<Fh>,
}

/// Whether a client advances its seqid after this status. [RFC 7530 §9.1.7]
pub(crate) fn counts(status: Status) -> bool {
    !matches!(
        status,
        Status::STALE_CLIENTID
            | Status::STALE_STATEID
            | Status::BAD_STATEID
            | Status::BAD_SEQID
            | Status::BADXDR
            | Status::RESOURCE
            | Status::NOFILEHANDLE
            | Status::MOVED
    )
}

/// Whether `next` follows `last`: 1 follows the greatest seqid [RFC 7530 §9.1.3], with some clients 0.
fn follows(last: u32, next: u32) -> bool {
    next == last.wrapping_add(1) || last == u32::MAX && next == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(seqid: u32, print: u64) -> SeqidRequest {
        SeqidRequest {
            op: Op::Close,
            seqid,
            print,
        }
    }

    fn answer() -> SeqidReply {
        SeqidReply {
            status: Status::OK,
            body: Box::default(),
            current: None,
        }
    }

    #[test]
    fn an_owner_executes_the_next_seqid_and_replays_the_last() {
        let mut owner = OwnerSeqid::default();
        assert_eq!(owner.judge(&asked(7, 1)), SeqidCheck::New);
        owner.begin();
        assert_eq!(owner.judge(&asked(7, 1)), SeqidCheck::Running);
        owner.end(&asked(7, 1), answer());
        assert_eq!(owner.judge(&asked(7, 1)), SeqidCheck::Replay);
        assert_eq!(owner.judge(&asked(7, 2)), SeqidCheck::Bad);
        let other = SeqidRequest {
            op: Op::Open,
            ..asked(7, 1)
        };
        assert_eq!(owner.judge(&other), SeqidCheck::Bad);
        assert_eq!(owner.judge(&asked(6, 1)), SeqidCheck::Bad);
        assert_eq!(owner.judge(&asked(9, 1)), SeqidCheck::Bad);
        assert_eq!(owner.judge(&asked(8, 1)), SeqidCheck::New);
        owner.begin();
        owner.undo();
        assert_eq!(owner.judge(&asked(8, 3)), SeqidCheck::New);
    }

    #[test]
    fn the_greatest_seqid_is_followed_by_one_or_zero() {
        let mut owner = OwnerSeqid::default();
        owner.count(u32::MAX);
        assert_eq!(owner.judge(&asked(1, 0)), SeqidCheck::New);
        assert_eq!(owner.judge(&asked(0, 0)), SeqidCheck::New);
        assert_eq!(owner.judge(&asked(2, 0)), SeqidCheck::Bad);
        assert_eq!(owner.judge(&asked(u32::MAX, 0)), SeqidCheck::Bad);
    }
}
