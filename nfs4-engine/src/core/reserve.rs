//! Room for state that is about to be made. A request without room is refused before the file system is
//! asked for anything, so the room is reserved until the state is made.

use crate::core::Core;
use crate::count::Count;
use crate::keys::ClientKey;

impl Core {
    /// Reserves room for one more open of a client, of which there is enough, until it is released.
    pub(crate) fn reserve_open(&mut self, client: ClientKey) {
        if let Some(record) = self.clients.get_mut(client) {
            record.opening += 1;
            self.states.reserve_open(client);
        }
    }

    /// Ends [`Core::reserve_open`], unless the client has gone meanwhile, and its room with it.
    pub(crate) fn release_reserved(&mut self, client: ClientKey) {
        if let Some(record) = self.clients.get_mut(client) {
            record.opening.lower(1);
            self.states.release_reserved(client, 1);
        }
    }
}
