//! What is remembered of owners of minor version 0 beyond their state: the last request of each, and
//! the open that it closed. [RFC 7530 §9.1.10]

use nfs4_proto::nfs4::basic::Stateid;

use super::owner::Owner;
use super::stateid::Named;
use super::table::States;
use crate::keys::{ClientKey, OpenKey, OpenOwnerKey};
use crate::state::owner_seqid::{OwnerSeqid, SeqidReply, SeqidRequest};

/// The effect of an owner's request, as far as its reply does not show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerDid {
    Nothing,
    /// It opened a file.
    Opened(OpenKey),
    /// It closed a file.
    Closed(OpenKey),
}

impl States {
    /// The owner whose last request closed the open of this stateid.
    pub(crate) fn closed_by(&self, stateid: &Stateid) -> Option<OpenOwnerKey> {
        match Named::decode(stateid, self.epoch()).ok()? {
            Named::Open(key) => self.closed.get(&key).copied(),
            Named::Lock(_) | Named::Deleg(_) => None,
        }
    }

    /// Whether the owner of an open is not confirmed, so that its requests may be old copies.
    pub(crate) fn is_unconfirmed(&self, open: OpenKey) -> bool {
        let owner = self
            .get(open)
            .and_then(|open| self.open_owners.get(open.owner));
        let seqid = owner.and_then(Owner::seqid);
        seqid.is_some_and(|seqid| !seqid.is_confirmed())
    }

    /// The owner of an open is confirmed.
    pub(crate) fn confirm_owner_of(&mut self, open: OpenKey) {
        if let Some(owner) = self.get(open).map(|open| open.owner) {
            self.open_owners
                .with_seqid(owner, None, OwnerSeqid::confirm);
        }
    }

    /// Ends the request of an open-owner; without a reply it does not count.
    pub(crate) fn finish_owner_request(
        &mut self,
        key: OpenOwnerKey,
        request: &SeqidRequest,
        reply: Option<SeqidReply>,
        did: OwnerDid,
    ) {
        let Some(reply) = reply else {
            let fresh = self.open_owners.with_seqid(key, None, |seqid| {
                seqid.undo();
                seqid.is_fresh()
            });
            if fresh == Some(true) {
                self.forget_open_owner(key);
            }
            return;
        };
        let before = self.open_owners.with_seqid(key, None, |seqid| {
            seqid.end(request, reply);
            if let OwnerDid::Opened(open) = did
                && !seqid.is_confirmed()
            {
                seqid.unconfirmed = Some(open);
            }
            let closed = match did {
                OwnerDid::Closed(open) => Some(open),
                OwnerDid::Nothing | OwnerDid::Opened(_) => None,
            };
            core::mem::replace(&mut seqid.closed, closed)
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
        if let Some(closed) = owner.seqid().and_then(|seqid| seqid.closed) {
            self.closed.remove(&closed);
        }
        self.open_owners.remove(key);
    }

    /// Whether a client has [loose](Owner::is_loose) owners.
    pub(crate) fn has_owners(&self, client: ClientKey) -> bool {
        self.open_owners.loose_of(client).is_some() || self.lock_owners.loose_of(client).is_some()
    }

    /// Removes one of a client's [loose](Owner::is_loose) owners, if it has no state.
    pub(crate) fn forget_an_owner(&mut self, client: ClientKey) {
        if let Some(key) = self.open_owners.loose_of(client) {
            self.forget_open_owner(key);
        } else if let Some(key) = self.lock_owners.loose_of(client) {
            self.lock_owners.remove(key);
        }
    }
}
