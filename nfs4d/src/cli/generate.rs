//! What packages have beside the program: manual pages, and completions of command lines.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;

/// Writes completions to standard output.
pub(super) fn completions(shell: Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "nfs4d", &mut script);
    io::stdout().write_all(&script)
}

/// Writes a manual page for the program, and one for each of its verbs.
pub(super) fn pages(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut command = Cli::command();
    // What the program adds when it reads a command line.
    command.build();
    let verbs = command.get_subcommands().cloned().collect::<Vec<_>>();
    for one in verbs.into_iter().chain([command]) {
        Man::new(one).section("8").generate_to(directory)?;
    }
    Ok(())
}
