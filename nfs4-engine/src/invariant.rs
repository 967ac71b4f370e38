//! What holds of the tables after every input, for tests: production code never asks.

mod callbacks;
mod courtesy;
mod exports;
mod levels;
mod peers;
mod waits;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use nfs4_proto::nfs4::basic::SessionId;

use crate::compound::Stage;
use crate::compound::opening::Opening;
use crate::connection::Connection;
use crate::delegation_kind::{DelegationKind, Touch};
use crate::direction::Direction;
use crate::engine::Engine;
use crate::guards::Guard;
use crate::ids::ConnId;
use crate::keys::{SessionKey, kind};
use crate::slab::Key;
use crate::state::claim::Claim;
use crate::state::delegation::{DelegationPhase, Revocation};
use crate::state::file::{Files, Shares};
use crate::state::owner::Owners;
use crate::state::owner_seqid::OwnerSeqid;
use crate::state::table::StateTables;

impl Engine {
    /// Whether the tables agree with each other; `open` are the connections that the driver has
    /// reported as taken and not returned. Maps cannot be walked through, so each is looked up from the
    /// side that can, and must not hold more.
    ///
    /// # Errors
    /// What does not hold.
    #[doc(hidden)]
    pub fn check_invariants(&self, open: &[ConnId]) -> Result<(), String> {
        self.check_bindings(open)?;
        self.check_levels(open)?;
        self.check_visits()?;
        self.check_exports()?;
        self.check_requests(open)?;
        self.check_callbacks(open)?;
        self.check_clients()?;
        self.check_losses()?;
        self.check_peers(open)?;
        self.check_waits()?;
        let states = self.runner.core.states.inside();
        self.check_opens(&states)?;
        check_locks(&states)?;
        self.check_delegations(&states)?;
        self.check_room(&states)?;
        check_files(&states, self.claims())
    }

    /// Which connections are bound to which sessions, in no particular order.
    #[doc(hidden)]
    pub fn bindings(&self) -> Vec<(SessionId, ConnId, Direction)> {
        let sessions = self.runner.core.sessions.entries();
        sessions
            .flat_map(|(_, session)| {
                let bindings = session.bindings.iter();
                bindings.map(|bound| (session.id, bound.conn, bound.direction))
            })
            .collect()
    }

    /// The index of bindings by session and that by connection agree. How many there may be of a
    /// session depends on what the limit was before; see `Excess` of the simulator.
    fn check_bindings(&self, open: &[ConnId]) -> Result<(), String> {
        let core = &self.runner.core;
        let mut by_session = 0;
        for (key, session) in core.sessions.entries() {
            by_session += session.bindings.len();
            for (at, binding) in session.bindings.iter().enumerate() {
                let connection = self.runner.core.connections.get(binding.conn);
                let known = connection.is_some_and(Connection::is_known);
                check(
                    known,
                    "a connection of a session is a stranger's",
                    binding.conn,
                )?;
                let conn = binding.conn;
                let again = session.bindings.iter().skip(at + 1);
                let twice = again.into_iter().any(|other| other.conn == conn);
                check(!twice, "bound twice to one session", conn)?;
                let connection = core.connections.get(conn);
                let knows = connection.is_some_and(|found| found.sessions.contains(&key));
                check(knows, "bound, and does not know of it", (conn, key))?;
                let known = connection.is_some_and(Connection::is_known);
                check(known, "bound, and a stranger to the driver", conn)?;
            }
        }
        let mut by_connection = 0;
        for conn in open {
            let connection = core.connections.get(*conn);
            let connection = connection.ok_or_else(|| format!("open, and not there: {conn}"))?;
            by_connection += connection.sessions.len();
        }
        check(
            core.connections.len() == open.len(),
            "connections that are closed",
            core.connections.len(),
        )?;
        // Each of the first is one of the second.
        check(
            by_session == by_connection,
            "bindings by session and by connection",
            (by_session, by_connection),
        )
    }

