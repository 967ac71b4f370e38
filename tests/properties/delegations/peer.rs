//! A client with files, and what it knows of its opens and delegations.

use std::time::Duration;

use nfs4_proto::nfs4::basic::Stateid;
use nfs4_tests::sim::{Client, Sim};

use super::play::FILES;
use crate::reachable_client::reachable_client;

/// What a client has of a file, as it knows it.
#[derive(Clone, Copy, Default)]
pub(super) struct Held {
    /// Its open, and whether that writes.
    pub(super) open: Option<(Stateid, bool)>,
    pub(super) delegation: Option<Delegation>,
}

#[derive(Clone, Copy)]
pub(super) struct Delegation {
    pub(super) stateid: Stateid,
    pub(super) write: bool,
    /// It was recalled then.
    pub(super) recalled: Option<Duration>,
    /// How often the client said that it has no such delegation.
    pub(super) denied: u32,
    /// It was revoked.
    pub(super) lost: bool,
}

pub(super) struct Peer {
    pub(super) client: Client,
    /// When its lease was last renewed.
    pub(super) heard: Duration,
    pub(super) held: [Held; FILES.len()],
    /// Counts what it has been: it comes again as another client.
    pub(super) incarnation: u32,
    /// Delegations that were revoked, of files that it has another of by now.
    pub(super) lost: Vec<Stateid>,
}

impl Peer {
    pub(super) fn new(sim: &mut Sim, peer: usize, incarnation: u32) -> Peer {
        let client = reachable_client(sim, &format!("peer {peer}"));
        Peer {
            client,
            incarnation,
            heard: sim.now(),
            held: [Held::default(); FILES.len()],
            lost: Vec::new(),
        }
    }
}
