//! The settings as docs/settings.md tells them.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use nfs4_admin::{SETTINGS, SettingKind};

use super::protocol::HEADING;
use super::{Cli, schema};
use crate::settings;

/// The rows of its tables, a column each, without the marks of code.
fn rows() -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let text = fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let columns = line.strip_prefix("| ")?.strip_suffix('|')?.split('|');
        Some(
            columns
                .map(|column| column.trim().replace('`', ""))
                .collect(),
        )
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn the_manual_tells_every_protocol_setting_as_it_is() {
    let defaults = serde_json::to_value(settings::defaults()).unwrap();
    let told: Vec<Vec<String>> = rows()
        .into_iter()
        .filter(|row| row.len() == 5)
        .skip(1)
        .collect();
    assert_eq!(told.len(), SETTINGS.len());
    for (told, setting) in told.iter().zip(SETTINGS) {
        let range = match (settings::range(setting.name), setting.kind) {
            (Some((min, max)), _) => format!("{min} to {max}"),
            (None, SettingKind::Choice(choices)) => choices.join(" or "),
            (None, SettingKind::Switch) => "true or false".to_owned(),
            (None, _) => "names of operations".to_owned(),
        };
        let default = &defaults[setting.name];
        let default = default
            .as_str()
            .map_or_else(|| default.to_string(), str::to_owned);
        let unit = setting.unit.unwrap_or_default().to_owned();
        assert_eq!(told[..4], [setting.name.to_owned(), unit, range, default]);
        assert!(
            told[4].ends_with('.'),
            "{}: when does it act?",
            setting.name
        );
    }
}

#[test]
fn the_manual_tells_every_other_key_as_it_is() {
    let command = Cli::command();
    let keys = schema::keys(&command).into_iter();
    let mut keys: Vec<Vec<String>> = keys
        .filter(|key| key.table != HEADING.to_lowercase())
        .map(|key| {
            let flag = command
                .get_arguments()
                .find(|flag| flag.get_id() == key.id.as_str());
            let default = flag.unwrap().get_default_values().first();
            let default = default
                .and_then(|default| default.to_str())
                .unwrap_or_default();
            let table = format!("[{}]", key.table);
            vec![
                key.name,
                table,
                format!("--{}", key.flag),
                default.to_owned(),
            ]
        })
        .collect();
    let told = rows().into_iter().filter(|row| row.len() == 4).skip(1);
    let mut told: Vec<Vec<String>> = told.collect();
    keys.sort();
    told.sort();
    assert_eq!(told, keys);
}
