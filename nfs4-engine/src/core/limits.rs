//! Whether a peer may have more of what is limited, and the error that it gets if not.
//!
//! A peer that has its share, or finds nothing left, gets a final error: after DELAY it could ask
//! again forever. All limits are listed in ARCHITECTURE.md.

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::core::Core;
use crate::keys::{ClientKey, FileKey, LockKey, OpenKey};
use crate::peer::LimitReached;

impl Core {
    /// Whether a client may have one more session; its former incarnation, if it is `replaced`, gives its
    /// own sessions up for it.
    pub(crate) fn admit_session(
        &mut self,
        client: ClientKey,
        replaced: Option<ClientKey>,
        out: &mut Outbox,
    ) -> Result<(), LimitReached> {
        let found = self.clients.get(client).ok_or(LimitReached::Share)?;
        let peer = found.peer;
        if found.sessions.len() >= self.config.sessions_per_client as usize {
            return Err(LimitReached::Share);
        }
        let old = replaced.and_then(|old| self.clients.get(old));
        if old.is_some_and(|old| old.peer == peer && !old.sessions.is_empty()) {
            // The peer has no more than before.
            return Ok(());
        }
        self.admit(peer, out, |core| {
            let held = core.sessions.shares.held(peer);
            held.admits(core.config.max_sessions as usize, 1)
        })
    }

    /// Whether an open-owner of a client may open one more file.
    pub(crate) fn admit_open(
        &mut self,
        client: ClientKey,
        owner: &[u8],
        out: &mut Outbox,
    ) -> Result<(), LimitReached> {
        let found = self.clients.get(client).ok_or(LimitReached::Share)?;
        let own = found.opens.len() + found.opening as usize;
        if own >= self.config.max_opens_per_client as usize {
            return Err(LimitReached::Share);
        }
        let peer = found.peer;
        self.admit(peer, out, |core| {
            let (states, most) = (&core.states, core.config.max_states as usize);
            states.held(client).admits(most, 1)?;
            let most = most * BYTES_OF_OWNERS;
            states.open_owners.admits(client, owner, most)
        })
    }

    /// Whether one more range may be locked under an open, by an owner that has a lock stateid or, as
    /// `anew` says, is to get one.
    pub(crate) fn admit_lock(
        &mut self,
        open: OpenKey,
        anew: Option<&[u8]>,
        out: &mut Outbox,
    ) -> Result<(), LimitReached> {
        let (file, client) = self.of_open(open)?;
        let peer = self.clients.get(client).ok_or(LimitReached::Share)?.peer;
        self.admit_beside_kept(out, |core| {
            core.states.locked(file, client).admits(LOCKED_PER_FILE, 1)
        })?;
        self.admit(peer, out, |core| {
            let (states, most) = (&core.states, core.config.max_states as usize);
            let Some(owner) = anew else {
                return states.held(client).admits(most, 1);
            };
            states.held(client).admits(most, 2)?;
            let most = most * BYTES_OF_OWNERS;
            states.lock_owners.admits(client, owner, most)
        })
    }

    /// Whether a range that is locked under a stateid may be cut in two: up to twice the limit, since a
    /// client must be able to unlock.
    pub(crate) fn admit_cut(
        &mut self,
        lock: LockKey,
        out: &mut Outbox,
    ) -> Result<(), LimitReached> {
        let lock = self.states.lock(lock).ok_or(LimitReached::Share)?;
        let (file, client) = (lock.file, lock.client);
        let peer = self.clients.get(client).ok_or(LimitReached::Share)?.peer;
        self.admit_beside_kept(out, |core| {
            core.states
                .locked(file, client)
                .admits(2 * LOCKED_PER_FILE, 1)
        })?;
        self.admit(peer, out, |core| {
            let most = core.config.max_states as usize;
            core.states.held(client).admits(2 * most, 1)
        })
    }

