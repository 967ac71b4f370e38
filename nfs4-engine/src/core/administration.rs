//! The administrator's requests, carried out.

use crate::action::Outbox;
use crate::admin::{Admin, AdminFault};
use crate::core::Core;
use crate::core::removal::Removal;
use crate::event::ClientGone;
use crate::keys::ClientKey;
use crate::state::table::WALKED_AT_ONCE;
use crate::timer::Due;

impl Core {
    /// Whether the administrator's request can be carried out.
    ///
    /// # Errors
    /// There is nothing of that name, or settings would be out of their range: then all of those.
    pub(crate) fn check_admin(&self, admin: &Admin) -> Result<(), AdminFault> {
        let core = self;
        match admin {
            Admin::Drain { conn } | Admin::StopDraining { conn } => {
                let found = core.connections.get(*conn);
                found.map(|_| ()).ok_or(AdminFault::NoConnection(*conn))
            }
            Admin::EvictClient { client } => {
                let found = core.clients.by_id(*client);
                found.map(|_| ()).ok_or(AdminFault::NoClient(*client))
            }
            Admin::DestroySession { session } => {
                let found = core.sessions.by_id(session);
                found.map(|_| ()).ok_or(AdminFault::NoSession(*session))
            }
            Admin::EndGrace => Ok(()),
            Admin::Configure(change) => Ok(change.made_to(&core.config).map(|_| ())?),
            Admin::PutExport(export) => Ok(core.exports.check_put(export)?),
            Admin::RemoveExport { path } if core.exports.has(path) => Ok(()),
            Admin::RemoveExport { path } => Err(AdminFault::NoExport(path.clone())),
            Admin::SetExports(exports) => Ok(core.exports.check(exports.clone())?),
        }
    }

    /// Removes a client with all its state; what takes long is left to its timer.
    pub(crate) fn evict(&mut self, key: ClientKey, out: &mut Outbox) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        client.going = Some(ClientGone::Evicted);
        // Its sessions go first.
        let mut budget = WALKED_AT_ONCE;
        match self.remove_client(key, ClientGone::Evicted, &mut budget, out) {
            Removal::Later => self.set_timer(out.now.mono, Due::Lease(key)),
            Removal::Done | Removal::Waits(_) => {}
        }
    }
}
