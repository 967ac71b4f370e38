//! A configuration file: flags in TOML.
//!
//! Each key is held against its flag, so that both accept the same and say the same.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use clap::{Command, CommandFactory as _, FromArgMatches as _};
use nfs4_admin::ExportOptions;
use nfs4_engine::Config;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Cli;
use super::conflict::Conflict;
use super::file_fault::FileFault;
use super::schema::{self, EXPORT, Key, Kind};
use super::text::{self, Lines, cut};
use crate::exports::GivenExports;
use crate::exports::options::{self, Placed};
use crate::settings::{Given, Layers};

/// What a configuration file says.
#[derive(Clone, Debug)]
pub(super) struct ConfigFile {
    /// Flags, by their ids.
    pub(super) flags: BTreeMap<String, Vec<String>>,
    /// The line of each flag, from 1 on.
    pub(super) lines: BTreeMap<String, usize>,
    /// As if it were the command line.
    pub(super) cli: Cli,
    /// The tables `[[export]]`, in their order.
    pub(super) exports: Vec<FileExport>,
    /// It has no text at all, not even a comment.
    pub(super) is_empty: bool,
}

/// A table `[[export]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileExport {
    pub(super) options: ExportOptions,
    /// The line of its path, from 1 on.
    pub(super) line: usize,
}

impl ConfigFile {
    /// Reads a file and checks all of it.
    ///
    /// # Errors
    /// All that is wrong, in the order of the lines.
    pub(super) fn read(path: &Path) -> Result<ConfigFile, Vec<FileFault>> {
        let text = text::read(path).map_err(|fault| vec![fault])?;
        ConfigFile::parse(path, &text)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<ConfigFile, Vec<FileFault>> {
        let command = Cli::command();
        let mut reader = Reader {
            keys: schema::keys(&command),
            command,
            text,
            ends: Lines::of(text.as_bytes()),
            broken: Vec::new(),
            flags: BTreeMap::new(),
            lines: BTreeMap::new(),
            exports: Vec::new(),
            faults: Vec::new(),
        };
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let (at, what) = text::syntax(error, text);
            reader.broken.push(at);
            reader.fault(at, what);
        }
        reader.document(document.get_ref());
        let cli = reader.cli();
        if let Some(cli) = &cli {
            reader.check(cli);
        }
        let exports = reader.exports();
        let (mut faults, flags, lines) = (reader.faults, reader.flags, reader.lines);
        match cli {
            Some(cli) if faults.is_empty() => Ok(ConfigFile {
                flags,
                lines,
                cli,
                exports,
                is_empty: text.trim().is_empty(),
            }),
            _ => {
                faults.sort();
                // More are of no help, and each costs a line.
                let more = faults.len().saturating_sub(MOST_FAULTS);
                faults.truncate(MOST_FAULTS);
                if more > 0 {
                    let last = faults.last().map_or(1, |(line, _)| *line);
                    faults.push((last, format!("{more} more faults come after this one")));
                }
                let told = faults.into_iter();
                Err(told
                    .map(|(line, detail)| FileFault::at(path, line, detail))
                    .collect())
            }
        }
    }
}

