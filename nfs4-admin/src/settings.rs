//! The settings that can change while the server runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Makes of one list: the values, a change of them, and [`SETTINGS`].
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty $(, $unit:literal)?;)+) => {
        /// A value for every setting.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct SettingsValues {
            $($(#[doc = $doc])+ $(#[doc = concat!(" In ", $unit, ".")])? pub $name: $type,)+
        }

        /// New values for some settings; those that are none stay as they are.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(deny_unknown_fields, default)]
        pub struct SettingsPatch {
            $(
                $(#[doc = $doc])+ $(#[doc = concat!(" In ", $unit, ".")])?
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )+
        }

        /// All settings, in the order in which they are shown.
        pub const SETTINGS: &[Setting] = &[
            $(Setting {
                name: stringify!($name),
                help: concat!($($doc),+).trim_ascii(),
                unit: unit(&[$($unit)?]),
                kind: <$type as Value>::KIND,
            },)+
        ];

        impl SettingsPatch {
            /// Sets a setting to what `text` says.
            ///
            /// # Errors
            /// There is no setting of this name, or the text is no value of its kind.
            pub fn set(&mut self, name: &str, text: &str) -> Result<(), SettingFault> {
                match name {
                    $(stringify!($name) => self.$name = Some(Value::read(text)?),)+
                    _ => return Err(SettingFault::Unknown),
                }
                Ok(())
            }

            /// The names of the settings that it has a value for.
            pub fn names(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$name.is_some() { names.push(stringify!($name)); })+
                names
            }

            /// Removes the value of a setting; returns whether it had one.
            pub fn forget(&mut self, name: &str) -> bool {
                match name {
                    $(stringify!($name) => self.$name.take().is_some(),)+
                    _ => false,
                }
            }

            /// It with the values of `above` in place of its own, where that has some.
            #[must_use]
            pub fn overlaid(mut self, above: &SettingsPatch) -> SettingsPatch {
                $(if above.$name.is_some() { self.$name.clone_from(&above.$name); })+
                self
            }

            /// `values` with its own values in place of those, where it has some.
            #[must_use]
            pub fn applied_to(&self, mut values: SettingsValues) -> SettingsValues {
                $(if let Some(value) = &self.$name { values.$name.clone_from(value); })+
                values
            }
        }
    };
}

settings! {
    /// Time that a client may be silent before others may take its state
    lease_time: u64, "seconds";
    /// Time that the state of a client is kept after its lease, unless others need it; 0 for none
    courtesy_time: u64, "seconds";
    /// Time after a start in which new opens and locks get GRACE; 0 for none
    grace_time: u64, "seconds";
    /// Lowest minor version of NFSv4 that is served
    v4_min_minor_version: u64;
    /// Highest minor version of NFSv4 that is served
    v4_max_minor_version: u64;
    /// Maximum number of connections bound to a session; 0 for no limit
    v4_max_connections_per_session: u64;
    /// Whether BIND_CONN_TO_SESSION ends a connection's bindings to other sessions
    v4_binding_policy: BindingPolicy;
    /// Maximum number of slots of a session; sessions that exist keep theirs
    v4_session_slots: u64;
    /// Maximum number of sessions of a client
    v4_sessions_per_client: u64;
    /// Operations that get NOTSUPP, by the names of the RFCs
    blocked_operations: Vec<String>;
    /// Whether files are delegated
    delegations: bool;
    /// Maximum number of delegations of all clients
    max_delegations: u64;
    /// Maximum number of delegations of a client
    max_delegations_per_client: u64;
    /// Time after a recall in which its file is not delegated
    delegation_pause: u64, "seconds";
    /// Time in which a client that did not return a delegation gets no others; 0 for none
    delegation_penalty: u64, "seconds";
    /// Maximum number of client records
    max_clients: u64;
    /// Maximum number of sessions of all clients
    max_sessions: u64;
    /// Maximum number of opens, locks and delegations of all clients
    max_states: u64;
    /// Maximum number of opens of a client
    max_opens_per_client: u64;
    /// Maximum number of operations of a COMPOUND
    max_operations: u64;
    /// Maximum length of a reply that is kept for replay
    max_cached_reply: u64, "bytes";
    /// Maximum length of all replies that are kept for replay
    max_reply_cache: u64, "bytes";
    /// Time after which a request or a callback is logged as slow; 0 for never
    slow_request_ms: u64, "milliseconds";
    /// Time that a draining connection may take to finish its requests
    drain_time: u64, "seconds";
    /// Time that a client may take to answer a callback before it is sent again
    callback_timeout_ms: u64, "milliseconds";
    /// Time before a callback is sent for the second time
    callback_pause_ms: u64, "milliseconds";
}

/// The settings of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// Their values.
    #[serde(flatten)]
    pub values: SettingsValues,
    /// The settings that cannot be changed now, and what fixes each: `command_line` or
    /// `configuration_file`.
    pub fixed: BTreeMap<String, String>,
    /// Whether changes outlast the server: it has a directory for its state.
    pub persistent: bool,
}

/// What BIND_CONN_TO_SESSION does to a connection's bindings to other sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum BindingPolicy {
    /// It ends them.
    #[default]
    Exclusive,
    /// It leaves them.
    Shared,
}

