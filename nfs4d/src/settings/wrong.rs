//! What is wrong about a setting.

use nfs4_admin::{FieldFault, SETTINGS, SettingKind, SettingsValues};
use nfs4_engine::{Config, ConfigFaults, FaultReason};

use super::table::{defaults, of_engine, range, setting};

/// A setting that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The name that was given, which may be no setting's.
    pub(crate) name: String,
    /// What is wrong about it.
    pub(crate) detail: String,
    /// The least and the greatest allowed value, where it has a range.
    pub(crate) range: Option<(u64, u64)>,
}

impl Wrong {
    /// A value that is not what the setting takes.
    pub(super) fn value(name: &str) -> Wrong {
        Wrong {
            name: name.to_owned(),
            detail: expected(name),
            range: range(name),
        }
    }

    /// A field that is none, or has a part that is none.
    pub(super) fn unknown(name: &str, detail: String) -> Wrong {
        Wrong {
            name: name.to_owned(),
            detail,
            range: None,
        }
    }

    /// A setting that requests cannot change.
    pub(super) fn fixed(name: &str, by: &str) -> Wrong {
        let detail = match by {
            "command_line" => "is fixed by the command line",
            _ => "is fixed by the configuration file",
        };
        Wrong::unknown(name, detail.to_owned())
    }

    /// The other setting that makes the range narrower than it is by itself, if one does.
    pub(crate) fn because_of(&self) -> Option<&'static str> {
        self.range.and_then(|(min, _)| narrower(&self.name, min))
    }

    /// What the engine says against these settings, as far as it concerns those that can change.
    pub(super) fn all_of(faults: &ConfigFaults, values: &SettingsValues) -> Vec<Wrong> {
        let wrong = faults.0.iter().filter_map(|fault| {
            let name = of_engine(fault.setting)?;
            let FaultReason::Range { value, min, max } = fault.reason else {
                return None;
            };
            // The engine's number may be cut short.
            let value = number(name, values).unwrap_or(value);
            Some(Wrong {
                name: name.to_owned(),
                detail: format!(
                    "is {value}, but must be from {min} to {max}{}",
                    because(name, min)
                ),
                range: Some((min, max)),
            })
        });
        let mut wrong: Vec<Wrong> = wrong.collect();
        wrong.sort_by_key(|wrong| SETTINGS.iter().position(|known| known.name == wrong.name));
        wrong
    }
}

impl From<Wrong> for FieldFault {
    fn from(wrong: Wrong) -> FieldFault {
        let fault = FieldFault::new(wrong.name, wrong.detail);
        match wrong.range {
            Some((min, max)) => fault.with_range(min, max),
            None => fault,
        }
    }
}

/// What a setting takes.
pub(super) fn expected(name: &str) -> String {
    let Some(setting) = setting(name) else {
        return "there is no such setting".to_owned();
    };
    match setting.kind {
        SettingKind::Number => {
            let (unit, without) = match setting.unit {
                Some(unit) => (format!(" of {unit}"), " without a unit"),
                None => (String::new(), ""),
            };
            let (min, max) = range(name).unwrap_or((0, u64::MAX));
            let example = number(name, &defaults()).unwrap_or_default();
            format!("expected a whole number{unit} from {min} to {max}{without}, as in {example}")
        }
        SettingKind::Switch => "expected true or false".to_owned(),
        SettingKind::Choice(choices) => format!("expected {}", choices.join(" or ")),
        _ => "expected a list of names of operations, as in OPENATTR".to_owned(),
    }
}

/// Why the range is narrower than it is by itself.
fn because(name: &str, min: u64) -> String {
    match narrower(name, min) {
        Some(other) => format!(", since {other} is {min}"),
        None => String::new(),
    }
}

/// Which other setting makes the range narrower than it is by itself, if one does.
fn narrower(name: &str, min: u64) -> Option<&'static str> {
    let other = match name {
        "v4_max_minor_version" => "v4_min_minor_version",
        "max_reply_cache" => "max_cached_reply",
        _ => return None,
    };
    let narrower = range(name).is_some_and(|(least, _)| min > least);
    narrower.then_some(other)
}

fn number(name: &str, values: &SettingsValues) -> Option<u64> {
    serde_json::to_value(values).ok()?.get(name)?.as_u64()
}

/// Holds all settings of `config` against their ranges.
///
/// # Errors
/// All that are out of their range.
pub(super) fn check(config: &Config, values: &SettingsValues) -> Result<(), Vec<Wrong>> {
    let faults = config.validate().err().unwrap_or_default();
    let wrong = Wrong::all_of(&faults, values);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
