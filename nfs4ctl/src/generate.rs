//! Completions and manual pages, made of the command line's description.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::fault::Fault;

/// Writes what a shell needs to complete command lines.
pub(crate) fn completions(shell: Shell) -> Result<(), Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "nfs4ctl", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

/// Writes a manual page for each verb.
pub(crate) fn man_pages(directory: &Path) -> Result<(), Fault> {
    let written = fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
    written.map_err(|source| Fault::File {
        path: directory.to_owned(),
        source,
    })
}
