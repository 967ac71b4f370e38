//! Files that a file system leases while they are delegated, so that other processes wait.

use alloc::vec::Vec;

use crate::action::{Action, Outbox};
use crate::core::Core;
use crate::delegation_kind::{RecallReason, Touch};
use crate::fh::Fh;
use crate::fs::{FsHandle, Guarded};
use crate::keys::DelegationKey;

impl Core {
    /// Whether files of an export are delegated at all.
    pub(crate) fn delegates(&self, export: u16) -> bool {
        self.config.delegations && self.exports.guarded(export) != Guarded::Not
    }

    /// A file system gives up a lease: delegations that conflict with this access are revoked.
    pub(crate) fn lease_lost(&mut self, fh: &Fh, touch: Touch, out: &mut Outbox) {
        self.touched(fh, touch, out);
        // The maximum number of delegations of a file.
        let left: Vec<_> = self.states.in_the_way(fh, None, touch).collect();
        for key in left {
            // A recall that stable storage cannot note yet is tried again.
            self.recall(key, false, RecallReason::Conflict, out);
            let held = self.states.delegation_mut(key);
            if let Some(recall) = held.and_then(|held| held.recall_mut()) {
                recall.until = out.now.mono;
                self.on_recall_timer(key, out);
            }
        }
    }

    /// The lease of a delegation ends with it.
    pub(crate) fn end_lease(&mut self, key: DelegationKey, out: &mut Outbox) {
        let Some(held) = self.states.delegation_mut(key) else {
            return;
        };
        if core::mem::take(&mut held.leased)
            && let Some(fh) = self.states.delegated_fh(key)
        {
            self.unlease(fh.export, fh.handle, out);
        }
    }

    /// Ends a lease that a file system has taken.
    pub(crate) fn unlease(&self, export: u16, fh: FsHandle, out: &mut Outbox) {
        if let Some(backend) = self.exports.backend(export) {
            out.push(Action::Unlease {
                export,
                backend,
                fh,
            });
        }
    }
}
