//! The command line, above what a file says.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::conflict::Conflict;
use super::file::{ConfigFile, arguments};
use super::{Cli, schema};
use crate::exports::GivenExports;
use crate::settings::Given;

/// The arguments of the command line, with the name of the program.
#[derive(Clone, Debug)]
pub(super) struct Line {
    arguments: Vec<OsString>,
    /// The ids of the flags among them.
    given: Vec<String>,
    pub(super) cli: Cli,
}

/// The command line and a file, one above the other.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) cli: Cli,
    pub(super) protocol: Given,
    pub(super) exports: GivenExports,
    /// The values of each flag, as text.
    pub(super) values: BTreeMap<String, Vec<OsString>>,
}

impl Line {
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Line, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let matches = Cli::command().try_get_matches_from(&arguments)?;
        let cli = Cli::from_arg_matches(&matches)?;
        let given =
            |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let given = matches
            .ids()
            .filter(|id| given(id))
            .map(ToString::to_string);
        Ok(Line {
            given: given.collect(),
            arguments,
            cli,
        })
    }

    /// The command line above what a file says.
    ///
    /// # Errors
    /// All that contradicts each other.
    pub(super) fn merge(&self, file: Option<&ConfigFile>) -> Result<Merged, Vec<String>> {
        let mut command = Cli::command();
        let keys = schema::keys(&command);
        let mut all = self.arguments.clone();
        if let Some(file) = file {
            let below = |id: &str| !self.given.iter().any(|given| given == id);
            let below = arguments(&keys, &file.flags, below);
            // After the name of the program.
            let place = all.len().min(1);
            all.splice(place..place, below.into_iter().map(OsString::from));
        }
        let told = |error: clap::Error| vec![error.to_string()];
        let matches = command.try_get_matches_from_mut(all).map_err(told)?;
        let cli = Cli::from_arg_matches(&matches).map_err(told)?;
        let conflicts = Conflict::all(&cli);
        let mut wrong: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
        let protocol = Given {
            file: file
                .map(|file| file.cli.protocol.0.clone())
                .unwrap_or_default(),
            line: self.cli.protocol.0.clone(),
        };
        let file_exports = file.map(|file| file.exports.as_slice()).unwrap_or_default();
        let exports = GivenExports {
            file: file_exports.iter().map(|one| one.options.clone()).collect(),
            line: self.cli.exports(),
        };
        let misfits = exports.entries(cli.memory).err().unwrap_or_default();
        wrong.extend(misfits.iter().map(ToString::to_string));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let values = keys
            .iter()
            .map(|key| (key.id.clone(), raw(&matches, &key.id)));
        Ok(Merged {
            values: values.collect(),
            cli,
            protocol,
            exports,
        })
    }
}

fn raw(matches: &ArgMatches, id: &str) -> Vec<OsString> {
    let values = matches.get_raw(id);
    values
        .map(|values| values.map(OsString::from).collect())
        .unwrap_or_default()
}
