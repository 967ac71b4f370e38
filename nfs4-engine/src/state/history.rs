//! What is remembered of owners of minor version 0 beyond their state: their last requests, and
//! what they closed last. [RFC 7530 §9.1.10]

use nfs4_proto::nfs4::basic::Stateid;

use super::owner::Owner;
use super::stateid::Named;
use super::table::States;
use crate::keys::{ClientKey, OpenKey, OpenOwnerKey};
use crate::state::owner_seqid::{SeqidReply, SeqidRequest};

/// What an owner's request did, beside what its answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerDid {
    Nothing,
    /// It opened a file.
    Opened(OpenKey),
    /// It closed one.
    Closed(OpenKey),
}

impl States {
    /// The owner that closed what a stateid named, if that was its last request.
    pub(crate) fn closed_by(&self, stateid: &Stateid) -> Option<OpenOwnerKey> {
        match Named::decode(stateid, self.epoch()).ok()? {
            Named::Open(key) => self.closed.get(&key).copied(),
            Named::Lock(_) | Named::Deleg(_) => None,
        }
    }

    /// Whether an open has an owner that has not yet proved to be no replay of old requests.
    pub(crate) fn is_unconfirmed(&self, open: OpenKey) -> bool {
        let owner = self
            .get(open)
            .and_then(|open| self.open_owners.get(open.owner));
        let turns = owner.and_then(Owner::turns);
        turns.is_some_and(|turns| !turns.is_confirmed())
    }

    /// An open owner's request was answered; without an answer it does not count.
    pub(crate) fn finish_owner_request(
        &mut self,
        key: OpenOwnerKey,
        asked: &SeqidRequest,
        answer: Option<SeqidReply>,
        did: OwnerDid,
    ) {
        let Some(answer) = answer else {
            let fresh = self.open_owners.with_turn(key, None, |turns| {
                turns.undo();
                turns.is_fresh()
            });
            if fresh == Some(true) {
                self.forget_open_owner(key);
            }
            return;
        };
        let before = self.open_owners.with_turn(key, None, |turns| {
            turns.end(asked, answer);
            if let OwnerDid::Opened(open) = did
                && !turns.is_confirmed()
            {
                turns.unconfirmed = Some(open);
            }
            let closed = match did {
                OwnerDid::Closed(open) => Some(open),
                OwnerDid::Nothing | OwnerDid::Opened(_) => None,
            };
            core::mem::replace(&mut turns.closed, closed)
        });
        let Some(before) = before else {
            return;
        };
        if let Some(before) = before {
            self.closed.remove(&before);
        }
        if let OwnerDid::Closed(open) = did {
            self.closed.insert(open, key);
        }
    }

    /// Removes an open-owner without opens.
    pub(crate) fn forget_open_owner(&mut self, key: OpenOwnerKey) {
        let Some(owner) = self.open_owners.get(key) else {
            return;
        };
        if !owner.held().is_empty() {
            return;
        }
        if let Some(closed) = owner.turns().and_then(|turns| turns.closed) {
            self.closed.remove(&closed);
        }
        self.open_owners.remove(key);
    }

    /// Whether a client has owners without state.
    pub(crate) fn has_owners(&self, client: ClientKey) -> bool {
        self.open_owners.loose_of(client).is_some() || self.lock_owners.loose_of(client).is_some()
    }

    /// Removes one of a client's owners without state.
    pub(crate) fn forget_an_owner(&mut self, client: ClientKey) {
        if let Some(key) = self.open_owners.loose_of(client) {
            self.forget_open_owner(key);
        } else if let Some(key) = self.lock_owners.loose_of(client) {
            self.lock_owners.remove(key);
        }
    }
}