    /// What is parked is what sessions, slots, leases and draining connections wait for.
    fn check_requests(&self, open: &[ConnId]) -> Result<(), String> {
        let core = &self.runner.core;
        let mut by_session = BTreeMap::<SessionKey, u32>::new();
        let mut by_client = BTreeMap::new();
        let mut by_conn = BTreeMap::<ConnId, usize>::new();
        let mut awaited = BTreeMap::<(ConnId, u32), usize>::new();
        let mut promised = BTreeMap::<SessionKey, usize>::new();
        for run in self.runner.parked.iter() {
            check(run.has_waited, "parked without waiting", run.xid)?;
            check(!run.record.is_empty(), "parked without a record", run.xid)?;
            *by_conn.entry(run.conn).or_default() += 1;
            *awaited.entry((run.conn, run.awaited)).or_default() += 1;
            if let Some(scope) = run.sequenced {
                *by_session.entry(scope.session).or_default() += 1;
                *by_client.entry(scope.client).or_default() += 1;
            }
            if let Some((session, bytes)) = run.promised() {
                *promised.entry(session).or_default() += bytes;
            }
            if let Some(client) = run.leased_by {
                *by_client.entry(client).or_default() += 1;
            }
        }
        for (key, session) in core.sessions.entries() {
            let parked = by_session.get(&key).copied().unwrap_or(0);
            check(session.running == parked, "requests running", key)?;
            check(session.slots_in_use() == parked, "slots running", key)?;
            let promised = promised.get(&key).copied().unwrap_or(0);
            check(session.promised == promised, "promised bytes", key)?;
        }
        for (key, client) in core.clients.entries() {
            let parked = by_client.get(&key).copied().unwrap_or(0);
            let lease = core.lease_of(client);
            check(lease.running() == parked, "a lease held by", parked)?;
        }
        let (running, kept, bytes) = core.duplicates.counts();
        let requests = self
            .runner
            .parked
            .iter()
            .filter(|run| run.request.is_some());
        check(running == requests.count(), "requests of 4.0", running)?;
        let recounted = core.duplicates.recounted();
        let there = (bytes, running + kept);
        check(recounted == there, "kept replies", there)?;
        let mut draining = 0;
        for conn in open {
            if let Some((waiting, number)) = core.connections.waiting(*conn) {
                let found = awaited.get(&(*conn, number)).copied().unwrap_or(0);
                check(waiting == found, "a draining connection waits", conn)?;
                let parked = by_conn.get(conn).copied().unwrap_or(0);
                let all_found = core.connections.search_from(*conn).is_none();
                check(!all_found || found == parked, "it waits for all", conn)?;
                draining += 1;
            }
        }
        let counted = core.connections.draining();
        check(draining == counted, "draining connections", counted)
    }

    /// Clients, their owners and their sessions know each other.
    fn check_clients(&self) -> Result<(), String> {
        let core = &self.runner.core;
        let mut owners = 0;
        let mut sessions = 0;
        for (key, client) in core.clients.entries() {
            check(core.clients.by_id(client.id) == Some(key), "no id", key)?;
            let records = core.clients.of_owner(client.about.minor, &client.owner);
            let own = if client.confirmed {
                records.confirmed
            } else {
                records.unconfirmed
            };
            check(own == Some(key), "not its owner's record", key)?;
            let second = !client.confirmed && records.confirmed.is_some();
            owners += usize::from(!second);
            sessions += client.sessions.len();
            for session in &client.sessions {
                let found = core.sessions.get(*session);
                let knows = found.is_some_and(|found| found.client == key);
                check(knows, "a session of another", (key, session))?;
            }
        }
        check(core.clients.owners() == owners, "owners", owners)?;
        check(core.sessions.len() == sessions, "sessions", sessions)?;
        for (key, session) in core.sessions.entries() {
            let by_id = core.sessions.by_id(&session.id);
            check(by_id == Some(key), "no id", key)?;
            let client = core.clients.get(session.client);
            let knows = client.is_some_and(|client| client.sessions.contains(&key));
            check(knows, "its client does not know it", key)?;
        }
        Ok(())
    }

