//! Which clients use which exports.

use crate::core::Core;
use crate::fh::Fh;
use crate::keys::ClientKey;

impl Core {
    /// A request of a client has ended at a file. A filehandle that a client makes up may name an export
    /// that does not exist; the directories above the exports are in none.
    pub(crate) fn visit(&mut self, client: ClientKey, fh: &Fh) {
        if self.exports.get(fh.export).is_some() {
            self.clients.visit(client, fh.export);
        }
    }
}
