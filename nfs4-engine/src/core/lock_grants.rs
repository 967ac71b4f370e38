//! The waiting lines of all files. [RFC 8881 §9.6]

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::callback::{CallPurpose, CallbackEnd, CallbackOp};
use crate::core::Core;
use crate::keys::{ClientKey, FileKey};
use crate::timer::Due;

impl Core {
    /// Locks of a file may have become free: notifies the waiters that come next.
    #[inline]
    pub(crate) fn grant_locks(&mut self, file: FileKey, out: &mut Outbox) {
        if self.states.has_waiters() {
            self.notify_waiters(file, out);
        }
    }

    fn notify_waiters(&mut self, file: FileKey, out: &mut Outbox) {
        let grants = self
            .states
            .next_grants(file, out.now.mono, self.config.lease);
        for notice in grants.notices {
            let Some(fh) = self.states.handle_of(file) else {
                return;
            };
            let client = notice.client;
            let op = CallbackOp::NotifyLock {
                fh,
                owner: notice.owner,
            };
            let purpose = CallPurpose::NotifyLock { file, client };
            let asked = self.send_callback_to(client, Some(notice.session), op, purpose, out);
            if asked.is_err() {
                self.states.cannot_notify(file, client);
            }
        }
        if let Some(again) = grants.again {
            self.set_timer(again, Due::LockGrant(file));
        }
    }

    /// A client was notified that a lock is free, or could not be notified; then it polls.
    pub(crate) fn lock_notified(&mut self, file: FileKey, client: ClientKey, end: CallbackEnd) {
        match end {
            CallbackEnd::Done {
                status: Status::OK, ..
            } => {}
            CallbackEnd::Done { .. } | CallbackEnd::Failed(_) => {
                self.states.cannot_notify(file, client);
            }
        }
    }
}