/// Reads a document, and goes on after a fault.
struct Reader<'a> {
    command: Command,
    keys: Vec<Key>,
    text: &'a str,
    ends: Lines,
    /// The places of what is no TOML.
    broken: Vec<usize>,
    /// By id.
    flags: BTreeMap<String, Vec<String>>,
    /// The line of each id.
    lines: BTreeMap<String, usize>,
    exports: Vec<Placed>,
    faults: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn document(&mut self, document: &DeTable<'_>) {
        for (table, value) in document {
            let (name, at) = (table.get_ref().as_ref(), table.span().start);
            let shown = cut(name);
            let known = self.keys.iter().any(|key| key.table == name);
            match value.get_ref() {
                _ if name == EXPORT => self.export_tables(at, value.get_ref()),
                DeValue::Table(entries) if known => self.table(name, entries),
                _ if known => self.fault(at, format!("{name}: expected a table [{name}]")),
                DeValue::Table(_) | DeValue::Array(_) => {
                    let advice = schema::table_advice(&self.keys, name);
                    self.fault(at, format!("{shown:?}: there is no such table{advice}"));
                }
                _ => {
                    let advice = schema::advice(&self.keys, "", name);
                    self.fault(
                        at,
                        format!("{shown:?}: there is no such key outside of tables{advice}"),
                    );
                }
            }
        }
    }

    fn table(&mut self, table: &str, entries: &DeTable<'_>) {
        for (name, value) in entries {
            let (name, at) = (name.get_ref().as_ref(), name.span().start);
            let Some(key) = schema::find(&self.keys, table, name).cloned() else {
                let advice = schema::advice(&self.keys, table, name);
                self.fault(
                    at,
                    format!("{table}.{:?}: there is no such key{advice}", cut(name)),
                );
                continue;
            };
            self.lines.insert(key.id.clone(), self.line(at));
            self.key(&key, value);
        }
    }

    fn export_tables(&mut self, at: usize, value: &DeValue<'_>) {
        let items = match value {
            DeValue::Array(items) => items.iter(),
            _ => {
                let detail = format!("{EXPORT}: expected tables [[{EXPORT}]], with two brackets");
                return self.fault(at, detail);
            }
        };
        for item in items {
            let at = item.span().start;
            let DeValue::Table(table) = item.get_ref() else {
                self.fault(at, format!("{EXPORT}: expected a table"));
                continue;
            };
            match options::of_toml(at, table) {
                Ok(placed) => self.exports.push(placed),
                Err(wrong) => {
                    for (at, wrong) in wrong {
                        self.fault(at, wrong.to_string());
                    }
                }
            }
        }
    }

    fn key(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) {
        let DeValue::Array(items) = value.get_ref() else {
            if let Some(text) = self.value(key, value) {
                self.flags.insert(key.id.clone(), vec![text]);
            }
            return;
        };
        let at = value.span().start;
        if !key.list {
            return self.fault(
                at,
                format!(
                    "{}.{}: expected one value and no array",
                    key.table, key.name
                ),
            );
        }
        if items.is_empty() && !key.may_be_empty {
            return self.fault(
                at,
                format!("{}.{}: expected one value at least", key.table, key.name),
            );
        }
        if items.len() > MOST_ITEMS {
            let detail = format!(
                "{}.{}: expected {MOST_ITEMS} values at most",
                key.table, key.name
            );
            return self.fault(at, detail);
        }
        let texts: Vec<Option<String>> = items.iter().map(|item| self.value(key, item)).collect();
        self.flags
            .insert(key.id.clone(), texts.into_iter().flatten().collect());
    }

    /// The text of a value that its flag accepts.
    fn value(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let (at, place) = (value.span().start, value.span());
        let is_broken = |at: &usize| (place.start..=place.end).contains(at);
        let is_broken = self.broken.iter().any(is_broken);
        // As it is written: a number may have another radix.
        let written = self.text.get(place).unwrap_or_default();
        let mut shown = cut(written);
        let text = match value.get_ref() {
            DeValue::String(text) => {
                shown = format!("{:?}", cut(text));
                text.to_string()
            }
            DeValue::Integer(number) => {
                let decimal = i128::from_str_radix(number.as_str(), number.radix());
                decimal.map_or_else(|_| number.as_str().to_owned(), |number| number.to_string())
            }
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) | DeValue::Table(_) => {
                let detail = format!("{}.{}: expected a value", key.table, key.name);
                self.fault(at, detail);
                return None;
            }
        };
        if is_broken && text.is_empty() {
            // It has its fault.
            return None;
        }
        let flag = format!("--{}={text}", key.flag);
        let of_kind = key.kind.expected(value.get_ref()).map(str::to_owned);
        let why = match self.command.try_get_matches_from_mut(["nfs4d", &flag]) {
            Ok(_) => of_kind,
            // The flag would speak of a number that is not the mode that was written.
            Err(_) if key.kind == Kind::Mode && of_kind.is_some() => of_kind,
            Err(error) => Some(detail(&error)),
        };
        let Some(why) = why else {
            return Some(text);
        };
        let detail = format!("{}.{} is {shown}; {why}", key.table, key.name);
        self.fault(at, detail);
        None
    }

    /// All flags together, as the command line would have them.
    fn cli(&mut self) -> Option<Cli> {
        let flags = arguments(&self.keys, &self.flags, |_| true);
        let all = std::iter::once("nfs4d".to_owned()).chain(flags);
        let matches = self.command.try_get_matches_from_mut(all);
        let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
        match cli {
            Ok(cli) => Some(cli),
            Err(error) => {
                if self.faults.is_empty() {
                    self.fault(0, detail(&error));
                }
                None
            }
        }
    }

    /// What only shows when all keys are looked at.
    fn check(&mut self, cli: &Cli) {
        for conflict in Conflict::all(cli) {
            self.fault_of(conflict.id, &conflict.detail());
        }
        let given = Given {
            file: cli.protocol.0.clone(),
            ..Given::default()
        };
        let layers = Layers {
            given,
            ..Layers::default()
        };
        for wrong in layers.config(&Config::default()).err().unwrap_or_default() {
            self.fault_of(&wrong.name, &wrong.detail);
        }
        let given = GivenExports {
            file: self.exports.iter().map(|one| one.options.clone()).collect(),
            line: Vec::new(),
        };
        for misfit in given.entries(cli.memory).err().unwrap_or_default() {
            let place = self.exports.get(misfit.place);
            let at = place.map_or(0, |one| one.place(&misfit.wrong.field));
            self.fault(at, misfit.wrong.to_string());
        }
    }

    fn exports(&self) -> Vec<FileExport> {
        let exports = self.exports.iter();
        let export = |one: &Placed| FileExport {
            options: one.options.clone(),
            line: self.line(one.place("path")),
        };
        exports.map(export).collect()
    }

    fn fault_of(&mut self, id: &str, detail: &str) {
        let key = self.keys.iter().find(|key| key.id == id);
        let name = key.map_or(id.to_owned(), |key| format!("{}.{}", key.table, key.name));
        let line = self.lines.get(id).copied().unwrap_or(1);
        self.faults.push((line, format!("{name} {detail}")));
    }

    fn fault(&mut self, at: usize, detail: String) {
        self.faults.push((self.line(at), detail));
    }

    fn line(&self, at: usize) -> usize {
        self.ends.line(at)
    }
}

/// The flags of a file whose ids are `wanted`, as arguments.
pub(super) fn arguments(
    keys: &[Key],
    flags: &BTreeMap<String, Vec<String>>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut arguments = Vec::new();
    for key in keys.iter().filter(|key| wanted(&key.id)) {
        let Some(values) = flags.get(&key.id) else {
            continue;
        };
        let flag = |value: &String| format!("--{}={value}", key.flag);
        arguments.extend(values.iter().map(flag));
        // An empty list is one, too, where nothing else would say so.
        if values.is_empty() && key.table == super::protocol::HEADING.to_lowercase() {
            arguments.push(format!("--{}=", key.flag));
        }
    }
    arguments
}

/// What a flag says against its value.
fn detail(error: &clap::Error) -> String {
    if let Some(why) = error.source() {
        return why.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if values.is_empty() => {
            "expected a text that is not empty".to_owned()
        }
        Some(ContextValue::Strings(values)) => format!("expected one of {}", values.join(", ")),
        _ => error.kind().to_string(),
    }
}

/// Maximum number of values of a list: more than there are operations to block.
const MOST_ITEMS: usize = 256;
/// Maximum number of faults that are told.
const MOST_FAULTS: usize = 100;
