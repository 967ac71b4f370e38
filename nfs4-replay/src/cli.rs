//! The command line.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};

use crate::log::{Log, LogEnd, LogError};
use crate::replay::{Report, Verdict, replay};
use crate::rewrite::{RewriteError, redact, rewrite};
use crate::show::show;

/// Repeats what an nfs4 server did, from the log that `nfs4d --record` writes.
///
/// An engine is started and given everything as the log says, and each of its actions is compared
/// with that in the log. A log is for the version that wrote it.
#[derive(Debug, Parser)]
#[command(
    name = "nfs4-replay",
    version,
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
)]
struct Cli {
    /// The log to replay
    #[arg(value_name = "FILE", required = true)]
    log: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists what the engine was given and what it did, a line each
    Show {
        /// The log
        #[arg(value_name = "FILE")]
        log: PathBuf,
        /// The first entry
        #[arg(long, value_name = "ENTRY", default_value_t = 1)]
        from: u64,
        /// Maximum number of entries
        #[arg(long, value_name = "ENTRIES", default_value_t = u64::MAX, hide_default_value = true)]
        count: u64,
    },
    /// Writes a log of the same course without contents of files and without names
    ///
    /// Contents become zeros, and names others of the same length, the same name the same each
    /// time. Addresses, numbers of users, filehandles, attributes, and the names of clients (often
    /// host names) and lock owners stay; so do the name and the random key of the server's start.
    Redact(New),
    /// Writes a log of the same inputs, with what this version does with them
    Rewrite(New),
}

#[derive(Debug, Args)]
struct New {
    /// The log
    #[arg(value_name = "IN")]
    log: PathBuf,
    /// The new log; it must not exist
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The last entry of the new log
    #[arg(long, value_name = "ENTRY", default_value_t = u64::MAX, hide_default_value = true)]
    until: u64,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  the engine did the same; a log that is cut short counts up to there
  1  an action differs, or the engine panicked
  2  the log cannot be read: it is damaged, of another version, or not there
  3  the command line is wrong";

const DIFFERS: u8 = 1;
const UNREADABLE: u8 = 2;
const USAGE: u8 = 3;

/// Reads the command line and does what it says; returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(why) => {
            let _ = why.print();
            let code = if why.use_stderr() { USAGE } else { 0 };
            return code.into();
        }
    };
    match (cli.command, cli.log) {
        (Some(Command::Show { log, from, count }), _) => show_file(&log, from, count),
        (Some(Command::Redact(New { log, out, until })), _) => {
            new_file(&log, &out, |log, out| redact(log, until, out))
        }
        (Some(Command::Rewrite(New { log, out, until })), _) => {
            new_file(&log, &out, |log, out| rewrite(log, until, out))
        }
        (None, Some(log)) => replay_file(&log),
        // clap requires it.
        (None, None) => USAGE.into(),
    }
}

fn replay_file(path: &Path) -> ExitCode {
    let since = Instant::now();
    let replayed = open(path).map_err(|why| why.to_string());
    let replayed = replayed.and_then(|log| replay(log).map_err(|why| why.to_string()));
    let report = match replayed {
        Ok(report) => report,
        Err(why) => return fail(path, &why, UNREADABLE),
    };
    let Report {
        entries,
        inputs,
        actions,
        callbacks,
        bytes,
        verdict,
    } = report;
    match verdict {
        Verdict::Same(LogEnd::Panicked) => {
            say(&format!(
                "nfs4-replay: same: {entries} entries; the engine that was recorded panicked at the \
                 last one, and this one does not"
            ));
            ExitCode::SUCCESS
        }
        Verdict::Same(end) => {
            let seconds = since.elapsed().as_secs_f64();
            say(&format!(
                "nfs4-replay: same: {entries} entries, {inputs} inputs, {actions} actions, {callbacks} \
                 callbacks, {bytes} bytes in {seconds:.2} s; {end}"
            ));
            ExitCode::SUCCESS
        }
        Verdict::Differs(difference) => fail(path, &difference, DIFFERS),
        Verdict::Panicked { entry } => fail(
            path,
            &format!("the engine panics at entry {entry}"),
            DIFFERS,
        ),
    }
}

fn show_file(path: &Path, from: u64, count: u64) -> ExitCode {
    let log = match open(path) {
        Ok(log) => log,
        Err(why) => return fail(path, &why, UNREADABLE),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = show(log, from, count, &mut out);
    match shown.and_then(|shown| out.flush().map(|()| shown)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(why)) => fail(path, &why, UNREADABLE),
        // Its reader has seen enough.
        Err(_) => ExitCode::SUCCESS,
    }
}

fn new_file(
    path: &Path,
    out: &Path,
    make: impl FnOnce(LogFile, &mut BufWriter<File>) -> Result<LogEnd, RewriteError>,
) -> ExitCode {
    let log = match open(path) {
        Ok(log) => log,
        Err(why) => return fail(path, &why, UNREADABLE),
    };
    let file = match private(out) {
        Ok(file) => file,
        Err(why) => return fail(out, &why, UNREADABLE),
    };
    match make(log, &mut BufWriter::new(file)) {
        Ok(end) => {
            say(&format!("nfs4-replay: {} is written; {end}", out.display()));
            ExitCode::SUCCESS
        }
        Err(why) => {
            // What is there is not worth keeping.
            let _ = std::fs::remove_file(out);
            let code = match why {
                RewriteError::Course { .. } => DIFFERS,
                RewriteError::Replay(_) | RewriteError::Write(_) | RewriteError::Unknown { .. } => {
                    UNREADABLE
                }
            };
            fail(path, &why, code)
        }
    }
}

type LogFile = Log<BufReader<File>>;

fn open(path: &Path) -> Result<LogFile, LogError> {
    Log::open(BufReader::with_capacity(1 << 20, File::open(path)?))
}

fn fail(path: &Path, why: &dyn Display, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "nfs4-replay: {}: {why}", path.display());
    code.into()
}

fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A new file that only this user can read, as the log is that it is made of.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["nfs4-replay"]).is_err());
        let cli = Cli::try_parse_from(["nfs4-replay", "log"]).unwrap();
        assert!(cli.log.is_some() && cli.command.is_none());
        let cli = Cli::try_parse_from(["nfs4-replay", "show", "log", "--from", "7"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Show { from: 7, .. })));
        assert!(Cli::try_parse_from(["nfs4-replay", "redact", "in"]).is_err());
    }
}
