//! A flag for each protocol setting.

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use nfs4_admin::{SETTINGS, Setting, SettingKind, SettingsPatch};
use serde_json::Value;

use crate::settings;

/// The settings that are given.
#[derive(Clone, Debug, Default)]
pub(super) struct ProtocolFlags(pub(super) SettingsPatch);

impl Args for ProtocolFlags {
    fn augment_args(command: Command) -> Command {
        let defaults = serde_json::to_value(settings::defaults()).unwrap_or_default();
        let flags = SETTINGS.iter().map(|setting| flag(setting, &defaults));
        command.args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        ProtocolFlags::augment_args(command)
    }
}

impl FromArgMatches for ProtocolFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ProtocolFlags, clap::Error> {
        let mut flags = ProtocolFlags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            // A default is not given.
            if matches.value_source(setting.name) != Some(clap::parser::ValueSource::CommandLine) {
                continue;
            }
            let given = matches.get_many::<String>(setting.name).unwrap_or_default();
            let text = given.map(String::as_str).collect::<Vec<&str>>().join(",");
            settings::read(setting.name, &text, &mut self.0)
                .map_err(|why| clap::Error::raw(clap::error::ErrorKind::ValueValidation, why))?;
        }
        Ok(())
    }
}

fn flag(setting: &'static Setting, defaults: &Value) -> Arg {
    let name = setting.name;
    let (value_name, parser): (&str, ValueParser) = match setting.kind {
        SettingKind::Switch => ("BOOL", PossibleValuesParser::new(["true", "false"]).into()),
        SettingKind::Choice(choices) => ("POLICY", PossibleValuesParser::new(choices).into()),
        SettingKind::Names => (
            "OPERATIONS",
            ValueParser::new(move |text: &str| checked(name, text)),
        ),
        _ => {
            let unit = setting.unit.unwrap_or("number");
            (
                upper(unit),
                ValueParser::new(move |text: &str| checked(name, text)),
            )
        }
    };
    let help = match setting.kind {
        SettingKind::Names => format!("{}; separated by commas", setting.help),
        _ => setting.help.to_owned(),
    };
    let flag = Arg::new(name)
        .long(name.replace('_', "-"))
        .value_name(value_name)
        .value_parser(parser)
        .allow_hyphen_values(true)
        .help_heading(HEADING)
        .help(help);
    match &defaults[name] {
        Value::Array(_) => flag.action(ArgAction::Append),
        Value::String(text) => flag.default_value(text.clone()),
        other => flag.default_value(other.to_string()),
    }
}

/// A text that says what the setting takes.
fn checked(name: &str, text: &str) -> Result<String, String> {
    settings::read(name, text, &mut SettingsPatch::default())?;
    Ok(text.to_owned())
}

fn upper(unit: &str) -> &'static str {
    match unit {
        "seconds" => "SECONDS",
        "milliseconds" => "MILLISECONDS",
        "bytes" => "BYTES",
        _ => "NUMBER",
    }
}

/// Of the help, and the name of their table in the configuration file.
pub(super) const HEADING: &str = "Protocol";
