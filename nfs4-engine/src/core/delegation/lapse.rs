//! Lapses: recalls that a client let run out.

use crate::core::Core;
use crate::keys::ClientKey;
use crate::time::Mono;

impl Core {
    /// A delegation of this client was revoked because the client did not return it.
    pub(crate) fn record_lapse(&mut self, client: ClientKey, now: Mono) {
        self.drop_lapses(1, now);
        let until = now.after(self.config.delegation_penalty);
        if let Some(client) = self.clients.get(client)
            && self.lapses.record(client.peer, &client.owner, until, now)
        {
            self.peers.acquire(client.peer);
        }
    }

    /// Forgets the lapses that are over, and the oldest if there is no room for `more`.
    fn drop_lapses(&mut self, more: usize, now: Mono) {
        while let Some(peer) = self.lapses.pop_over(more, now) {
            self.peers.release(peer);
        }
    }

    /// Whether a client gets no delegation, because it has not returned one that was recalled.
    pub(crate) fn is_barred_from_delegations(&mut self, client: ClientKey, now: Mono) -> bool {
        self.drop_lapses(0, now);
        let client = self.clients.get(client);
        client.is_some_and(|client| self.lapses.bars(client.peer, &client.owner, now))
    }
}