    /// Whether a lock-owner may wait for one more lock under an open.
    pub(crate) fn admit_wait(&self, open: OpenKey, owner: &[u8]) -> Result<(), LimitReached> {
        let (_, client) = self.of_open(open)?;
        let (states, most) = (&self.states, self.config.max_states as usize);
        states.held(client).admits(most, 1)?;
        let most = most * BYTES_OF_OWNERS;
        states.lock_owners.admits(client, owner, most)
    }

    /// Whether one more file may be delegated to a client: a part of all state is left for opens and
    /// locks.
    pub(crate) fn admit_delegation(
        &mut self,
        client: ClientKey,
        out: &mut Outbox,
    ) -> Result<(), LimitReached> {
        let own = self.clients.get(client).ok_or(LimitReached::Share)?;
        if own.delegations.len() >= self.config.max_delegations_per_client as usize {
            return Err(LimitReached::Share);
        }
        let peer = own.peer;
        self.admit(peer, out, |core| {
            let (config, states) = (&core.config, &core.states);
            let delegated = states.delegated(client);
            delegated.admits(config.max_delegations as usize, 1)?;
            states
                .held(client)
                .admits(config.max_states as usize / 4 * 3, 1)
        })
    }

    fn of_open(&self, open: OpenKey) -> Result<(FileKey, ClientKey), LimitReached> {
        let open = self.states.get(open).ok_or(LimitReached::Share)?;
        Ok((open.file, open.client))
    }
}

impl LimitReached {
    /// The status of CREATE_SESSION. [RFC 8881 §18.36.3]
    pub(crate) fn of_session(self) -> Status {
        match self {
            LimitReached::Soon => Status::DELAY,
            LimitReached::Share | LimitReached::Others | LimitReached::Node => Status::NOSPC,
        }
    }

    /// The status of OPEN. [RFC 8881 §15.1.4.2, §15.1.4.8, RFC 7530 §13.1.3.4]
    pub(crate) fn of_open(self, minor: u32) -> Status {
        match self {
            LimitReached::Soon => Status::DELAY,
            LimitReached::Share | LimitReached::Others | LimitReached::Node if minor == 0 => {
                Status::RESOURCE
            }
            LimitReached::Share | LimitReached::Others => Status::DQUOT,
            LimitReached::Node => Status::NOSPC,
        }
    }

    /// The status of LOCK and LOCKU. [RFC 8881 §15.1.1.10, RFC 7530 §13.1.3.4]
    pub(crate) fn of_lock(self, minor: u32) -> Status {
        match self {
            LimitReached::Soon => Status::DELAY,
            LimitReached::Share | LimitReached::Others | LimitReached::Node if minor == 0 => {
                Status::RESOURCE
            }
            // DENIED would name no owner, and LOCK_NOTSUPP would be untrue.
            LimitReached::Share | LimitReached::Others | LimitReached::Node => Status::SERVERFAULT,
        }
    }

    /// The status of EXCHANGE_ID and SETCLIENTID. [RFC 8881 §15.1.1.10, RFC 7530 §13.1.3.4]
    pub(crate) fn of_client(self, minor: u32) -> Status {
        match self {
            LimitReached::Soon => Status::DELAY,
            LimitReached::Share | LimitReached::Others | LimitReached::Node if minor == 0 => {
                Status::RESOURCE
            }
            // Of all statuses of EXCHANGE_ID, no other says that it cannot be done.
            LimitReached::Share | LimitReached::Others | LimitReached::Node => Status::SERVERFAULT,
        }
    }
}

/// Maximum number of locked ranges of a file, those of each owner counted; a peer gets a third. A range
/// that is cut in two counts for half.
const LOCKED_PER_FILE: usize = 16_384;
/// Bytes of owners' names and, in 4.0, of their last replies, for each state of
/// [`Config::max_states`](crate::Config::max_states).
const BYTES_OF_OWNERS: usize = 256;