    /// The shares that OPENs have which cut a file.
    fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        self.runner.parked.iter().filter_map(|run| {
            let Stage::OpenCut { claim, .. } = run.stage else {
                return None;
            };
            Some(claim)
        })
    }

    /// Room is kept for OPENs that may make a file, as long as they wait.
    fn check_room(&self, states: &StateTables<'_>) -> Result<(), String> {
        let mut by_client = BTreeMap::<_, u32>::new();
        for run in self.runner.parked.iter() {
            let (Stage::OpenFound(Opening { room, .. }) | Stage::OpenCut { room, .. }) = run.stage
            else {
                continue;
            };
            if let Some(client) = room {
                *by_client.entry(client).or_default() += 1;
            }
        }
        // What a client had that has gone went with it.
        by_client.retain(|client, _| self.runner.core.clients.get(*client).is_some());
        let all: u32 = by_client.values().sum();
        check(states.opening == all as usize, "room kept", all)?;
        for (key, client) in self.runner.core.clients.entries() {
            let opening = by_client.get(&key).copied().unwrap_or(0);
            check(client.opening == opening, "room kept for a client", key)?;
        }
        Ok(())
    }

    /// Opens, their clients, owners and files know each other.
    fn check_opens(&self, states: &StateTables<'_>) -> Result<(), String> {
        for (key, open) in states.opens.entries() {
            let client = self.runner.core.clients.get(open.client);
            let listed = client.and_then(|client| client.opens.at(open.place()));
            check(listed == Some(key), "not where its client lists it", key)?;
            let owned = (open.owner, open.file);
            let by_owner = states.open_by_owner.get(&owned);
            check(by_owner == Some(&key), "not its owner's", key)?;
        }
        let clients = self.runner.core.clients.entries();
        let listed: usize = clients.map(|(_, client)| client.opens.len()).sum();
        check(listed == states.opens.len(), "opens of clients", listed)?;
        let by_owner = states.open_by_owner.len();
        check(
            by_owner == states.opens.len(),
            "opens of owners",
            states.opens.len(),
        )?;
        let opens = states.opens.entries();
        let held = opens.map(|(key, open)| (open.owner, key, open.owner_place()));
        check_owners(states.open_owners, held)?;
        self.check_seqids(states)
    }

    /// Owners have a seqid in minor version 0 only; it runs as long as its COMPOUND, and names the open
    /// that was closed.
    fn check_seqids(&self, states: &StateTables<'_>) -> Result<(), String> {
        let mut running = 0;
        let mut closed = 0;
        for (key, owner) in states.open_owners.entries() {
            let client = self.runner.core.clients.get(owner.client());
            let minor = client.map(|client| client.about.minor);
            let Some(seqid) = owner.seqid() else {
                check(minor != Some(0), "an owner without a seqid", key)?;
                continue;
            };
            check(minor == Some(0), "a seqid of another minor version", key)?;
            running += usize::from(seqid.is_running());
            if let Some(open) = seqid.closed {
                check(states.opens.get(open).is_none(), "closed, and open", open)?;
                let by = states.closed.get(&open);
                check(by == Some(&key), "closed by another", open)?;
                closed += 1;
            }
        }
        check(closed == states.closed.len(), "what was closed", closed)?;
        let requests = self
            .runner
            .parked
            .iter()
            .filter(|run| run.owner_request.is_some());
        // Of an owner's request whose client has gone, nothing is left but the COMPOUND.
        check(
            running <= requests.count(),
            "requests of owners that run",
            running,
        )
    }

    /// Delegations, their clients and files refer to each other, and no other client has the file open in
    /// a way that a delegation excludes.
    fn check_delegations(&self, states: &StateTables<'_>) -> Result<(), String> {
        let mut held = [0; DelegationKind::ALL.len()];
        let (mut revoked, mut expired) = (BTreeMap::<_, u32>::new(), BTreeMap::<_, u32>::new());
        for (key, delegation) in states.delegated.entries() {
            let client = self.runner.core.clients.get(delegation.client);
            let listed = client.and_then(|client| client.delegations.at(delegation.place()));
            check(listed == Some(key), "not where its client lists it", key)?;
            if delegation.is_revoked() {
                *revoked.entry(delegation.client).or_default() += 1;
                let why = DelegationPhase::Revoked(Revocation::LeaseExpired);
                *expired.entry(delegation.client).or_default() +=
                    u32::from(delegation.phase == why);
                continue;
            }
            held[delegation.kind as usize] += 1;
            let file = states.files.get(delegation.file);
            let file = file.ok_or_else(|| format!("a delegation of nothing: {key:?}"))?;
            let listed = file.delegations.at(delegation.file_place());
            check(listed == Some(key), "not where its file lists it", key)?;
            for open in file.opens.iter().filter_map(|open| states.opens.get(open)) {
                let own = open.client == delegation.client;
                let forbidden = delegation.forbids(Touch::of(open.share));
                check(own || !forbidden, "open beside a delegation", key)?;
            }
            for other in file.delegations.iter().filter(|other| *other != key) {
                let other = states.delegated.get(other);
                let beside = other.is_some_and(|other| {
                    let reads = DelegationKind::Read;
                    other.client != delegation.client
                        && (other.kind, delegation.kind) == (reads, reads)
                });
                check(beside, "delegated twice", key)?;
            }
        }
        check(held == states.delegated.held(), "delegations", held)?;
        let mut listed = 0;
        for (key, client) in self.runner.core.clients.entries() {
            listed += client.delegations.len();
            let revoked = revoked.get(&key).copied().unwrap_or(0);
            check(client.revoked == revoked, "revoked of a client", key)?;
            let expired = expired.get(&key).copied().unwrap_or(0);
            check(
                client.lost.delegations == expired,
                "expired of a client",
                key,
            )?;
        }
        check(
            listed == states.delegated.len(),
            "delegations of clients",
            listed,
        )?;
        // A request that does not wait has ended its guard.
        let guarded = self.runner.parked.iter();
        let guarded = guarded.filter(|run| run.guard != Guard::None).count();
        let taken = self.runner.core.guards.taken();
        check(taken as usize == guarded, "guards", taken)
    }
}

