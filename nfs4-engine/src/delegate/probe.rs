//! Asking the holder of a write delegation what has become of the file. [RFC 8881 §10.4.3]

use core::time::Duration;

use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::status::Status;

use super::recall::RecallReason;
use crate::action::Outbox;
use crate::callback::{CallbackEnd, CallbackOp, Purpose};
use crate::client::Client;
use crate::core::Core;
use crate::exports::Fh;
use crate::fs::Attrs;
use crate::slab::Key;
use crate::state::delegation::{Answer, Delegation, Phase, Probe, Touch};
use crate::time::Now;

/// What must be known before a file's attributes can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// Nothing: nobody but `who` can have changed it unseen.
    Clear,
    /// What its holder has answered.
    Answered(Key<Delegation>, Answer),
    /// The holder was asked.
    Asked(Key<Delegation>),
    /// The holder is to give the file back.
    Recalled,
}

impl Core {
    /// Whether somebody else may have changed a file by virtue of a delegation; he is asked then.
    pub(crate) fn probe(
        &mut self,
        fh: &Fh,
        who: Option<Key<Client>>,
        now: Now,
        out: &mut Outbox,
    ) -> Probed {
        // Of those for writing there is at most one.
        let Some(key) = self.states.in_the_way(fh, who, Touch::Read).next() else {
            return Probed::Clear;
        };
        let Some(held) = self.states.delegation_mut(key) else {
            return Probed::Clear;
        };
        match held.phase {
            Phase::Held => {}
            Phase::Recalled(_) | Phase::Revoked => {
                self.look_at_recall(key, now, out);
                let gone = self
                    .states
                    .delegation(key)
                    .is_none_or(Delegation::is_revoked);
                return if gone {
                    Probed::Clear
                } else {
                    Probed::Recalled
                };
            }
        }
        match &mut held.probe {
            Probe::Asked => Probed::Asked(key),
            Probe::Answered(answer) if answer.is_good(now) => {
                answer.used = true;
                Probed::Answered(key, *answer)
            }
            Probe::Idle | Probe::Answered(_) => {
                if self.ask(key, *fh, now, out) {
                    Probed::Asked(key)
                } else {
                    Probed::Recalled
                }
            }
        }
    }

    /// CB_GETATTR has ended. [RFC 8881 §20.1]
    pub(crate) fn probe_ended(
        &mut self,
        key: Key<Delegation>,
        end: CallbackEnd,
        now: Now,
        out: &mut Outbox,
    ) {
        let Some(held) = self.states.delegation_mut(key) else {
            return;
        };
        held.probe = Probe::Idle;
        match end {
            CallbackEnd::Done {
                status: Status::OK,
                attrs: Some(attrs),
            } => {
                held.probe = Probe::Answered(Answer {
                    at: now.mono,
                    used: false,
                    change: attrs.change,
                    size: attrs.size,
                });
            }
            CallbackEnd::Done {
                status: Status::DELAY,
                ..
            } => {}
            // Who cannot say what he has must give it back.
            CallbackEnd::Done { .. } | CallbackEnd::Failed(_) => {
                self.recall(key, false, RecallReason::Conflict, now, out);
            }
        }
    }

    /// Sends CB_GETATTR; if that cannot be done, the delegation has to come back.
    fn ask(&mut self, key: Key<Delegation>, fh: Fh, now: Now, out: &mut Outbox) -> bool {
        let Some(held) = self.states.delegation_mut(key) else {
            return false;
        };
        held.probe = Probe::Asked;
        let (client, hint) = (held.client, held.granted_by.map(|by| by.session));
        let op = CallbackOp::GetAttr {
            fh,
            mask: Bitmap::of(&[num::CHANGE, num::SIZE]),
        };
        let accepted = self.call_back(client, hint, op, Purpose::GetAttr(key), now, out);
        if accepted.is_err() {
            if let Some(held) = self.states.delegation_mut(key) {
                held.probe = Probe::Idle;
            }
            self.recall(key, false, RecallReason::Conflict, now, out);
            return false;
        }
        true
    }
}

impl Answer {
    /// Whether it can still be told: to all who wait for it, and to one who had to come again.
    fn is_good(&self, now: Now) -> bool {
        if self.used {
            self.at == now.mono
        } else {
            now.mono <= self.at.after(COMES_AGAIN)
        }
    }

    /// Whether the holder has changed the file, whose attributes here are these.
    pub(crate) fn tells_of_change(&self, held: &Delegation, attrs: &Attrs) -> bool {
        self.change.is_some_and(|change| change != held.change)
            || self.size.is_some_and(|size| size != attrs.size)
    }
}

/// Who was told to wait comes again within this time, or asks anew.
const COMES_AGAIN: Duration = Duration::from_secs(5);
