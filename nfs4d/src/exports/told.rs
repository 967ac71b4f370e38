//! What people are told of exports: lines of the banner and of the log.

use std::sync::Arc;

use nfs4_admin::{Security, Squash};

use super::entry::{Entry, Files, NetworkRule, Rules};
use super::served::{Served, Table};
use crate::size::Size;

impl Table {
    /// A line for each export, and for what the administrator must know of it; some of them if there are many.
    pub(super) fn lines(&self) -> Vec<String> {
        let width = self.served.keys().map(|path| path.chars().count()).max();
        let width = width.unwrap_or_default().min(WIDEST);
        let mut lines = Vec::new();
        for served in self.served.values().take(MOST_SHOWN) {
            let Entry { pseudo, rules, .. } = &served.entry;
            let files = served.entry.files_told();
            lines.push(format!(
                "{pseudo:width$}  {files}; {}",
                told(rules, served.entry.directory().is_some())
            ));
        }
        let more = self.served.len().saturating_sub(MOST_SHOWN);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        for (pseudo, idle) in self.idle.iter().take(MOST_SHOWN) {
            lines.push(format!("{pseudo:width$}  NOT SERVED: {}", idle.fault));
        }
        let mut notes = Vec::new();
        for note in self
            .served
            .values()
            .flat_map(|served| served.opened.notes())
        {
            if !notes.contains(&note) && notes.len() < MOST_SHOWN {
                notes.push(note);
            }
        }
        lines.extend(notes.into_iter().map(|note| format!("Note: {note}")));
        lines
    }

    /// Logs what is served that `before` did not serve so.
    pub(super) fn log(&self, before: &Table) {
        for (export, served) in &self.served {
            let known = before.served.get(export);
            if known
                .is_some_and(|known| Arc::ptr_eq(&known.opened.backend(), &served.opened.backend()))
            {
                continue;
            }
            log(export, served);
        }
        for (export, idle) in &self.idle {
            if before.idle.get(export) != Some(idle) {
                let why = &idle.fault;
                tracing::error!(export, why, "a stored export is not served");
            }
        }
    }
}

fn log(export: &str, served: &Served) {
    match &served.entry.files {
        Files::Memory { size: Size(bytes) } => {
            tracing::info!(export, kind = "memory", bytes, "serving a file system");
        }
        Files::Local { path, .. } => {
            let path = path.display();
            tracing::info!(export, kind = "local", %path, "serving a file system");
        }
    }
    for note in served.opened.notes() {
        tracing::warn!(export, note, "an export cannot give all guarantees");
    }
    let rules = &served.entry.rules;
    if rules.squash == Squash::None && served.entry.directory().is_some() {
        tracing::warn!(export, "hosts act as root on the files of an export");
    }
}

impl Entry {
    /// What its files are kept in.
    fn files_told(&self) -> String {
        match &self.files {
            Files::Memory { size } => {
                format!("at most {size} of memory, gone when the server stops")
            }
            Files::Local { path, .. } => path.display().to_string(),
        }
    }

    /// As the administrator has named it: its directory, or else its path.
    pub(super) fn given_as(&self) -> String {
        match &self.files {
            Files::Memory { .. } => self.pseudo.clone(),
            Files::Local { path, .. } => path.display().to_string(),
        }
    }
}

fn told(rules: &Rules, is_local: bool) -> String {
    let (uid, gid) = rules.anonymous;
    let mut parts = vec![access(rules.read_only).to_owned()];
    parts.push(match rules.squash {
        Squash::None => "no user is squashed".to_owned(),
        Squash::Root => format!("root is {uid}:{gid}"),
        _ => format!("all users are {uid}:{gid}"),
    });
    if rules.minor_versions != (0, 2) {
        let (lowest, highest) = rules.minor_versions;
        parts.push(match lowest == highest {
            true => format!("4.{lowest} alone"),
            false => format!("4.{lowest} to 4.{highest}"),
        });
    }
    if is_local && rules.sec.contains(&Security::None) {
        parts.push("without credentials, too".to_owned());
    }
    let networks: Vec<String> = rules
        .networks
        .iter()
        .take(MOST_NETWORKS)
        .map(network)
        .collect();
    let more = rules.networks.len().saturating_sub(MOST_NETWORKS);
    parts.push(match (networks.is_empty(), more) {
        (true, _) => "all hosts".to_owned(),
        (false, 0) => networks.join(", "),
        (false, more) => format!("{} and {more} more networks", networks.join(", ")),
    });
    parts.join(", ")
}

fn network(rule: &NetworkRule) -> String {
    let access = rule.read_only.map(access);
    let squash = rule.squash.map(|squash| match squash {
        Squash::None => "no squash",
        Squash::Root => "root squashed",
        _ => "all squashed",
    });
    let own: Vec<&str> = access.into_iter().chain(squash).collect();
    match own.is_empty() {
        true => rule.network.to_string(),
        false => format!("{} ({})", rule.network, own.join(", ")),
    }
}

fn access(read_only: bool) -> &'static str {
    if read_only { "read-only" } else { "read-write" }
}

/// Maximum number of exports that the banner names.
const MOST_SHOWN: usize = 16;
/// Maximum number of networks that it names of an export.
const MOST_NETWORKS: usize = 3;
/// Maximum number of columns to which paths are filled up.
const WIDEST: usize = 40;
