//! What becomes of the state of exports that are removed or changed. [RFC 8881 §4.2.2, §8.5]

use alloc::vec::Vec;

use crate::action::{Action, Outbox};
use crate::core::Core;
use crate::core::stable::Durable;
use crate::delegation_kind::{DelegationKind, RecallReason};
use crate::exports::{Changed, Purpose};
use crate::fh::Fh;
use crate::keys::{ClientKey, FileKey};
use crate::state::ending::Ending;
use crate::timer::Due;

impl Core {
    /// The exports have changed.
    pub(crate) fn exports_changed(&mut self, changed: Changed, out: &mut Outbox) {
        self.templates.clear();
        for event in changed.events {
            out.event(event);
        }
        if changed.searches {
            self.set_timer(out.now.mono, Due::Exports);
        }
    }

    /// Goes on with the search for state that has to end or to be recalled, for up to `budget` steps; `true`
    /// when it is over.
    pub(crate) fn search_exports(&mut self, budget: &mut usize, out: &mut Outbox) -> bool {
        while *budget > 0 {
            let Some(from) = self.exports.search_from() else {
                self.forget_ended(out);
                return true;
            };
            *budget -= 1;
            let before = self.states.walked;
            match self.next_file(from) {
                Search::Found(file, purpose) => {
                    let done = match purpose {
                        Purpose::End => self.end_some_of(file, (*budget).max(1), out),
                        Purpose::RecallWrites => self.recall_writes_of(file, out),
                    };
                    let next = if done { file.index + 1 } else { file.index };
                    self.exports.continue_search_from(next);
                }
                Search::Nothing(next) => self.exports.continue_search_from(next),
                Search::Over => {
                    self.exports.search_is_done();
                    self.forget_ended(out);
                }
            }
            let walked = self.states.walked - before;
            *budget = budget.saturating_sub(walked.saturating_sub(1));
        }
        false
    }

    /// A client's record has been written, or is of no use any more: what the client has lost with exports may be
    /// durable.
    pub(super) fn losses_stored(&mut self, key: ClientKey, out: &mut Outbox) {
        let recorded = self.clients.get(key).map(|client| &client.recorded);
        let waits = |export| recorded.is_some_and(|it| it.waits_for_loss(&Fh::all_of(export)));
        if self.exports.loss_stored(key, waits) {
            self.forget_ended(out);
        }
    }

    /// Drops the exports that are removed and that nothing uses any more.
    pub(crate) fn forget_ended(&mut self, out: &mut Outbox) {
        // Another export may have the same file system.
        self.return_unlocked(out);
        while let Some((export, backend)) = self.exports.take_ended() {
            out.push(Action::Forget { export, backend });
        }
    }

    /// The next file from this place on, among a few places, whose state is searched for.
    fn next_file(&self, from: u32) -> Search {
        let mut next = from;
        for (key, file) in self.states.files.places_from(from).take(PLACES_AT_ONCE) {
            next = key.index + 1;
            let purpose = file.and_then(|file| self.exports.purpose(file.fh.export));
            if let Some(purpose) = purpose {
                return Search::Found(key, purpose);
            }
        }
        if next == from {
            Search::Over
        } else {
            Search::Nothing(next)
        }
    }

    /// Ends an open, as far as `most` steps suffice, or a delegation of a file; `true` if it has none.
    fn end_some_of(&mut self, key: FileKey, most: usize, out: &mut Outbox) -> bool {
        let Some(file) = self.states.files.get(key) else {
            return true;
        };
        let (export, open, delegation) = (file.fh.export, file.opens.any(), file.delegations.any());
        let open_client = open.and_then(|open| Some(self.states.get(open)?.client));
        let holder = delegation.and_then(|held| Some(self.states.delegation(held)?.client));
        if let Some(client) = open_client.or(holder) {
            // Should the export come back, the client reclaims nothing of it: until that is durable, it does
            // not come back under its number.
            let all = Fh::all_of(export);
            if let Durable::After(_) = self.record_loss(client, &all, out) {
                if let Some(client) = self.clients.get_mut(client) {
                    // If the client cannot be forgotten, its record is to say so.
                    client.recorded.loses(&all);
                }
                self.exports.awaits_loss(export, client);
            }
        }
        if let Some(open) = open {
            // The locks under it go first, one by one.
            if self.states.end_locks_under(open, Ending::Lost, most) {
                self.remember_removed(open);
                self.drop_open(open, Ending::Lost, out);
            }
            return false;
        }
        match delegation {
            Some(delegation) => {
                self.revoke_for_administrator(delegation, out);
                false
            }
            None => true,
        }
    }

    /// Recalls the write delegations of a file.
    fn recall_writes_of(&mut self, key: FileKey, out: &mut Outbox) -> bool {
        let Some(file) = self.states.files.get(key) else {
            return true;
        };
        // At most as many as a file may have.
        let held: Vec<_> = file.delegations.iter().collect();
        self.states.walked += held.len();
        for key in held {
            let delegation = self.states.delegation(key);
            if delegation.is_some_and(|held| held.kind == DelegationKind::Write) {
                self.recall(key, false, RecallReason::Conflict, out);
            }
        }
        true
    }
}

/// What a part of the search has found.
enum Search {
    Found(FileKey, Purpose),
    /// Nothing up to this place.
    Nothing(u32),
    /// There are no more files.
    Over,
}

/// Number of places that are looked at in one step.
const PLACES_AT_ONCE: usize = 64;
