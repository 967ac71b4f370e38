//! Room for state that is about to be made. What there is no room for is refused before the file
//! system is asked for anything, so room that was found is kept until the state is made.

use nfs4_proto::nfs4::status::Status;

use crate::client::Client;
use crate::core::Core;
use crate::slab::Key;

impl Core {
    /// Whether there is room for one more open of a client.
    ///
    /// # Errors
    /// DELAY if there is none.
    pub(crate) fn room_for_open(&self, client: Key<Client>) -> Result<(), Status> {
        let record = self.clients.get(client).ok_or(Status::DELAY)?;
        let own = record.opens.len() + record.opening as usize;
        let config = &self.config;
        if own >= config.max_opens_per_client as usize
            || self.states.weight() >= config.max_states as usize
        {
            return Err(Status::DELAY);
        }
        Ok(())
    }

    /// Keeps room for one more open of a client, of which there is enough, until it is given back.
    pub(crate) fn keep_room(&mut self, client: Key<Client>) {
        if let Some(record) = self.clients.get_mut(client) {
            record.opening += 1;
        }
        self.states.opening += 1;
    }

    /// Ends [`Core::keep_room`]; the client may have gone meanwhile.
    pub(crate) fn give_room_back(&mut self, client: Key<Client>) {
        if let Some(record) = self.clients.get_mut(client) {
            record.opening -= 1;
        }
        self.states.opening -= 1;
    }
}
