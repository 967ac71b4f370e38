//! Views of clients.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::ToString as _;

use super::count_of;
use super::page::{Cursor, Page, page};
use crate::client::Client;
use crate::engine::Engine;
use crate::keys::ClientKey;
use crate::time::{Now, Wall};
use crate::traffic::Traffic;

/// A client record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClientView {
    /// What the wire calls it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::json::client"))]
    pub client_id: u64,
    /// Where its last EXCHANGE_ID came from.
    pub address: Option<Box<str>>,
    /// The minor version that it speaks.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "nfs_version", serialize_with = "super::json::version")
    )]
    pub minor: u32,
    /// Whether its lease still runs.
    pub lease_status: LeaseStatus,
    /// When its lease was last renewed.
    pub last_renewal: Wall,
    /// When its lease expired, if it has.
    pub expired_at: Option<Wall>,
    /// Whether the client has confirmed the record, in 4.1 with its first CREATE_SESSION.
    pub confirmed: bool,
    /// `co_ownerid`. Bytes that are not UTF-8 are escaped when it is serialised.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::json::owner"))]
    pub owner: Box<[u8]>,
    /// Number of times that this client took its owner name back from another client.
    pub comebacks: u32,
    /// The name of its implementation.
    pub impl_name: Option<Box<str>>,
    /// The domain of its implementer.
    pub impl_domain: Option<Box<str>>,
    /// Sessions that it has.
    pub sessions: u32,
    /// Files that its owners have open.
    pub opens: u32,
    /// Lock stateids that it has.
    pub locks: u32,
    /// Files that are delegated to it.
    pub delegations: u32,
    /// What it has done since the record was made: in minor version 0 COMPOUNDs that use its state or its
    /// client id, later those of its sessions.
    pub traffic: Traffic,
}

/// Whether a lease still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum LeaseStatus {
    /// The lease runs.
    Active,
    /// The lease has run out, and the client's state is removed next.
    Expired,
    /// The lease has run out, and the client's state is kept until another client needs it.
    Courtesy,
}

impl Engine {
    /// At most `max` client records, confirmed or not, from a place on.
    pub fn clients(&self, now: Now, from: Cursor, max: usize) -> Page<ClientView> {
        let places = self.runner.core.clients.places_from(from.0);
        page(places, max, names_of, |key, client| {
            self.client(now, key, client)
        })
    }

    /// A client record; none if there is no such client.
    pub fn client_view(&self, now: Now, client_id: u64) -> Option<ClientView> {
        let clients = &self.runner.core.clients;
        let key = clients.by_id(client_id)?;
        let client = clients.get(key)?;
        Some(self.client(now, key, client))
    }

    fn client(&self, now: Now, key: ClientKey, client: &Client) -> ClientView {
        let core = &self.runner.core;
        let lease = core.lease_of(client);
        let expired = core.is_expired(key, now.mono);
        let end = lease.renewed().after(core.lease_length(key));
        let about = &client.about;
        ClientView {
            client_id: client.id,
            address: about.address.clone(),
            minor: about.minor,
            lease_status: match (expired, core.is_lost(key, now.mono)) {
                (false, _) => LeaseStatus::Active,
                (true, false) => LeaseStatus::Courtesy,
                (true, true) => LeaseStatus::Expired,
            },
            last_renewal: now.wall.before(now.mono.since(lease.renewed())),
            expired_at: expired.then(|| now.wall.before(now.mono.since(end))),
            confirmed: client.confirmed,
            owner: client.owner.clone(),
            comebacks: client.comebacks,
            impl_name: about.impl_name.clone(),
            impl_domain: about.impl_domain.clone(),
            sessions: count_of(client.sessions.len()),
            opens: count_of(client.opens.len()),
            locks: self.runner.core.states.locks_of_client(key),
            delegations: count_of(client.delegations.len()) - client.revoked,
            traffic: self.traffic(client),
        }
    }

    /// What a client has done, in all its sessions.
    fn traffic(&self, client: &Client) -> Traffic {
        let mut traffic = client.traffic;
        let sessions = client.sessions.iter();
        for session in sessions.filter_map(|key| self.runner.core.sessions.get(*key)) {
            traffic.add(session.traffic);
        }
        traffic.into()
    }
}

/// A client, and what it calls itself: it may have chosen kilobytes.
fn names_of(client: &Client) -> usize {
    let about = &client.about;
    let names = [&about.impl_name, &about.impl_domain];
    let names = names.map(|name| name.as_ref().map_or(0, |name| name.len()));
    1 + client.sessions.len() + (client.owner.len() + names.iter().sum::<usize>()) / COPIED
}

/// An owner as people read it: as it is if it is text that can be shown, and escaped if not.
pub fn owner_text(owner: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(owner) {
        Ok(text) if !text.contains(char::is_control) => Cow::Borrowed(text),
        _ => Cow::Owned(owner.escape_ascii().to_string()),
    }
}

/// Number of bytes that take about as long to copy.
const COPIED: usize = 1_024;
