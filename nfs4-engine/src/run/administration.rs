//! What the administrator asks for, and the COMPOUNDs that wait meanwhile.

use crate::action::Outbox;
use crate::admin::Admin;
use crate::event::SessionGone;
use crate::run::Runner;

impl Runner {
    /// Carries a request out, as far as it can be.
    pub(crate) fn administer(&mut self, admin: Admin, out: &mut Outbox) {
        match admin {
            Admin::Drain { conn } => self.drain(conn, out),
            Admin::StopDraining { conn } => self.stop_draining(conn, out),
            Admin::EvictClient { client } => {
                if let Some(key) = self.core.clients.by_id(client) {
                    self.core.evict(key, out);
                }
            }
            Admin::DestroySession { session } => {
                if let Some(key) = self.core.sessions.by_id(&session) {
                    let reason = SessionGone::Evicted;
                    self.core.destroy_session(key, reason, out);
                }
            }
            Admin::EndGrace => self.core.cut_grace(out),
            Admin::Configure(change) => self.core.configure(&change, out),
            Admin::PutExport(export) => {
                let changed = self.core.exports.put(*export);
                self.core.exports_changed(changed, out);
            }
            Admin::RemoveExport { path } => {
                let changed = self.core.exports.remove(&path);
                self.core.exports_changed(changed, out);
            }
            Admin::SetExports(exports) => {
                let changed = self.core.exports.set(exports);
                self.core.exports_changed(changed, out);
            }
        }
    }
}
