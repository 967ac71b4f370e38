//! The end of a callback is reported to what asked for it.

use crate::action::Outbox;
use crate::callback::{CallPurpose, CallbackEnd};
use crate::core::Core;
use crate::keys::CallKey;

impl Core {
    /// Removes a callback that is in no queue and on no slot any more, and reports how it ended.
    pub(crate) fn end_callback(&mut self, key: CallKey, end: CallbackEnd, out: &mut Outbox) {
        let Some(call) = self.callbacks.calls.remove(key) else {
            return;
        };
        if end.is_failure()
            && let Some(session) = self.sessions.get_mut(call.session)
        {
            session.back.failures += 1;
        }
        self.slow_call_ended(&call, end, out);
        self.report_end(call.purpose, end, out);
    }

    /// Reports to what asked for a callback how it ended.
    pub(crate) fn report_end(&mut self, purpose: CallPurpose, end: CallbackEnd, out: &mut Outbox) {
        if end.is_failure() {
            out.metrics.callback_failed();
        }
        match purpose {
            CallPurpose::Recall(delegation) => self.recall_ended(delegation, end, out),
            CallPurpose::GetAttr(delegation) => self.probe_ended(delegation, end, out),
            // What the client returns by that, it reports by DELEGRETURN.
            CallPurpose::RecallAny(_) => {}
            CallPurpose::RecallSlot(session) => self.slots_recalled(session, end),
            CallPurpose::NotifyLock { file, client } => self.lock_notified(file, client, end),
        }
    }
}
