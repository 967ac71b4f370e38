//! What is counted to each peer is what it has.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::check;
use crate::engine::Engine;
use crate::ids::ConnId;
use crate::keys::{ClientKey, PartyKey};
use crate::peer::Peer;
use crate::state::account::FEW;
use crate::state::owner::{Owner, Owners};
use crate::state::table::StateTables;

/// How much each party has of something.
type Tally = BTreeMap<PartyKey, usize>;

impl Engine {
    /// Peers are charged with what they have, no more and no less.
    pub(super) fn check_peers(&self, open: &[ConnId]) -> Result<(), String> {
        let core = &self.runner.core;
        let conns = open.iter().filter_map(|conn| core.connections.get(*conn));
        let hosts = conns.map(|connection| (connection.host, 1));
        let clients = || core.clients.entries().map(|(_, client)| (client.peer, 1));
        let uses: Tally = core.peers.uses().collect();
        let requests = || core.duplicates.hosts();
        let known = requests().map(|(host, _)| (host, 1));
        let lapses = core.lapses.peers().map(|peer| (peer, 1));
        let used = tally(hosts.chain(clients()).chain(known).chain(lapses));
        check(uses == used, "uses of peers", (&uses, &used))?;
        let counts = core.peers.counts();
        check(counts == (used.len(), used.len()), "peers", counts)?;

        let listed = |confirmed: bool, courteous: bool| {
            let clients = core.clients.entries().map(|(_, client)| client);
            let of = clients.filter(|client| client.is_listed() && client.confirmed == confirmed);
            let of = of.filter(|client| client.courteous == courteous);
            tally(of.map(|client| (client.peer, 1)))
        };
        let [unconfirmed, idle] = [listed(false, false), listed(true, false)];
        let ranks = core.clients.ranks();
        let courteous = listed(true, true);
        check(ranks[2].are(courteous), "courteous clients of peers", ())?;
        check(ranks[0].are(unconfirmed), "unconfirmed of peers", ())?;
        check(ranks[1].are(idle), "idle clients of peers", ())?;
        for (key, client) in core.clients.entries() {
            let may_go = !client.has_state() || client.courteous;
            check(
                !may_go || client.is_listed(),
                "may be evicted and is not listed",
                key,
            )?;
        }
        check(
            core.clients.shares.are(tally(clients())),
            "clients of peers",
            (),
        )?;
        let sessions = core.sessions.entries();
        let sessions = tally(sessions.map(|(_, session)| (session.peer, 1)));
        check(core.sessions.shares.are(sessions), "sessions of peers", ())?;
        let kept = core.sessions.entries();
        let kept = kept.map(|(_, session)| (session.peer, session.cached_bytes()));
        let are = core.sessions.reply_memory().0.are(tally(kept));
        check(
            are,
            "bytes kept of peers",
            core.sessions.reply_memory().0.all(),
        )?;
        let promised = core.sessions.entries();
        let promised = promised.map(|(_, session)| (session.peer, session.promised));
        let are = core.sessions.reply_memory().1.are(tally(promised));
        check(
            are,
            "bytes promised to peers",
            core.sessions.reply_memory().1.all(),
        )?;
        for (key, session) in core.sessions.entries() {
            let of = self.peer_of(session.client);
            check(of == Some(session.peer), "counted to another", key)?;
        }
        let (ranks, bytes) = core.duplicates.kept();
        let answered = requests().filter(|(_, kept)| kept.is_some());
        let answered = tally(answered.map(|(host, _)| (host, 1)));
        check(ranks.are(answered), "replies kept of hosts", ())?;
        let kept = requests().filter_map(|(host, kept)| Some((host, kept?)));
        check(bytes.are(tally(kept)), "bytes kept of hosts", ())?;
        let states = core.states.inside();
        self.check_states_of_peers(&states)?;
        self.check_owners_of_peers(states.open_owners, Tally::new())?;
        let files = states.files.entries().map(|(_, file)| file);
        let waiters = files.flat_map(|file| file.waiters.iter());
        let waiting = tally(waiters.map(|waiter| (waiter.peer, waiter.owner.len())));
        self.check_owners_of_peers(states.lock_owners, waiting)
    }

    /// All state is counted to the peer of its client, and locked ranges in each file too.
    fn check_states_of_peers(&self, states: &StateTables<'_>) -> Result<(), String> {
        let clients = self.runner.core.clients.entries().map(|(_, client)| client);
        let delegated = tally(clients.map(|client| (client.peer, client.delegations.len())));
        let are = states.accounts.delegations.are(delegated);
        check(are, "delegations of peers", ())?;
        let mut all = Tally::new();
        let mut add = |client: ClientKey, more: usize| {
            let peer = self.peer_of(client);
            let peer = peer.ok_or_else(|| format!("state of no client: {client:?}"))?;
            add(&mut all, peer, more);
            Ok::<_, String>(())
        };
        for (key, client) in self.runner.core.clients.entries() {
            let listed = client.opens.len() + client.delegations.len() + client.lost.remembered();
            add(key, listed + client.opening as usize)?;
        }
        for (_, lock) in states.locks.entries() {
            add(lock.client, 1)?;
        }
        let mut ranges = BTreeMap::new();
        for (key, file) in states.files.entries() {
            for (owner, _) in file.locked.owners() {
                let owner = states.lock_owners.get(owner);
                let client = owner.map(Owner::client);
                let client = client.ok_or_else(|| format!("locked by no owner: {key:?}"))?;
                add(client, 1)?;
                if file.locked.len() <= FEW {
                    continue;
                }
                let peer = self.peer_of(client).into_iter();
                for party in peer.flat_map(Peer::parties) {
                    *ranges.entry((party, key)).or_default() += 1;
                }
            }
            for waiter in file.waiters.iter() {
                add(waiter.client, 1)?;
                let peer = self.peer_of(waiter.client);
                check(peer == Some(waiter.peer), "waits for another", key)?;
            }
        }
        check(states.accounts.all.are(all), "state of peers", ())?;
        for ((party, file), count) in &ranges {
            let counted = states.accounts.ranges(*party, *file);
            check(
                counted == *count,
                "ranges of a peer in a file",
                (party, file),
            )?;
        }
        let counted = states.accounts.files();
        check(counted == ranges.len(), "ranges of peers in files", counted)
    }

    /// The names and last replies of owners are counted, and `bytes` besides, and which of them
    /// rest.
    fn check_owners_of_peers<T>(&self, owners: &Owners<T>, mut bytes: Tally) -> Result<(), String> {
        let mut resting = Tally::new();
        for (key, owner) in owners.entries() {
            let peer = self.peer_of(owner.client());
            let peer = peer.ok_or_else(|| format!("an owner of no client: {key:?}"))?;
            add(&mut bytes, peer, owner.bytes());
            if owner.is_resting() {
                add(&mut resting, peer, 1);
            }
        }
        check(owners.bytes.are(bytes), "bytes of owners of peers", ())?;
        check(owners.resting.are(resting), "resting owners of peers", ())
    }

    fn peer_of(&self, client: ClientKey) -> Option<Peer> {
        let client = self.runner.core.clients.get(client);
        client.map(|client| client.peer)
    }
}

fn tally(had: impl IntoIterator<Item = (Peer, usize)>) -> Tally {
    let mut tally = Tally::new();
    for (peer, more) in had {
        add(&mut tally, peer, more);
    }
    tally
}

fn add(tally: &mut Tally, peer: Peer, more: usize) {
    for party in peer.parties() {
        *tally.entry(party).or_default() += more;
    }
}
