//! The keys of a configuration file: one for each flag.

use clap::builder::ArgAction;
use clap::{Arg, Command};
use toml::de::DeValue;

use crate::settings;

/// A key of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The table that it stands in.
    pub(super) table: String,
    /// Its name there.
    pub(super) name: String,
    /// The id of its flag.
    pub(super) id: String,
    /// Its flag, without the dashes.
    pub(super) flag: String,
    /// It takes an array.
    pub(super) list: bool,
    /// An empty array is a value.
    pub(super) may_be_empty: bool,
    pub(super) kind: Kind,
}

/// How a value is written in TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number.
    Number,
    /// A number of bytes, or a text with a unit.
    Size,
    /// true or false.
    Switch,
    /// The mode of a file, in quotes: in TOML 0o660 is the number 432.
    Mode,
    /// A text in quotes.
    Text,
}

impl Kind {
    /// That of a flag, by the name of its value.
    fn of(flag: &Arg) -> Kind {
        let names = flag.get_value_names().unwrap_or_default();
        match names.first().map(|name| name.as_str()) {
            Some("SECONDS" | "MILLISECONDS" | "BYTES" | "NUMBER") => Kind::Number,
            Some("SIZE") => Kind::Size,
            Some("BOOL") => Kind::Switch,
            Some("MODE") => Kind::Mode,
            _ => Kind::Text,
        }
    }

    /// What is expected instead of a value that the flag accepts, but that is written as another kind: it would
    /// mean something else than it seems to.
    pub(super) fn expected(self, value: &DeValue<'_>) -> Option<&'static str> {
        match (self, value) {
            (Kind::Number, DeValue::Integer(_))
            | (Kind::Size, DeValue::Integer(_) | DeValue::String(_))
            | (Kind::Switch, DeValue::Boolean(_))
            | (Kind::Mode | Kind::Text, DeValue::String(_)) => None,
            (Kind::Number, _) => Some("expected a number without quotes"),
            (Kind::Size, _) => Some("expected a number of bytes, or a size in quotes"),
            (Kind::Switch, _) => Some("expected true or false without quotes"),
            (Kind::Mode, _) => Some(
                "expected the mode of a file in octal digits and in quotes, as in \"0600\" or \"0660\"",
            ),
            (Kind::Text, _) => Some("expected a text in quotes"),
        }
    }
}

/// The keys of all flags but those that say where to read them, and that of exports, which have tables of their own.
pub(super) fn keys(command: &Command) -> Vec<Key> {
    command.get_arguments().filter_map(key).collect()
}

/// The key of this name in a table, or in any.
pub(super) fn find<'a>(keys: &'a [Key], table: &str, name: &str) -> Option<&'a Key> {
    keys.iter()
        .find(|key| key.table == table && key.name == name)
}

/// What may have been meant by a key that is not there.
pub(super) fn advice(keys: &[Key], table: &str, name: &str) -> String {
    if let Some(key) = keys.iter().find(|key| key.name == name) {
        return format!("; it belongs to the table [{}]", key.table);
    }
    let here = keys.iter().filter(|key| key.table == table);
    if let Some(meant) = settings::like(name, here.map(|key| key.name.as_str())) {
        return format!("; {meant} is one");
    }
    if settings::like(name, [EXPORT].into_iter()).is_some() {
        return format!("; tables [[{EXPORT}]] say what is served");
    }
    let meant = settings::like(name, keys.iter().map(|key| key.name.as_str()));
    match keys.iter().find(|key| Some(key.name.as_str()) == meant) {
        Some(key) => format!("; {} in the table [{}] is one", key.name, key.table),
        None => String::new(),
    }
}

/// What may have been meant by a table that is not there.
pub(super) fn table_advice(keys: &[Key], table: &str) -> String {
    let tables = keys.iter().map(|key| key.table.as_str());
    let mut tables: Vec<&str> = tables.chain([EXPORT]).collect();
    tables.sort_unstable();
    tables.dedup();
    match settings::like(table, tables.iter().copied()) {
        Some(EXPORT) => format!("; [[{EXPORT}]] is one"),
        Some(meant) => format!("; [{meant}] is one"),
        None => format!("; the tables are {}", tables.join(", ")),
    }
}

fn key(flag: &Arg) -> Option<Key> {
    let id = flag.get_id().as_str();
    if ["config", "exports", "help", "take_over", "version"].contains(&id) {
        return None;
    }
    let (table, name) = match flag.get_help_heading() {
        Some(heading) => {
            let table = match heading {
                "Administration" => "admin".to_owned(),
                other => other.to_lowercase(),
            };
            // The table says the first word.
            let rest = id
                .strip_prefix(&table)
                .and_then(|rest| rest.strip_prefix('_'));
            let name = rest.unwrap_or(id).to_owned();
            (table, name)
        }
        None => ("server".to_owned(), id.to_owned()),
    };
    let list = matches!(flag.get_action(), ArgAction::Append);
    Some(Key {
        table,
        name,
        id: id.to_owned(),
        flag: flag.get_long()?.to_owned(),
        list,
        may_be_empty: list && flag.get_default_values().is_empty(),
        kind: Kind::of(flag),
    })
}

/// The name of the tables of exports.
pub(super) const EXPORT: &str = "export";
