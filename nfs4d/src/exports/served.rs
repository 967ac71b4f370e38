//! The exports that are served, and those that are stored and cannot be.

use std::collections::BTreeMap;
use std::sync::Arc;

use nfs4_admin::{
    Export as Shown, ExportBackend, ExportNetwork, ExportOptions, ExportSource, Security, Squash,
};
use nfs4_engine::fs::Flavor;
use nfs4_engine::{self as engine, Export, NetworkRule};

use super::backend::Opened;
use super::entry::{Entry, Files, Rules};
use super::place::Place;

/// An export that is served.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) entry: Entry,
    pub(super) number: u16,
    pub(super) opened: Opened,
}

/// An export that is stored, and cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Idle {
    pub(super) options: ExportOptions,
    /// Why.
    pub(super) fault: String,
}

/// All exports, by the paths at which clients find them.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) served: BTreeMap<String, Arc<Served>>,
    pub(super) idle: BTreeMap<String, Idle>,
}

impl Table {
    /// The exports as the engine has them.
    pub(super) fn engine(&self) -> Vec<Export> {
        self.served.values().map(|served| served.engine()).collect()
    }

    /// Those that are served from directories, and where these are.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Entry, &Place)> {
        self.served
            .values()
            .filter_map(|served| Some((&served.entry, served.opened.place.as_ref()?)))
    }

    /// What was given for those that are served, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.served.values().map(|served| &served.entry)
    }
}

impl Served {
    /// As the engine has it.
    pub(super) fn engine(&self) -> Export {
        let Entry { pseudo, rules, .. } = &self.entry;
        Export::new(pseudo.clone(), self.opened.backend()).with(|export| {
            export.number = Some(self.number);
            export.read_only = rules.read_only;
            export.squash = squash(rules.squash);
            export.anonymous = rules.anonymous;
            export.minor_versions = rules.minor_versions.0..=rules.minor_versions.1;
            let flavors = rules.sec.iter();
            export.flavors = flavors.map(|one| flavor(*one)).collect();
            let networks = rules.networks.iter();
            export.access = networks
                .map(|one| {
                    NetworkRule::new(one.network).with(|rule| {
                        rule.read_only = one.read_only;
                        rule.squash = one.squash.map(squash);
                    })
                })
                .collect();
        })
    }

    /// Whether its directory is still at its path.
    pub(super) fn is_in_place(&self) -> bool {
        let place = self.opened.place.as_ref().zip(self.entry.directory());
        place.is_none_or(|(place, path)| place.fault(path).is_none())
    }

    /// As the administration interface has it.
    pub(super) fn shown(&self, is_stored: bool) -> Shown {
        let Entry {
            pseudo,
            source,
            files,
            rules,
            ..
        } = &self.entry;
        let backend = match files {
            Files::Local { .. } => ExportBackend::Local,
            Files::Memory { .. } => ExportBackend::Memory,
        };
        let mut shown = Shown::new(pseudo.clone(), backend, *source);
        shown.number = Some(self.number);
        shown.persistent = is_stored || *source != ExportSource::Request;
        match files {
            Files::Local {
                path,
                cross_mounts,
                local_locks,
            } => {
                shown.path = Some(path.display().to_string());
                shown.cross_mounts = *cross_mounts;
                shown.local_locks = *local_locks;
            }
            Files::Memory { size } => shown.memory = Some(size.0),
        }
        show_rules(rules, &mut shown);
        shown
    }
}

impl Idle {
    /// As the administration interface has it.
    pub(super) fn shown(&self, pseudo: &str) -> Shown {
        let backend = self.options.backend.unwrap_or_default();
        let mut shown = Shown::new(pseudo, backend, ExportSource::Request);
        shown.persistent = true;
        shown.fault = Some(self.fault.clone());
        shown.path.clone_from(&self.options.path);
        shown.cross_mounts = self.options.cross_mounts.unwrap_or_default();
        shown.local_locks = self.options.local_locks.unwrap_or_default();
        if let Ok(rules) = Rules::read(&self.options) {
            show_rules(&rules, &mut shown);
        }
        shown
    }
}

fn show_rules(rules: &Rules, shown: &mut Shown) {
    let (lowest, highest) = rules.minor_versions;
    let networks = rules.networks.iter().map(|one| {
        let mut network = ExportNetwork::new(one.network.to_string());
        network.read_only = one.read_only;
        network.squash = one.squash;
        network
    });
    shown.read_only = rules.read_only;
    shown.squash = rules.squash;
    (shown.anonymous_uid, shown.anonymous_gid) = rules.anonymous;
    shown.networks = networks.collect();
    shown.minor_versions = (lowest..=highest).collect();
    shown.sec.clone_from(&rules.sec);
}

fn squash(squash: Squash) -> engine::Squash {
    match squash {
        Squash::None => engine::Squash::None,
        Squash::Root => engine::Squash::Root,
        // Of a later interface: what is safe.
        _ => engine::Squash::All,
    }
}

fn flavor(security: Security) -> Flavor {
    match security {
        Security::None => Flavor::None,
        _ => Flavor::Sys,
    }
}
