//! Views of the exports.

use alloc::string::String;
use alloc::vec::Vec;

use crate::engine::Engine;
use crate::exports::Served;
use crate::fs::Flavor;
use crate::network::NetworkRule;
use crate::squash::Squash;

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExportView {
    /// Its path.
    pub path: String,
    /// Its number.
    pub number: u16,
    /// Whether it is removed, and ends: its path is free, its number and its file system are not.
    pub ending: bool,
    /// Whether hosts without a rule of their own may only read it.
    pub read_only: bool,
    /// The users of such hosts that are squashed.
    pub squash: Squash,
    /// The user id and group id of squashed users, and of requests without a credential.
    pub anonymous: (u32, u32),
    /// The networks whose hosts may use it; empty: all hosts.
    pub access: Vec<NetworkRule>,
    /// The first and the last minor version that it is served in.
    pub minor_versions: (u32, u32),
    /// The flavours that it is served to, the best first.
    pub flavors: Vec<Flavor>,
    /// Client records with a request that ended at a file of the export.
    pub clients: u32,
    /// Opens of its files.
    pub opens: u32,
}

impl Engine {
    /// The exports, in the order of their numbers: those that are served, and those that are removed and
    /// that requests or state still use.
    pub fn exports(&self) -> Vec<ExportView> {
        let served = self.runner.core.exports.all();
        served.map(|served| self.export(served)).collect()
    }

    fn export(&self, served: &Served) -> ExportView {
        let (core, number) = (&self.runner.core, served.number());
        let export = &served.export;
        let versions = &export.minor_versions;
        let clients = core.clients.visitors(number);
        ExportView {
            path: export.path.clone(),
            number,
            ending: served.is_ending(),
            read_only: export.read_only,
            squash: export.squash,
            anonymous: export.anonymous,
            access: export.access.clone(),
            minor_versions: (*versions.start(), *versions.end()),
            flavors: export.flavors.clone(),
            clients: u32::try_from(clients).unwrap_or(u32::MAX),
            opens: core.states.files.opens_of(number),
        }
    }
}
