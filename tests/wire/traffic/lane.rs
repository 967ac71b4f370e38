//! One slot of a session as a client uses it: one request at a time, sent again until it is known
//! what became of it.

use std::sync::Arc;
use std::time::Duration;

use nfs4_driver::engine::proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_driver::engine::proto::dump::Dump;
use nfs4_driver::engine::proto::nfs4::consts::{
    SEQ4_STATUS_CB_PATH_DOWN, SEQ4_STATUS_CB_PATH_DOWN_SESSION,
};
use nfs4_driver::engine::proto::nfs4::{Op, SessionId, Status, args};
use nfs4_driver::engine::proto::rpc::AuthSys;
use nfs4_driver::engine::proto::xdr::List;
use nfs4_tests::sim::{Request, Rng};

use super::SLOTS;
use super::line::Lines;

/// A slot.
pub(crate) struct Lane {
    pub(crate) lines: Arc<Lines>,
    pub(crate) rng: Rng,
    pub(crate) session: SessionId,
    pub(crate) slot: u32,
    /// Of the next request.
    pub(crate) sequence: u32,
    /// One call of so many is the last on its connection, or on another; none if zero.
    pub(crate) cut_one_of: u64,
    pub(crate) seen: Seen,
}

/// What came about, so that it can be said that it did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) compounds: u64,
    /// Requests sent again because a connection was cut.
    pub(crate) lost: u64,
    /// Requests sent again whose reply had come.
    pub(crate) repeated: u64,
    /// Requests sent again while they were carried out.
    pub(crate) delayed: u64,
    /// Requests sent again whose reply was not kept.
    pub(crate) unkept: u64,
    /// Connections bound to another session.
    pub(crate) moved: u64,
    /// Connections that could not be bound.
    pub(crate) unmoved: u64,
}

impl Seen {
    /// What all of them have seen.
    pub(crate) fn sum(all: impl Iterator<Item = Seen>) -> Seen {
        all.fold(Seen::default(), |sum, one| Seen {
            compounds: sum.compounds + one.compounds,
            lost: sum.lost + one.lost,
            repeated: sum.repeated + one.repeated,
            delayed: sum.delayed + one.delayed,
            unkept: sum.unkept + one.unkept,
            moved: sum.moved + one.moved,
            unmoved: sum.unmoved + one.unmoved,
        })
    }
}

impl Lane {
    /// Starts the next COMPOUND of the slot.
    pub(crate) fn compound(&self, cachethis: bool) -> CompoundBuilder {
        let mut call = call();
        call.sequence(args::Sequence {
            sessionid: self.session,
            sequenceid: self.sequence,
            slotid: self.slot,
            highest_slotid: self.slot,
            cachethis,
        });
        call
    }

    /// Has a COMPOUND executed whose reply is kept; every operation must succeed.
    pub(crate) async fn ask(&mut self, mut call: Vec<u8>) -> Vec<u8> {
        let reply = self.ask_last(&mut call).await;
        if self.rng.below(8) == 0 {
            let again = self.repeat(&mut call).await;
            assert_eq!(
                again[4..],
                reply[4..],
                "the same, but for the transaction id"
            );
        }
        reply
    }

    /// The same, and the call is not sent again to see its reply repeated.
    pub(crate) async fn ask_last(&mut self, call: &mut [u8]) -> Vec<u8> {
        let reply = self.execute(call).await;
        assert_eq!(parse(&reply).finish(), Ok(()), "{}", Dump::new(&reply));
        self.advance();
        reply
    }

    /// Has a COMPOUND executed that changes nothing, and whose reply is not kept; every operation
    /// must succeed.
    pub(crate) async fn look(&mut self, build: impl Fn(&mut CompoundBuilder)) -> Vec<u8> {
        loop {
            let mut compound = self.compound(false);
            build(&mut compound);
            let lost = self.seen.lost;
            let reply = self.execute(&mut compound.finish()).await;
            let mut results = parse(&reply);
            self.advance();
            if results.status() == Status::RETRY_UNCACHED_REP {
                assert!(lost < self.seen.lost, "it was sent once");
                results.sequence().unwrap();
                let (_, second) = results.peek().unwrap().unwrap();
                assert_eq!((results.count(), second), (2, Status::RETRY_UNCACHED_REP));
                self.seen.unkept += 1;
                continue;
            }
            assert_eq!(results.finish(), Ok(()), "{}", Dump::new(&reply));
            return reply;
        }
    }

