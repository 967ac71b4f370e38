//! `check-config`: what a start would say of a file on this machine.

use std::path::Path;

use clap::CommandFactory as _;

use super::Cli;
use super::file::ConfigFile;
use super::file_fault::FileFault;
use super::schema::{self, EXPORT};
use crate::exports::GivenExports;
use crate::machine::Hindrance;
use crate::settings::Given;

/// All that keeps a server with this file from serving on this machine, by this user, in the order of the lines.
pub(super) fn faults(file: &ConfigFile, path: &Path) -> Vec<FileFault> {
    let options = file.exports.iter().map(|one| one.options.clone());
    let exports = GivenExports {
        file: options.collect(),
        line: Vec::new(),
    };
    let misplaced = exports.misplaced(file.cli.memory).into_iter();
    let misplaced = misplaced.filter_map(|(place, why)| {
        let one = file.exports.get(place)?;
        let directory = one.options.path.as_deref().unwrap_or_default();
        let detail = format!("{EXPORT}.path is {directory:?}, which {why}");
        Some(FileFault::at(path, one.line, detail))
    });
    let keys = schema::keys(&Cli::command());
    let settings = file.cli.settings(Given::default(), exports.clone());
    let hindrances = Hindrance::all(&settings).into_iter().map(|one| {
        let key = keys.iter().find(|key| key.id == one.id);
        let name = key.map_or(one.id.to_owned(), |key| {
            format!("{}.{}", key.table, key.name)
        });
        let line = file.lines.get(one.id).copied().unwrap_or(1);
        FileFault::at(
            path,
            line,
            format!("{name} is {:?}; {}", one.value, one.why),
        )
    });
    let mut faults: Vec<FileFault> = misplaced.chain(hindrances).collect();
    faults.sort_by_key(FileFault::line);
    faults
}

/// What else is to be known of a file that is right, as the end of a sentence.
pub(super) fn note(file: &ConfigFile) -> Option<String> {
    if file.is_empty {
        return Some(
            ", but empty: all settings have their defaults, and an empty file system in memory is served"
                .to_owned(),
        );
    }
    let address = file.cli.admin.needs_token()?;
    Some(format!(
        "; without admin_token_file, administration at {address} needs the variable NFS4D_ADMIN_TOKEN in the \
         server's environment"
    ))
}
