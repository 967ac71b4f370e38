//! What the process was asked for.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::file::ConfigFile;
use super::file_fault::FileFault;
use super::line::Line;
use super::reload::Reload;
use super::{Action, Cli, check, generate};
use crate::config::Settings;
use crate::log::Format;

/// What the process was asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// To serve.
    Serve(Box<Start>),
    /// To check a configuration file, in which nothing is wrong; and what else is to be known of it.
    Checked(PathBuf, Option<String>),
    /// To write pages or completions, which is done.
    Written,
    /// To write pages or completions, which failed.
    NotWritten(io::Error),
    /// Something that a configuration file does not say right; each fault is a line.
    Wrong(Vec<String>),
}

/// How to serve.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) settings: Settings,
    /// The lowest level that is logged, and how a line is written.
    pub(crate) log: (tracing::Level, Format),
    /// Whether to take the place of a running server.
    pub(crate) take_over: bool,
    /// What SIGHUP asks for, if there is a configuration file.
    pub(crate) reload: Option<Reload>,
}

/// Reads the command line and the configuration file; a wrong command line ends the process with a
/// message and exit code 2.
pub(crate) fn ask() -> Asked {
    let line = Line::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match &line.cli.action {
        None => {}
        Some(Action::CheckConfig { file }) => {
            return match ConfigFile::read(file) {
                Ok(read) => match check::faults(&read, file).as_slice() {
                    [] => Asked::Checked(file.clone(), check::note(&read)),
                    faults => Asked::wrong(faults),
                },
                Err(faults) => Asked::wrong(&faults),
            };
        }
        Some(Action::Completions { shell }) => {
            return Asked::written(generate::completions(*shell));
        }
        Some(Action::Man { directory }) => return Asked::written(generate::pages(directory)),
    }
    let file = line.cli.config.as_deref().map(ConfigFile::read).transpose();
    let file = match file {
        Ok(file) => file,
        Err(faults) => return Asked::wrong(&faults),
    };
    let merged = line.merge(file.as_ref());
    let merged = merged.unwrap_or_else(|wrong| {
        let wrong = wrong.join("\n");
        Cli::command()
            .error(ErrorKind::ArgumentConflict, wrong)
            .exit()
    });
    let mut settings = merged.cli.settings(merged.protocol, merged.exports);
    settings.state_dir = settings.state_dir.or_else(state_directory);
    let log = merged.cli.log();
    let take_over = merged.cli.take_over;
    let path = line.cli.config.clone();
    let has_text = file.is_some_and(|file| !file.is_empty);
    let reload = path.map(|path| Reload::new(path, line, merged.values, has_text));
    Asked::Serve(Box::new(Start {
        settings,
        log,
        take_over,
        reload,
    }))
}

impl Asked {
    fn written(result: io::Result<()>) -> Asked {
        result.map_or_else(Asked::NotWritten, |()| Asked::Written)
    }

    fn wrong(faults: &[FileFault]) -> Asked {
        Asked::Wrong(faults.iter().map(ToString::to_string).collect())
    }

    /// Says on standard output that nothing is wrong with a file.
    pub(crate) fn say_checked(path: &Path, note: Option<String>) {
        // It may have no reader.
        let _ = writeln!(
            io::stdout(),
            "{} is right{}",
            path.display(),
            note.unwrap_or_default()
        );
    }
}

/// The first directory that systemd has made for the state of this service.
fn state_directory() -> Option<PathBuf> {
    let all = std::env::var_os("STATE_DIRECTORY")?;
    std::env::split_paths(&all).find(|path| !path.as_os_str().is_empty())
}
