//! One flag for each setting.

use std::sync::LazyLock;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use nfs4_admin::{SETTINGS, Setting, SettingKind, SettingsPatch};

use crate::number::whole;

/// The settings that flags name, and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SettingsFlags {
    /// The change.
    pub(crate) patch: Box<SettingsPatch>,
}

/// The names of the flags, in the order of [`SETTINGS`].
static FLAGS: LazyLock<Vec<String>> =
    LazyLock::new(|| SETTINGS.iter().map(|setting| flag(setting.name)).collect());

/// The flag of a setting, without the two dashes.
pub(crate) fn flag(name: &str) -> String {
    name.replace('_', "-")
}

fn argument(setting: &'static Setting, flag: &'static str) -> Arg {
    let argument = Arg::new(setting.name).long(flag).help(setting.help);
    let argument = argument.help_heading("Settings");
    match setting.kind {
        SettingKind::Number => argument
            .value_parser(ValueParser::new(whole::<u64>(0..=u64::MAX)))
            .value_name(match setting.unit {
                Some("seconds") => "SECONDS",
                Some("milliseconds") => "MILLISECONDS",
                Some("bytes") => "BYTES",
                _ => "NUMBER",
            }),
        SettingKind::Switch => argument
            .value_parser(PossibleValuesParser::new(["true", "false"]))
            .value_name("BOOL"),
        SettingKind::Choice(choices) => argument
            .value_parser(PossibleValuesParser::new(choices))
            .value_name("CHOICE"),
        _ => argument.value_name("NAMES").help(format!(
            "{}, with commas between them; \"\" for none",
            setting.help
        )),
    }
}

impl Args for SettingsFlags {
    fn augment_args(command: Command) -> Command {
        let arguments = SETTINGS.iter().zip(FLAGS.iter());
        command.args(arguments.map(|(setting, flag)| argument(setting, flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        SettingsFlags::augment_args(command)
    }
}

impl FromArgMatches for SettingsFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<SettingsFlags, Error> {
        let mut flags = SettingsFlags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for (setting, flag) in SETTINGS.iter().zip(FLAGS.iter()) {
            let Some(raw) = matches.get_raw(setting.name).and_then(|mut raw| raw.next()) else {
                continue;
            };
            let text = raw.to_string_lossy();
            self.patch.set(setting.name, &text).map_err(|why| {
                Error::raw(ErrorKind::ValueValidation, format!("--{flag} {why}\n"))
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Settings, Verb};

    fn patch(arguments: &[&str]) -> SettingsPatch {
        let line = ["nfs4ctl", "settings", "update"].into_iter();
        let cli = Cli::try_parse_from(line.chain(arguments.iter().copied())).unwrap();
        match cli.verb {
            Verb::Settings(Settings::Update { flags, .. }) => *flags.patch,
            verb => panic!("{verb:?}"),
        }
    }

    #[test]
    fn each_setting_has_a_flag() {
        for setting in SETTINGS {
            let value = match setting.kind {
                SettingKind::Number => "18446744073709551615",
                SettingKind::Switch => "false",
                SettingKind::Choice(choices) => choices[0],
                _ => "OPENATTR,io_advise",
            };
            let patch = patch(&[&format!("--{}", flag(setting.name)), value]);
            assert_eq!(patch.names(), [setting.name]);
            let json = serde_json::to_value(&patch).unwrap()[setting.name].to_string();
            let plain: String = json.chars().filter(|c| !"[]\"".contains(*c)).collect();
            assert_eq!(plain, value);
        }
    }

    #[test]
    fn several_flags_are_one_change() {
        let patch = patch(&["--lease-time", "30", "--blocked-operations", ""]);
        assert_eq!(patch.lease_time, Some(30));
        assert_eq!(patch.blocked_operations, Some(Vec::new()));
        assert_eq!(patch.names().len(), 2);
    }
}
