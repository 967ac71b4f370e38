//! Exports that are read again, before they are served: what they would destroy, and what they change.

use std::sync::{Arc, MutexGuard};

use nfs4_admin::ExportSource;

use super::list::GivenExports;
use super::live::{Exports, Refused};
use super::served::{Served, Table};
use crate::lock::locked;

/// Exports that can take the place of those that are served.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    exports: &'a Exports,
    _writer: MutexGuard<'a, ()>,
    before: Arc<Table>,
    next: Table,
}

impl Exports {
    /// Makes ready what the configuration file and the command line give by now, with what is stored beside
    /// it. Until it is dropped, nothing else changes exports.
    ///
    /// # Errors
    /// All that is wrong, and all that would be destroyed unasked; nothing has changed.
    pub(crate) fn prepare(&self, given: &GivenExports) -> Result<Prepared<'_>, Vec<String>> {
        let writer = locked(&self.writer);
        let before = self.table();
        let entries = given.entries(self.maker.memory());
        let entries = entries
            .map_err(|misfits| misfits.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let stored = self.store.read().map_err(|why| vec![why.to_string()])?;
        let next = self.maker.table(entries, stored, &self.store, &before)?;
        let lost = self.lost(&before, &next);
        if !lost.is_empty() {
            return Err(lost);
        }
        Ok(Prepared {
            exports: self,
            _writer: writer,
            before,
            next,
        })
    }

    /// What the exports of `next` would destroy.
    fn lost(&self, before: &Table, next: &Table) -> Vec<String> {
        let mut lost = Vec::new();
        let given: Vec<String> = before
            .entries()
            .filter(|entry| entry.source == ExportSource::ConfigurationFile)
            .map(|entry| entry.given_as())
            .collect();
        let mut entries = next.entries();
        let has_default = entries.any(|entry| entry.source == ExportSource::Default);
        if has_default && !given.is_empty() {
            lost.push(format!(
                "the file gives no export any more, and an empty file system in memory would take the place of {}: \
                 a table [[export]] with backend = \"memory\" serves one, and so does a restart without exports",
                some_of(&given)
            ));
        }
        for (path, served) in &before.served {
            let stays = next.served.get(path);
            if stays.is_some_and(|next| is_same(served, next)) || !served.opened.has_files() {
                continue;
            }
            if served.entry.source == ExportSource::Default {
                lost.push(format!(
                    "the file system in memory at {path} has files, and is there only while no export is given: a \
                     restart serves the exports without them"
                ));
            } else if stays.is_some() {
                lost.push(format!(
                    "the export {path} has files in memory, and the one that the file gives at this path would \
                     begin without them: its size or its backend changes by a restart, or once they are removed"
                ));
            }
        }
        lost
    }
}

impl Prepared<'_> {
    /// Serves them; returns what has changed, as `+` and `-` and the paths of exports.
    ///
    /// # Errors
    /// The engine refuses.
    pub(crate) fn serve(self) -> Result<Vec<String>, Refused> {
        let (before, next) = (&self.before.served, &self.next.served);
        let gone = before.keys().filter(|path| !next.contains_key(*path));
        let mut changed: Vec<String> = gone.map(|path| format!("-{path}")).collect();
        for (path, served) in next {
            match before.get(path) {
                None => changed.push(format!("+{path}")),
                Some(old) if old.entry != served.entry || old.number != served.number => {
                    changed.push(path.clone());
                }
                Some(_) => {}
            }
        }
        let next = next.clone();
        self.exports.serve(&self.before, self.next)?;
        for (export, served) in before {
            match next.get(export) {
                Some(stays) if is_same(served, stays) => {}
                Some(_) => tracing::warn!(
                    export,
                    "another export has taken the place of one: what clients had open in it has ended"
                ),
                None if served.opened.has_files() => tracing::warn!(
                    export,
                    "an export is not given any more, and its files in memory are gone"
                ),
                None => {}
            }
        }
        Ok(changed)
    }
}

/// Whether an export is the one before, by other rules or the same.
fn is_same(before: &Served, next: &Served) -> bool {
    Arc::ptr_eq(&before.opened.backend(), &next.opened.backend())
}

/// The first of some names, and how many more there are.
fn some_of(names: &[String]) -> String {
    let first = names.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

const SHOWN: usize = 3;
