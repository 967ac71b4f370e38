//! What is counted to each peer is what it has.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::check;
use crate::client::Client;
use crate::engine::Engine;
use crate::ids::ConnId;
use crate::peer::{Party, Peer};
use crate::slab::Key;
use crate::state::owner::Owners;

/// How much each party has of something.
type Tally = BTreeMap<Key<Party>, usize>;

impl Engine {
    /// Peers are held by what they have, and so much of everything as they have is counted.
    pub(super) fn check_peers(&self, open: &[ConnId]) -> Result<(), String> {
        let core = &self.core;
        let conns = open.iter().filter_map(|conn| core.connections.get(*conn));
        let hosts = conns.map(|connection| (connection.host, 1));
        let clients = || core.clients.entries().map(|(_, client)| (client.peer, 1));
        let uses: Tally = core.peers.uses().collect();
        let requests = || core.duplicates.hosts();
        let known = requests().map(|(host, _)| (host, 1));
        let used = tally(hosts.chain(clients()).chain(known));
        check(uses == used, "uses of peers", (&uses, &used))?;
        let counts = core.peers.counts();
        check(counts == (used.len(), used.len()), "peers", counts)?;

        let listed = |confirmed: bool| {
            let clients = core.clients.entries().map(|(_, client)| client);
            let of = clients.filter(|client| client.is_listed() && client.confirmed == confirmed);
            tally(of.map(|client| (client.peer, 1)))
        };
        let [unconfirmed, idle] = [listed(false), listed(true)];
        let ranks = core.clients.ranks();
        check(ranks[0].are(unconfirmed), "unconfirmed of peers", ())?;
        check(ranks[1].are(idle), "idle clients of peers", ())?;
        for (key, client) in core.clients.entries() {
            let may_go = !client.has_state();
            check(!may_go || client.is_listed(), "gives way to nobody", key)?;
        }
        check(
            core.clients.shares.are(tally(clients())),
            "clients of peers",
            (),
        )?;
        let sessions = core.sessions.entries();
        let sessions = tally(sessions.map(|(_, session)| (session.peer, 1)));
        check(core.sessions.shares.are(sessions), "sessions of peers", ())?;
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
        self.check_owners_of_peers(&core.states.open_owners)?;
        self.check_owners_of_peers(&core.states.lock_owners)
    }

    fn check_owners_of_peers<T>(&self, owners: &Owners<T>) -> Result<(), String> {
        let (mut names, mut resting) = (Tally::new(), Tally::new());
        for (key, owner) in owners.entries() {
            let peer = self.peer_of(owner.client());
            let peer = peer.ok_or_else(|| format!("an owner of no client: {key:?}"))?;
            add(&mut names, peer, owner.name().len());
            if owner.is_resting() {
                add(&mut resting, peer, 1);
            }
        }
        check(owners.names.are(names), "names of owners of peers", ())?;
        check(owners.resting.are(resting), "resting owners of peers", ())
    }

    fn peer_of(&self, client: Key<Client>) -> Option<Peer> {
        let client = self.core.clients.get(client);
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
