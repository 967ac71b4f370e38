//! CB_GETATTR to the holder of a write delegation. [RFC 8881 §10.4.3]

use core::time::Duration;

use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::callback::{CallPurpose, CallbackEnd, CallbackOp};
use crate::core::Core;
use crate::delegation_kind::RecallReason;
use crate::delegation_kind::Touch;
use crate::fh::Fh;
use crate::fs::Attrs;
use crate::guards::ChangeWatch;
use crate::keys::{ClientKey, DelegationKey};
use crate::state::delegation::{AttrQuery, Delegation, DelegationPhase, HolderAnswer};
use crate::time::Now;

/// Whether a file's attributes can be sent, or what its write delegation's holder must answer first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// No client but the sender can change the file under a delegation: the attributes are sent.
    Clear,
    /// The holder has answered CB_GETATTR.
    Answered(DelegationKey, HolderAnswer),
    /// CB_GETATTR has been sent to the holder.
    Asked(DelegationKey),
    /// The delegation is being recalled.
    Recalled,
    /// The holder did not answer in time: the attributes are sent without its answer.
    Known,
}

impl Core {
    /// Whether another client may have changed a file under a delegation; its holder is asked then.
    pub(crate) fn probe(&mut self, fh: &Fh, sender: Option<ClientKey>, out: &mut Outbox) -> Probed {
        let now = out.now;
        // Of those for writing there is at most one.
        let Some(key) = self.states.in_the_way(fh, sender, Touch::Read).next() else {
            return Probed::Clear;
        };
        let holder = self.states.delegation(key).map(|held| held.client);
        if holder.is_some_and(|holder| self.is_expired(holder, now.mono)) {
            // The holder is not called back, and to look at a file takes nothing from it.
            return Probed::Known;
        }
        // Half the time that a callback has: a client that got DELAY asks again within the other half.
        let patience = self.config.callback_timeout / 2;
        let Some(held) = self.states.delegation_mut(key) else {
            return Probed::Clear;
        };
        if let (DelegationPhase::Held, AttrQuery::Answered(answer)) = (held.phase, &mut held.probe)
            && answer.is_good(now)
        {
            answer.used = true;
            return Probed::Answered(key, *answer);
        }
        let is_patient = held.is_awaited(now.mono, patience);
        let (phase, probe) = (held.phase, held.probe);
        match (phase, probe) {
            (DelegationPhase::Recalled(_) | DelegationPhase::Revoked(_), _) => {
                self.on_recall_timer(key, out);
                let held = self.states.delegation(key);
                match held.is_none_or(Delegation::is_revoked) {
                    true => Probed::Clear,
                    false if is_patient => Probed::Recalled,
                    false => Probed::Known,
                }
            }
            (DelegationPhase::Held, AttrQuery::Asked) if is_patient => Probed::Asked(key),
            // Whether the callback is answered or fails, it ends.
            (DelegationPhase::Held, AttrQuery::Asked) => Probed::Known,
            (DelegationPhase::Held, AttrQuery::Idle | AttrQuery::Answered(_)) if is_patient => {
                if self.query_holder(key, *fh, out) {
                    Probed::Asked(key)
                } else {
                    Probed::Recalled
                }
            }
            // The client is busy, again and again.
            (DelegationPhase::Held, AttrQuery::Idle | AttrQuery::Answered(_)) => {
                self.recall(key, false, RecallReason::Conflict, out);
                Probed::Known
            }
        }
    }

    /// The change attribute and size of a file that other clients than its holder get: what the holder
    /// last reported, as long as the file system has nothing newer. What was read since `watch` began is
    /// given.
    ///
    /// # Errors
    /// DELAY if it was read while the holder's report was being noted: it may be neither what was so before
    /// nor what is sent since.
    pub(crate) fn as_reported(
        &self,
        fh: &Fh,
        sender: Option<ClientKey>,
        watch: &ChangeWatch,
        (change, size): (&mut u64, &mut u64),
    ) -> Result<(), Status> {
        let held = self.states.in_the_way(fh, sender, Touch::Read).next();
        let held = held.and_then(|key| self.states.delegation(key));
        match held.and_then(Delegation::reported) {
            Some(reported) if *change == reported.change || *change == reported.after => {
                (*change, *size) = (reported.change, reported.size);
                Ok(())
            }
            Some(_) | None if self.guards.has_size_note_since(fh, watch) => Err(Status::DELAY),
            Some(_) | None => Ok(()),
        }
    }

    /// CB_GETATTR has ended. [RFC 8881 §20.1]
    pub(crate) fn probe_ended(&mut self, key: DelegationKey, end: CallbackEnd, out: &mut Outbox) {
        let export = self.states.delegated_fh(key).map(|fh| fh.export);
        let Some(held) = self.states.delegation_mut(key) else {
            return;
        };
        held.probe = AttrQuery::Idle;
        // A size that no file there can have is not reported.
        let fits = |size| export.is_none_or(|export| self.exports.fits(export, size));
        match end {
            CallbackEnd::Done {
                status: Status::OK,
                attrs: Some(attrs),
            } if attrs.size.is_none_or(fits) => {
                held.answers(HolderAnswer {
                    at: out.now.mono,
                    used: false,
                    change: attrs.change,
                    size: attrs.size,
                });
            }
            CallbackEnd::Done {
                status: Status::DELAY,
                ..
            } => {}
            // A holder that cannot answer has its delegation recalled.
            CallbackEnd::Done { .. } | CallbackEnd::Failed(_) => {
                self.recall(key, false, RecallReason::Conflict, out);
            }
        }
    }

    /// Sends CB_GETATTR; if that cannot be done, the delegation is recalled.
    fn query_holder(&mut self, key: DelegationKey, fh: Fh, out: &mut Outbox) -> bool {
        let Some(held) = self.states.delegation_mut(key) else {
            return false;
        };
        held.probe = AttrQuery::Asked;
        let (client, hint) = (held.client, held.granted_by.map(|by| by.session));
        let op = CallbackOp::GetAttr {
            fh,
            mask: Bitmap::of(&[num::CHANGE, num::SIZE]),
        };
        let accepted = self.send_callback_to(client, hint, op, CallPurpose::GetAttr(key), out);
        if accepted.is_err() {
            if let Some(held) = self.states.delegation_mut(key) {
                held.probe = AttrQuery::Idle;
            }
            self.recall(key, false, RecallReason::Conflict, out);
            return false;
        }
        true
    }
}

impl HolderAnswer {
    /// Whether it can still be used: by all requests that wait for it, and by one that got DELAY.
    fn is_good(&self, now: Now) -> bool {
        if self.used {
            self.at == now.mono
        } else {
            now.mono <= self.at.after(COMES_AGAIN)
        }
    }

    /// Whether the holder has changed the file, whose attributes here are these.
    pub(crate) fn reports_change(&self, held: &Delegation, attrs: &Attrs) -> bool {
        self.change.is_some_and(|change| change != held.change)
            || self.size.is_some_and(|size| size != attrs.size)
    }
}

/// A client that got DELAY asks again within this time, or starts anew.
const COMES_AGAIN: Duration = Duration::from_secs(5);