/// A setting: what a program needs that offers all of them as flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name, in JSON and in the configuration file; flags have `-` for `_`.
    pub name: &'static str,
    /// What it does.
    pub help: &'static str,
    /// The unit of its value, if it has one.
    pub unit: Option<&'static str>,
    /// What values it takes.
    pub kind: SettingKind,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingKind {
    /// A number that is not negative.
    Number,
    /// `true` or `false`.
    Switch,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A list of names; as text separated by commas, and empty for none.
    Names,
}

/// Why a text is not the value of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingFault {
    /// There is no such setting.
    #[error("there is no such setting")]
    Unknown,
    /// It is no number.
    #[error("must be a whole number that is not negative")]
    Number,
    /// It is neither `true` nor `false`.
    #[error("must be true or false")]
    Switch,
    /// It is none of these.
    #[error("must be one of: {}", .0.join(", "))]
    Choice(&'static [&'static str]),
}

const fn unit(given: &[&'static str]) -> Option<&'static str> {
    match given {
        [unit, ..] => Some(unit),
        [] => None,
    }
}

/// What can be the value of a setting.
trait Value: Sized {
    const KIND: SettingKind;

    fn read(text: &str) -> Result<Self, SettingFault>;
}

impl Value for u64 {
    const KIND: SettingKind = SettingKind::Number;

    fn read(text: &str) -> Result<u64, SettingFault> {
        text.parse().map_err(|_| SettingFault::Number)
    }
}

impl Value for bool {
    const KIND: SettingKind = SettingKind::Switch;

    fn read(text: &str) -> Result<bool, SettingFault> {
        text.parse().map_err(|_| SettingFault::Switch)
    }
}

impl Value for Vec<String> {
    const KIND: SettingKind = SettingKind::Names;

    fn read(text: &str) -> Result<Vec<String>, SettingFault> {
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    }
}

impl Value for BindingPolicy {
    const KIND: SettingKind = SettingKind::Choice(&["exclusive", "shared"]);

    fn read(text: &str) -> Result<BindingPolicy, SettingFault> {
        match text {
            "exclusive" => Ok(BindingPolicy::Exclusive),
            "shared" => Ok(BindingPolicy::Shared),
            _ => Err(SettingFault::Choice(&["exclusive", "shared"])),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    /// A text that is a value of this kind.
    fn sample(kind: SettingKind) -> &'static str {
        match kind {
            SettingKind::Number => "7",
            SettingKind::Switch => "true",
            SettingKind::Choice(choices) => choices[choices.len() - 1],
            SettingKind::Names => "OPENATTR, IO_ADVISE",
        }
    }

    #[test]
    fn each_setting_is_a_field_of_the_same_name() {
        let fields = serde_json::to_value(SettingsValues::default()).unwrap();
        let fields: Vec<&String> = fields.as_object().unwrap().keys().collect();
        let mut names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        names.sort_unstable();
        assert_eq!(fields, names);
        for setting in SETTINGS {
            let mut patch = SettingsPatch::default();
            patch.set(setting.name, sample(setting.kind)).unwrap();
            assert_eq!(patch.names(), [setting.name]);
            let before = serde_json::to_value(SettingsValues::default()).unwrap();
            let after = serde_json::to_value(patch.applied_to(SettingsValues::default())).unwrap();
            for (name, value) in after.as_object().unwrap() {
                assert_eq!(*value != before[name], name == setting.name, "{name}");
            }
            assert_eq!(SettingsPatch::default().overlaid(&patch), patch);
            assert!(patch.forget(setting.name) && !patch.forget(setting.name));
            assert_eq!(serde_json::to_value(&patch).unwrap(), json!({}));
        }
    }

    #[test]
    fn a_text_of_another_kind_is_refused() {
        let mut patch = SettingsPatch::default();
        assert_eq!(patch.set("lease_tim", "7"), Err(SettingFault::Unknown));
        assert_eq!(patch.set("lease_time", "-7"), Err(SettingFault::Number));
        assert_eq!(patch.set("delegations", "on"), Err(SettingFault::Switch));
        let choice = patch.set("v4_binding_policy", "none").unwrap_err();
        assert_eq!(choice.to_string(), "must be one of: exclusive, shared");
        assert_eq!(patch, SettingsPatch::default());
    }

    #[test]
    fn no_names_are_an_empty_list() {
        let mut patch = SettingsPatch::default();
        patch.set("blocked_operations", "").unwrap();
        assert_eq!(patch.blocked_operations, Some(Vec::new()));
        assert_eq!(
            serde_json::to_value(&patch).unwrap(),
            json!({"blocked_operations": []})
        );
    }

    #[test]
    fn settings_are_one_flat_object() {
        let settings = Settings {
            fixed: [("lease_time".to_owned(), "command_line".to_owned())].into(),
            ..Settings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        let object: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(object["lease_time"], 0);
        assert_eq!(object["fixed"]["lease_time"], "command_line");
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn a_change_with_an_unknown_field_is_refused() {
        let why = serde_json::from_str::<SettingsPatch>(r#"{"lease": 5}"#).unwrap_err();
        assert!(why.to_string().contains("unknown field `lease`"), "{why}");
    }
}
