//! The keys of a configuration file: one for each flag.

use clap::builder::ArgAction;
use clap::{Arg, Command};

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
    })
}

/// The name of the tables of exports.
pub(super) const EXPORT: &str = "export";
