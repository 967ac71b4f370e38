//! The seqid of an owner in 4.0: its requests come one after the other, and the last one can be
//! retransmitted. [RFC 7530 §9.1.7]

use alloc::boxed::Box;

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

use crate::fh::Fh;
use crate::keys::OpenKey;

/// The seqid state of an owner.
#[derive(Default)]
pub(crate) struct OwnerSeqid {
    /// That of the last request that counted.
    seqid: Option<u32>,
    /// The client has shown that this sequence is its own: OPEN_CONFIRM.
    confirmed: bool,
    /// A request is being executed.
    running: bool,
    last: Option<LastReply>,
    /// What was opened and is not confirmed.
    pub(crate) unconfirmed: Option<OpenKey>,
    /// What the last request closed.
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

/// The last request, and what was answered.
pub(crate) struct LastReply {
    op: Op,
    print: u64,
    pub(crate) status: Status,
    /// What followed the status.
    pub(crate) body: Box<[u8]>,
    /// The current filehandle after it.
    pub(crate) current: Option<Fh>,
}

/// What is to be done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeqidCheck {
    /// It is the next: executed.
    New,
    /// It is the last once more: answered as then.
    Replay,
    /// Another one still runs.
    Running,
    /// It is neither.
    Bad,
}

impl OwnerSeqid {
    /// What a request is. Nothing is known of a first one, whatever its seqid.
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

    /// The answer to the last request.
    pub(crate) fn last(&self) -> Option<&LastReply> {
        self.last.as_ref()
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Whether no request has ever counted.
    pub(crate) fn is_fresh(&self) -> bool {
        self.seqid.is_none()
    }

    /// A request begins.
    pub(crate) fn begin(&mut self) {
        self.running = true;
    }

    /// Forgets what came before: the sequence was never confirmed and another one begins.
    pub(crate) fn restart(&mut self) {
        *self = OwnerSeqid {
            confirmed: self.confirmed,
            ..OwnerSeqid::default()
        };
    }

    /// The request that ran does not count: the client uses the seqid again.
    pub(crate) fn undo(&mut self) {
        self.running = false;
    }

    /// The request that ran has been answered.
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

    /// A request counts whose answer another owner keeps.
    pub(crate) fn count(&mut self, seqid: u32) {
        self.seqid = Some(seqid);
        self.last = None;
    }

    /// The sequence is the client's own.
    pub(crate) fn confirm(&mut self) {
        self.confirmed = true;
        self.unconfirmed = None;
    }
}

/// How a request was answered.
pub(crate) struct SeqidReply {
    pub(crate) status: Status,
    pub(crate) body: Box<[u8]>,
    pub(crate) current: Option<Fh>,
}

/// Whether a client continues with its seqids after this status. [RFC 7530 §9.1.7]
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

/// After the greatest comes 1 [RFC 7530 §9.1.3], and with some clients 0.
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
    fn one_after_the_other_and_the_last_again() {
        let mut turns = OwnerSeqid::default();
        assert_eq!(turns.judge(&asked(7, 1)), SeqidCheck::New);
        turns.begin();
        assert_eq!(turns.judge(&asked(7, 1)), SeqidCheck::Running);
        turns.end(&asked(7, 1), answer());
        assert_eq!(turns.judge(&asked(7, 1)), SeqidCheck::Replay);
        assert_eq!(turns.judge(&asked(7, 2)), SeqidCheck::Bad);
        let other = SeqidRequest {
            op: Op::Open,
            ..asked(7, 1)
        };
        assert_eq!(turns.judge(&other), SeqidCheck::Bad);
        assert_eq!(turns.judge(&asked(6, 1)), SeqidCheck::Bad);
        assert_eq!(turns.judge(&asked(9, 1)), SeqidCheck::Bad);
        assert_eq!(turns.judge(&asked(8, 1)), SeqidCheck::New);
        turns.begin();
        turns.undo();
        assert_eq!(turns.judge(&asked(8, 3)), SeqidCheck::New);
    }

    #[test]
    fn after_the_greatest_comes_one_or_zero() {
        let mut turns = OwnerSeqid::default();
        turns.count(u32::MAX);
        assert_eq!(turns.judge(&asked(1, 0)), SeqidCheck::New);
        assert_eq!(turns.judge(&asked(0, 0)), SeqidCheck::New);
        assert_eq!(turns.judge(&asked(2, 0)), SeqidCheck::Bad);
        assert_eq!(turns.judge(&asked(u32::MAX, 0)), SeqidCheck::Bad);
    }
}