/// Locks, their opens and owners know each other.
fn check_locks(states: &StateTables<'_>) -> Result<(), String> {
    for (key, lock) in states.locks.entries() {
        let open = states.opens.get(lock.open);
        let open = open.ok_or_else(|| format!("a lock without its open: {key:?}"))?;
        let listed = open.locks.at(lock.place());
        check(listed == Some(key), "not where its open lists it", key)?;
        let same = open.client == lock.client && open.file == lock.file;
        check(same, "a lock of another open", key)?;
        let by_owner = states.lock_by_owner.get(&(lock.owner, lock.open));
        check(by_owner == Some(&key), "not its owner's", key)?;
    }
    let listed: usize = states.opens.iter().map(|open| open.locks.len()).sum();
    check(listed == states.locks.len(), "locks of opens", listed)?;
    let by_owner = states.lock_by_owner.len();
    check(
        by_owner == states.locks.len(),
        "locks of owners",
        states.locks.len(),
    )?;
    let locks = states.locks.entries();
    let held = locks.map(|(key, lock)| (lock.owner, key, lock.owner_place()));
    check_owners(states.lock_owners, held)
}

/// An owner is there as long as it has state or its seqid is remembered.
fn check_owners<T>(
    owners: &Owners<T>,
    held: impl Iterator<Item = (Key<kind::Owner<T>>, Key<T>, u32)>,
) -> Result<(), String> {
    let mut counted = 0;
    for (owner, what, place) in held {
        let owner = owners.get(owner);
        let listed = owner.and_then(|owner| owner.held().at(place));
        check(listed == Some(what), "not where its owner lists it", what)?;
        counted += 1;
    }
    let (mut listed, mut loose, mut resting) = (0, 0, 0);
    for (key, owner) in owners.entries() {
        listed += owner.held().len();
        let kept = !owner.held().is_empty() || owner.seqid().is_some();
        check(kept, "an owner of nothing", key)?;
        let found = owners.find(owner.client(), owner.name());
        check(found == Some(key), "an owner without its name", key)?;
        let running = owner.seqid().is_some_and(OwnerSeqid::is_running);
        loose += usize::from(owner.is_loose());
        resting += usize::from(owner.is_loose() && !running);
    }
    check(listed == counted, "held by owners", (listed, counted))?;
    let there = (owners.len(), loose, resting);
    check(owners.counts() == there, "names of owners", there)
}

/// A file lists the opens and delegations that it has, and the owners of its locks are there.
fn check_files(
    states: &StateTables<'_>,
    claims: impl Iterator<Item = Claim>,
) -> Result<(), String> {
    let files: &Files = states.files;
    let mut opened = BTreeMap::<_, (usize, u32, Shares)>::new();
    for claim in claims {
        let (_, claims, shares) = opened.entry(claim.file).or_default();
        *claims += 1;
        shares.add(claim.share);
    }
    for (key, open) in states.opens.entries() {
        let (opens, _, shares) = opened.entry(open.file).or_default();
        *opens += 1;
        shares.add(open.share);
        let file = files.get(open.file);
        let listed = file.and_then(|file| file.opens.at(open.file_place()));
        check(listed == Some(key), "not where its file lists it", key)?;
    }
    let mut delegated = BTreeMap::<_, (usize, u32)>::new();
    for (_, held) in states.delegated.entries() {
        let (live, revoked) = delegated.entry(held.file).or_default();
        *live += usize::from(!held.is_revoked());
        *revoked += u32::from(held.is_revoked());
    }
    let mut ranges = 0;
    let mut waiting = 0;
    for (key, file) in files.entries() {
        check(files.find(&file.fh) == Some(key), "no handle", key)?;
        let opens = opened.remove(&key).unwrap_or_default();
        check(opens == file.counted(), "shares of opens", key)?;
        let listed = (file.delegations.len(), file.revoked);
        let found = delegated.remove(&key).unwrap_or_default();
        check(listed == found, "delegations of a file", key)?;
        let used = opens.0 + found.0 > 0 || opens.1 + found.1 > 0;
        check(used, "idle", key)?;
        for (owner, lock) in file.locked.owners() {
            let found = states.locks.get(lock);
            let same = found.is_some_and(|lock| (lock.file, lock.owner) == (key, owner));
            check(same, "locked without a lock-owner", (key, lock))?;
            ranges += 1;
        }
        for waiter in file.waiters.iter() {
            let open = states.opens.get(waiter.open);
            let same = open.is_some_and(|open| open.file == key && open.client == waiter.client);
            check(same, "a waiter without an open", key)?;
            waiting += 1;
        }
    }
    check(opened.is_empty(), "opens of no file", opened.len())?;
    check(
        delegated.is_empty(),
        "delegations of no file",
        delegated.len(),
    )?;
    check(ranges == states.ranges, "ranges", ranges)?;
    check(waiting == states.waiting, "waiting", waiting)?;
    let handles = files.handles();
    check(handles == files.len(), "handles of files", handles)
}

fn check(holds: bool, what: &str, which: impl Debug) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{what}: {which:?}"))
    }
}
