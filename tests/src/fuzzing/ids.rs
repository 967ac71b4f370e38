//! What the server has told of: ids, stateids, filehandles, taken from its replies.

use std::collections::{HashMap, VecDeque};

use nfs4_proto::client::ReplyReader;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::res::{OpenDelegation, Outcome};
use nfs4_proto::nfs4::{SessionId, Stateid};
use nfs4_proto::rpc::Mark;

use super::tape::Tape;

/// What was told lately, of each kind the last few.
#[derive(Default)]
pub(super) struct Ids {
    pub(super) clients: Recent<u64>,
    pub(super) clients_v40: Recent<u64>,
    pub(super) confirms: Recent<(u64, [u8; 8])>,
    pub(super) sessions: Recent<SessionId>,
    pub(super) stateids: Recent<Stateid>,
    pub(super) handles: Recent<Vec<u8>>,
    /// The seqid that each slot had last.
    pub(super) seqids: HashMap<(SessionId, u32), u32>,
}

/// The last few of a kind.
pub(super) struct Recent<T>(VecDeque<T>);

impl<T> Default for Recent<T> {
    fn default() -> Recent<T> {
        Recent(VecDeque::new())
    }
}

impl<T: Clone + PartialEq> Recent<T> {
    pub(super) fn add(&mut self, one: T) {
        self.0.retain(|known| *known != one);
        self.0.push_back(one);
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    pub(super) fn pick(&self, tape: &mut Tape<'_>) -> Option<T> {
        // The newest more often than all others.
        let back = tape.below(2) * tape.below(self.0.len().max(1));
        self.0.iter().rev().nth(back).cloned()
    }
}

impl Ids {
    /// Learns from the COMPOUND4res in a reply, as far as it can be read: a client of the fuzzer's
    /// takes what it gets.
    pub(super) fn learn(&mut self, record: &[u8]) {
        let Some(Ok(mut reply)) = record.get(Mark::LEN..).map(ReplyReader::parse) else {
            return;
        };
        while let Ok(Some(result)) = reply.next_result() {
            self.learn_result(&result);
        }
    }

    fn learn_result(&mut self, result: &ResOp<'_>) {
        match result {
            ResOp::ExchangeId(Outcome::Ok(ok)) => self.clients.add(ok.clientid.0),
            ResOp::SetClientId(Outcome::Ok(ok)) => {
                self.clients_v40.add(ok.clientid.0);
                self.confirms.add((ok.clientid.0, ok.setclientid_confirm.0));
            }
            ResOp::CreateSession(Outcome::Ok(ok)) => self.sessions.add(ok.sessionid),
            ResOp::Sequence(Outcome::Ok(ok)) => {
                self.seqids.insert((ok.sessionid, ok.slotid), ok.sequenceid);
            }
            ResOp::GetFh(Outcome::Ok(ok)) => self.handles.add(ok.object.to_vec()),
            ResOp::Open(Outcome::Ok(ok)) => {
                self.stateids.add(ok.stateid);
                match &ok.delegation {
                    OpenDelegation::Read(read) => self.stateids.add(read.stateid),
                    OpenDelegation::Write(write) => self.stateids.add(write.stateid),
                    _ => {}
                }
            }
            ResOp::OpenConfirm(Outcome::Ok(ok)) => self.stateids.add(ok.open_stateid),
            ResOp::Lock(Outcome::Ok(ok)) => self.stateids.add(ok.lock_stateid),
            ResOp::LockU(Outcome::Ok(ok)) => self.stateids.add(ok.lock_stateid),
            _ => {}
        }
    }
}

const KEPT: usize = 8;
