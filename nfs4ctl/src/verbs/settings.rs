//! `nfs4ctl settings`.

use std::borrow::Cow;

use nfs4_admin::client::{Server, Tagged};
use nfs4_admin::{SETTINGS, Settings, SettingsValues};
use serde_json::{Map, Value};

use crate::cli::{Form, Settings as Verb};
use crate::confirm::confirm;
use crate::fault::Fault;
use crate::output::Output;
use crate::table::{Cell, Column, Table, Tone};

pub(crate) async fn carry_out(
    server: &Server,
    output: &mut Output,
    verb: Verb,
) -> Result<(), Fault> {
    match verb {
        Verb::Show { defaults: true } => {
            let values = server.default_settings().await?;
            output.show(&values, |values| table(values, None, None))
        }
        Verb::Show { defaults: false } => {
            let settings = server.settings().await?;
            show(output, &settings, None)
        }
        Verb::Update { flags, if_match } => {
            if flags.patch.names().is_empty() {
                let why =
                    "name a setting, as in --lease-time 30: see nfs4ctl settings update --help";
                return Err(Fault::Usage(why.to_owned()));
            }
            let tag = if_match.as_deref().map(entity_tag);
            let settings = server.update_settings(&flags.patch, tag.as_deref()).await?;
            show(output, &settings, Some(&flags.patch.names()))
        }
        Verb::Reset { consent } => {
            confirm(
                "Give all settings that are not fixed their defaults?",
                consent,
            )?;
            let settings = server.reset_settings().await?;
            show(output, &settings, None)
        }
    }
}

/// A tag as HTTP has it: a shell takes its quotes away. [RFC 9110 §8.8.3]
fn entity_tag(tag: &str) -> Cow<'_, str> {
    match tag == "*" || tag.contains('"') {
        true => tag.into(),
        false => format!("\"{tag}\"").into(),
    }
}

/// Shows the settings of a server; in a table only those of these names, if there are any.
fn show(
    output: &mut Output,
    settings: &Tagged<Settings>,
    names: Option<&[&str]>,
) -> Result<(), Fault> {
    let Tagged { value, etag, .. } = settings;
    if output.form() != Form::Table {
        return output.value(value);
    }
    output.table(&table(&value.values, Some(value), names))?;
    output.line("")?;
    let lasting = if value.persistent {
        Cell::new("stored, and outlast a restart")
    } else {
        Cell::new("lost at a restart: the server has no --state-dir").toned(Tone::Notice)
    };
    output.details(&[("changes", lasting), ("tag", Cell::known(etag.as_ref()))])
}

/// The settings, or those of these names; those of a server say what fixes them.
fn table(values: &SettingsValues, server: Option<&Settings>, names: Option<&[&str]>) -> Table {
    let mut columns = vec![
        Column::id("SETTING"),
        Column::text("VALUE", 12),
        Column::id("UNIT"),
        Column::id("FIXED BY"),
    ];
    if server.is_none() {
        columns.pop();
    }
    let mut table = Table::new(&columns);
    let fields = match serde_json::to_value(values) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let wanted = |name| names.is_none_or(|names| names.contains(&name));
    for setting in SETTINGS.iter().filter(|setting| wanted(setting.name)) {
        let value = fields.get(setting.name).map(plain);
        let mut row = vec![
            Cell::new(setting.name),
            Cell::known(value),
            Cell::new(setting.unit.unwrap_or_default()),
        ];
        if let Some(settings) = server {
            let fixed = settings.fixed.get(setting.name);
            row.push(Cell::new(fixed.map_or("", String::as_str)).toned(Tone::Notice));
        }
        table.row(row);
    }
    table
}

/// A value as a flag takes it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(names) if names.is_empty() => "none".to_owned(),
        Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            names.join(",")
        }
        other => other.to_string(),
    }
}
