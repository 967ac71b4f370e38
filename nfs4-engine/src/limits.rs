//! Whether a peer may have more of what there is a limit of, and what it is told if not.
//!
//! A peer that has its share, or finds nothing left, hears an error that ends the matter: told to
//! come again, it could do so for ever. All limits are listed in ARCHITECTURE.md.

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::client::Client;
use crate::core::Core;
use crate::peer::Full;
use crate::slab::Key;
use crate::time::Now;

impl Core {
    /// Whether a client may have one more session, and its incarnation before that is `replaced`
    /// gives its own up for it.
    pub(crate) fn admit_session(
        &mut self,
        client: Key<Client>,
        replaced: Option<Key<Client>>,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Full> {
        let found = self.clients.get(client).ok_or(Full::Share)?;
        let peer = found.peer;
        if found.sessions.len() >= self.config.sessions_per_client as usize {
            return Err(Full::Share);
        }
        self.admit(now, out, |core| {
            let mut held = core.sessions.shares.held(peer);
            if let Some(old) = replaced.and_then(|old| core.clients.get(old)) {
                held.give_up(peer, old.peer, old.sessions.len());
            }
            held.admits(core.config.max_sessions as usize, 1)
        })
    }

    /// What stands against a peer's having more, once those whose lease has run out are gone.
    pub(crate) fn admit(
        &mut self,
        now: Now,
        out: &mut Outbox,
        admits: impl Fn(&Core) -> Result<(), Full>,
    ) -> Result<(), Full> {
        if admits(self).is_ok() {
            return Ok(());
        }
        self.expire(now, out);
        admits(self)
    }
}

impl Full {
    /// What CREATE_SESSION answers. [RFC 8881 §18.36.3]
    pub(crate) fn of_session(self) -> Status {
        match self {
            Full::Share | Full::Node => Status::NOSPC,
        }
    }

    /// What EXCHANGE_ID and SETCLIENTID answer. [RFC 8881 §15.1.1.10, RFC 7530 §13.1.3.4]
    pub(crate) fn of_client(self, minor: u32) -> Status {
        match self {
            Full::Share | Full::Node if minor == 0 => Status::RESOURCE,
            // Of all that EXCHANGE_ID may answer, nothing else says that it cannot be done.
            Full::Share | Full::Node => Status::SERVERFAULT,
        }
    }
}
