//! From what is given and what is stored to file systems that are open.

use std::sync::Arc;
use std::time::Duration;

use nfs4_admin::{ExportOptions, ExportSource};
use nfs4_driver::Node;
use nfs4_engine::Export;
use nfs4_vfs::LocalFs;

use super::backend::{Maker, NotOpened};
use super::entry::Entry;
use super::list;
use super::live::Exports;
use super::served::{Idle, Served, Table};
use super::store::{Store, Stored};
use super::wrong::Wrong;
use crate::config::Settings;
use crate::fault::Fault;

/// Looks for the directories of the exports that are given, before anything is made for them.
///
/// # Errors
/// Exports are wrong, or have directories that cannot be served.
pub(crate) fn check(settings: &Settings) -> Result<(), Fault> {
    let entries = entries(settings)?;
    let wrong = list::misplaced(&entries).into_iter();
    let wrong = wrong.filter_map(|(place, why)| Some(told(entries.get(place)?, &why)));
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Fault::Exports(wrong))
    }
}

/// The exports that are given.
fn entries(settings: &Settings) -> Result<Vec<Entry>, Fault> {
    let entries = settings.exports.entries(settings.memory);
    entries.map_err(|misfits| {
        let misfits = misfits.iter().map(ToString::to_string);
        Fault::Exports(misfits.collect())
    })
}

/// What is wrong with an export that is given, as the administrator knows it.
fn told(entry: &Entry, detail: &str) -> String {
    let of = match entry.source {
        ExportSource::CommandLine => "--export",
        _ => "export",
    };
    format!("{of} {} {detail}", entry.given_as())
}

/// The exports that a server starts with.
#[derive(Debug)]
pub(crate) struct Start {
    maker: Maker,
    store: Store,
    table: Table,
}

impl Start {
    /// Opens the file systems of all exports.
    ///
    /// # Errors
    /// Exports that are given are wrong, or cannot be served. Those that are only stored are left out, with a
    /// line in the log.
    pub(crate) fn open(settings: &Settings, maker: Maker, store: Store) -> Result<Start, Fault> {
        let entries = entries(settings)?;
        let stored = store.read()?;
        let table = maker.table(entries, stored, &store, &Table::default());
        let table = table.map_err(Fault::Exports)?;
        table.log(&Table::default());
        Ok(Start {
            maker,
            store,
            table,
        })
    }

    /// The exports as the engine has them.
    pub(crate) fn engine(&self) -> Vec<Export> {
        self.table.engine()
    }

    /// Says what programs of this machine that use delegated files cost clients, whose lease is `lease`.
    pub(crate) fn tell_of_leases(&self, lease: Duration) {
        if !self
            .table
            .entries()
            .any(|entry| entry.directory().is_some())
        {
            return;
        }
        match LocalFs::lease_break_time() {
            None | Some(Duration::ZERO) => tracing::warn!(
                "fs.lease-break-time cannot be read, or is 0: no file of a directory is delegated to clients"
            ),
            Some(time) if time < lease => tracing::info!(
                lease_break_time_s = time.as_secs(),
                lease_s = lease.as_secs(),
                "fs.lease-break-time is shorter than the lease: clients have less time to return delegations"
            ),
            Some(_) => {}
        }
    }

    /// The exports of a node that serves them.
    pub(crate) fn live(self, node: Node) -> Exports {
        Exports::new(node, self.maker, self.store, self.table)
    }

    /// Lines that say what is served, by which rules; none if that is the default alone.
    pub(crate) fn told(&self) -> Option<Vec<String>> {
        let mut entries = self.table.entries();
        let default = entries.any(|entry| entry.source == ExportSource::Default);
        (!default || !self.table.idle.is_empty()).then(|| self.table.lines())
    }
}

impl Maker {
    /// All exports: those that are given, those of `stored` that fit to them, and one in memory if there are
    /// none. File systems that are open stay open: those that `before` has for the same files.
    ///
    /// # Errors
    /// What is wrong with those that are given.
    pub(super) fn table(
        &self,
        given: Vec<Entry>,
        stored: Vec<Stored>,
        store: &Store,
        before: &Table,
    ) -> Result<Table, Vec<String>> {
        let mut table = Table::default();
        let mut wrong = Vec::new();
        for entry in given {
            if let Err(fault) = self.add(entry.clone(), store, before, &mut table) {
                wrong.push(told(&entry, &fault.detail));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for (pseudo, options) in stored {
            let (options, fault) = match options {
                Ok(options) => {
                    let added = self.add_stored(options.clone(), store, before, &mut table);
                    (options, added.err())
                }
                Err(fault) => (ExportOptions::default(), Some(fault)),
            };
            if let Some(fault) = fault {
                table.idle.insert(pseudo, Idle { options, fault });
            }
        }
        if table.served.is_empty() {
            let default = Entry::default_of(self.memory());
            self.add(default, store, before, &mut table)
                .map_err(|wrong| vec![wrong.detail])?;
        }
        Ok(table)
    }

    fn add_stored(
        &self,
        options: ExportOptions,
        store: &Store,
        before: &Table,
        table: &mut Table,
    ) -> Result<(), String> {
        let told = |wrong: &Wrong| format!("{} {}", wrong.field, wrong.detail);
        let entry = Entry::of(options, ExportSource::Request, self.memory());
        let entry = entry.map_err(|wrong| wrong.iter().map(told).collect::<Vec<_>>().join("; "))?;
        let others: Vec<Entry> = table.entries().cloned().collect();
        list::fits(&entry, &others).map_err(|wrong| told(&wrong))?;
        self.add(entry, store, before, table)
            .map_err(|wrong| told(&wrong))
    }

    /// Adds an export to a table.
    fn add(
        &self,
        entry: Entry,
        store: &Store,
        before: &Table,
        table: &mut Table,
    ) -> Result<(), Wrong> {
        let known = before.served.get(&entry.pseudo);
        let known = known.filter(|known| known.entry.files == entry.files && known.is_in_place());
        let served = match known {
            Some(known) => Served {
                entry,
                ..Served::clone(known)
            },
            None => self
                .open_beside(entry, store, table)
                .map_err(|why| match why {
                    NotOpened::Wrong(wrong) => wrong,
                    NotOpened::Number(why) => Wrong::new("pseudo", format!("has no number: {why}")),
                })?,
        };
        table
            .served
            .insert(served.entry.pseudo.clone(), Arc::new(served));
        Ok(())
    }

    /// Opens the file system of an export that is to be served beside those of a table; before that is certain,
    /// nothing is made for it.
    ///
    /// # Errors
    /// What is wrong with its directory, or it has no number.
    pub(super) fn open_beside(
        &self,
        entry: Entry,
        store: &Store,
        beside: &Table,
    ) -> Result<Served, NotOpened> {
        let wrong = |detail| NotOpened::Wrong(Wrong::new("path", detail));
        let place = list::place(&entry, beside.places()).map_err(wrong)?;
        let number = store.number(&entry).map_err(NotOpened::Number)?;
        let opened = self.open(&entry, number, place).map_err(wrong)?;
        Ok(Served {
            entry,
            number,
            opened,
        })
    }
}