    /// A reader after the result of SEQUENCE, which must be that of the last request.
    pub(crate) fn results<'a>(&self, reply: &'a [u8]) -> ReplyReader<'a> {
        let mut results = ReplyReader::parse(reply).unwrap();
        let sequence = results.sequence().unwrap();
        assert_eq!(sequence.sessionid, self.session);
        assert_eq!(sequence.slotid, self.slot);
        // A client that binds a connection for callbacks learns when it is cut.
        let down = SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION;
        assert_eq!(sequence.status_flags & !down, 0);
        assert_eq!(sequence.sequenceid, self.sequence - 1);
        results
    }

    /// A COMPOUND without a session; none if the connection was cut.
    pub(crate) async fn bare(&mut self, mut call: Vec<u8>) -> Option<Vec<u8>> {
        let line = self.line();
        self.send(line, &mut call).await
    }

    /// Sends a request until there is an answer to it that is not "not yet".
    async fn execute(&mut self, call: &mut [u8]) -> Vec<u8> {
        self.seen.compounds += 1;
        let mut sent_before = false;
        loop {
            let line = self.line();
            self.encode_anew(call);
            let Some(reply) = self.send(line, call).await else {
                self.seen.lost += 1;
                sent_before = true;
                continue;
            };
            let results = parse(&reply);
            if results.peek().unwrap() != Some((Op::Sequence.number(), Status::DELAY)) {
                return reply;
            }
            assert!(sent_before, "it is carried out already");
            assert_eq!(results.count(), 1);
            self.seen.delayed += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The reply to the last request, once more.
    async fn repeat(&mut self, call: &mut [u8]) -> Vec<u8> {
        loop {
            let line = self.line();
            self.encode_anew(call);
            if let Some(reply) = self.send(line, call).await {
                self.seen.repeated += 1;
                return reply;
            }
        }
    }

    /// Encodes a request as Linux does each time that it sends it: with the highest slot that is in
    /// use by now, and another stamp.
    fn encode_anew(&mut self, call: &mut [u8]) {
        let highest = self.slot.max(self.rng.index(SLOTS as usize) as u32);
        let request = Request {
            record: call.to_vec(),
        };
        let anew = request.encoded_anew(highest, self.rng.next_u64() as u32);
        call.copy_from_slice(&anew.record);
    }

    async fn send(&mut self, line: usize, call: &mut [u8]) -> Option<Vec<u8>> {
        let awaited = self.lines.send(line, call).await;
        if self.cut_one_of > 0 && self.rng.below(self.cut_one_of) == 0 {
            let cut = if self.rng.below(4) > 0 {
                line
            } else {
                self.line()
            };
            self.lines.cut(cut, &mut self.rng).await;
        }
        awaited.reply().await
    }

    fn line(&mut self) -> usize {
        self.rng.index(self.lines.count())
    }

    fn advance(&mut self) {
        self.sequence += 1;
    }
}

/// Starts a COMPOUND of the user that makes all of them: what a client has is its principal's.
pub(crate) fn call() -> CompoundBuilder {
    CompoundBuilder::call(0, &CallCredential::Sys(USER), b"", 1)
}

/// It has a stamp, which is encoded anew each time.
const USER: AuthSys<'static> = AuthSys {
    stamp: 0,
    machinename: b"traffic",
    uid: 65_534,
    gid: 65_534,
    gids: List::empty(),
};

fn parse(reply: &[u8]) -> ReplyReader<'_> {
    ReplyReader::parse(reply).unwrap_or_else(|why| panic!("{why}: {}", Dump::new(reply)))
}
