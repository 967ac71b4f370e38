//! The configuration file, read again while the server runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::CommandFactory as _;
use nfs4_admin::SettingsPatch;

use super::Cli;
use super::file::ConfigFile;
use super::file_fault::FileFault;
use super::line::Line;
use super::protocol::HEADING;
use super::schema;
use crate::exports::GivenExports;

/// Reads the configuration file again.
#[derive(Debug)]
pub(crate) struct Reload {
    path: PathBuf,
    line: Line,
    /// The flags that the server was started with, as text.
    started: BTreeMap<String, Vec<OsString>>,
    /// The file has had text: without any it is one that an editor or a full disk has emptied.
    had_text: AtomicBool,
}

/// What a configuration file says by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reread {
    /// The protocol settings that it gives.
    pub(crate) protocol: SettingsPatch,
    /// The exports that it and the command line give.
    pub(crate) exports: GivenExports,
    /// Keys that are not what the server was started with, and act after a restart.
    pub(crate) restart: Vec<String>,
}

impl Reload {
    pub(super) fn new(
        path: PathBuf,
        line: Line,
        started: BTreeMap<String, Vec<OsString>>,
        has_text: bool,
    ) -> Reload {
        Reload {
            path,
            line,
            started,
            had_text: AtomicBool::new(has_text),
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it.
    ///
    /// # Errors
    /// All that is wrong with it, or it has lost its text.
    pub(crate) fn read(&self) -> Result<Reread, Vec<String>> {
        let file = ConfigFile::read(&self.path)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        if file.is_empty && self.had_text.load(Ordering::Relaxed) {
            let detail = "it is empty, as an editor or a full disk leaves a file; a line with a comment says that \
                          nothing is meant to be in it";
            return Err(vec![FileFault::of_file(&self.path, detail).to_string()]);
        }
        let merged = self.line.merge(Some(&file))?;
        self.had_text.fetch_or(!file.is_empty, Ordering::Relaxed);
        let keys = schema::keys(&Cli::command());
        let protocol = HEADING.to_lowercase();
        let differs = keys.iter().filter(|key| {
            key.table != protocol && merged.values.get(&key.id) != self.started.get(&key.id)
        });
        Ok(Reread {
            restart: differs
                .map(|key| format!("{}.{}", key.table, key.name))
                .collect(),
            protocol: merged.protocol.file,
            exports: merged.exports,
        })
    }
}
