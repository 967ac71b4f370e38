//! Each protocol setting, between its value for people and the engine's.

use std::time::Duration;

use nfs4_admin::{SETTINGS, Setting, SettingsPatch, SettingsValues};
use nfs4_engine::proto::nfs4::Op;
use nfs4_engine::{BindingPolicy, Change, Config, FaultReason};

use super::names::operation;

/// A setting of the engine.
pub(super) struct Link {
    /// Its name for people.
    pub(super) name: &'static str,
    /// Its name in the engine's [`Config`].
    engine: &'static str,
    write: fn(&SettingsValues, &mut Config),
    show: fn(&Config, &mut SettingsValues),
    /// Asks for its value in the second settings, if that differs from the first.
    change: fn(&Config, &Config, &mut Change),
    greatest: fn(&mut Config),
}

macro_rules! links {
    ($($name:ident => $engine:ident as $unit:ident;)+) => {
        [$(Link {
            name: stringify!($name),
            engine: stringify!($engine),
            write: |values, config| config.$engine = $unit::engine(&values.$name),
            show: |config, values| values.$name = $unit::shown(&config.$engine),
            change: |from, to, change| {
                if from.$engine != to.$engine {
                    change.$engine = Some(to.$engine.clone());
                }
            },
            greatest: |config| config.$engine = $unit::greatest(),
        },)+]
    };
}

/// All settings that can change while the server runs.
pub(super) const LINKS: [Link; 26] = links! {
    lease_time => lease as Seconds;
    courtesy_time => courtesy as Seconds;
    grace_time => grace as Seconds;
    v4_min_minor_version => min_minor_version as Number;
    v4_max_minor_version => max_minor_version as Number;
    v4_max_connections_per_session => max_connections_per_session as Number;
    v4_binding_policy => binding_policy as Policy;
    v4_session_slots => fore_slots as Number;
    v4_sessions_per_client => sessions_per_client as Number;
    blocked_operations => blocked_operations as Operations;
    delegations => delegations as Switch;
    max_delegations => max_delegations as Number;
    max_delegations_per_client => max_delegations_per_client as Number;
    delegation_pause => delegation_pause as Seconds;
    delegation_penalty => delegation_penalty as Seconds;
    max_clients => max_clients as Number;
    max_sessions => max_sessions as Number;
    max_states => max_states as Number;
    max_opens_per_client => max_opens_per_client as Number;
    max_operations => max_operations as Number;
    max_cached_reply => max_cached_reply as Number;
    max_reply_cache => max_reply_cache as Bytes;
    slow_request_ms => slow_request as Milliseconds;
    drain_time => drain_deadline as Seconds;
    callback_timeout_ms => callback_timeout as Milliseconds;
    callback_pause_ms => callback_pause as Milliseconds;
};

/// What people see of the engine's settings.
pub(super) fn values(config: &Config) -> SettingsValues {
    let mut values = SettingsValues::default();
    for link in &LINKS {
        (link.show)(config, &mut values);
    }
    values
}

/// The engine's settings by default: unlike an engine by itself, the server logs what is slow.
pub(crate) fn base() -> Config {
    Config::default().with(|config| config.slow_request = SLOW)
}

/// The values without any layer above them.
pub(crate) fn defaults() -> SettingsValues {
    values(&base())
}

/// `base` with these values.
pub(super) fn config(values: &SettingsValues, base: &Config) -> Config {
    base.clone().with(|config| {
        for link in &LINKS {
            (link.write)(values, config);
        }
    })
}

/// What the engine is to be asked for, so that it goes from one state to the other.
pub(super) fn change(from: &Config, to: &Config) -> Change {
    Change::default().with(|change| {
        for link in &LINKS {
            (link.change)(from, to, change);
        }
    })
}

/// The names of the settings that differ.
pub(super) fn differing(from: &Config, to: &Config) -> Vec<&'static str> {
    let differs = |link: &&Link| {
        let mut one = Change::default();
        (link.change)(from, to, &mut one);
        one != Change::default()
    };
    LINKS.iter().filter(differs).map(|link| link.name).collect()
}

/// The setting to which a fault of the engine's settings belongs; that name may have a unit behind it.
pub(crate) fn of_engine(name: &str) -> Option<&'static str> {
    let name = name.split(" (").next()?;
    let link = LINKS.iter().find(|link| link.engine == name)?;
    Some(link.name)
}

/// The setting of this name.
pub(super) fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The least and the greatest value of a number, whatever the others are. The engine has the ranges,
/// and tells them of a value beyond.
pub(crate) fn range(name: &str) -> Option<(u64, u64)> {
    let mut others = Config::default();
    if name == "max_reply_cache" {
        // It holds one reply at least.
        let (least, _) = range("max_cached_reply")?;
        others.max_cached_reply = Number::engine(&least);
    }
    let link = LINKS.iter().find(|link| link.name == name)?;
    let faults = others.with(link.greatest).validate().err()?;
    faults.0.iter().find_map(|fault| match fault.reason {
        FaultReason::Range { min, max, .. } if of_engine(fault.setting) == Some(name) => {
            Some((min, max))
        }
        _ => None,
    })
}

/// Writes operations as the RFC does, each once and in its order.
///
/// # Errors
/// There is no operation of such a name.
pub(super) fn canonical(patch: &mut SettingsPatch) -> Result<(), String> {
    if let Some(names) = &mut patch.blocked_operations {
        let ops = names.iter().map(|name| operation(name));
        let ops: Vec<Op> = ops.collect::<Result<_, _>>()?;
        *names = Operations::shown(&ops);
    }
    Ok(())
}

/// Translates values of one unit.
trait Unit<E, V> {
    fn engine(value: &V) -> E;
    fn shown(value: &E) -> V;
    /// Beyond every range, if there is one.
    fn greatest() -> E;
}

struct Number;
struct Bytes;
struct Seconds;
struct Milliseconds;
struct Switch;
struct Policy;
struct Operations;

impl Unit<u32, u64> for Number {
    fn engine(value: &u64) -> u32 {
        // No range goes as far.
        u32::try_from(*value).unwrap_or(u32::MAX)
    }

    fn shown(value: &u32) -> u64 {
        u64::from(*value)
    }

    fn greatest() -> u32 {
        u32::MAX
    }
}

impl Unit<u64, u64> for Bytes {
    fn engine(value: &u64) -> u64 {
        *value
    }

    fn shown(value: &u64) -> u64 {
        *value
    }

    fn greatest() -> u64 {
        u64::MAX
    }
}

impl Unit<Duration, u64> for Seconds {
    fn engine(value: &u64) -> Duration {
        Duration::from_secs(*value)
    }

    fn shown(value: &Duration) -> u64 {
        value.as_secs()
    }

    fn greatest() -> Duration {
        Duration::MAX
    }
}

impl Unit<Duration, u64> for Milliseconds {
    fn engine(value: &u64) -> Duration {
        Duration::from_millis(*value)
    }

    fn shown(value: &Duration) -> u64 {
        u64::try_from(value.as_millis()).unwrap_or(u64::MAX)
    }

    fn greatest() -> Duration {
        Duration::MAX
    }
}

impl Unit<bool, bool> for Switch {
    fn engine(value: &bool) -> bool {
        *value
    }

    fn shown(value: &bool) -> bool {
        *value
    }

    fn greatest() -> bool {
        true
    }
}

impl Unit<BindingPolicy, nfs4_admin::BindingPolicy> for Policy {
    fn engine(value: &nfs4_admin::BindingPolicy) -> BindingPolicy {
        match value {
            nfs4_admin::BindingPolicy::Exclusive => BindingPolicy::Exclusive,
            nfs4_admin::BindingPolicy::Shared => BindingPolicy::Shared,
        }
    }

    fn shown(value: &BindingPolicy) -> nfs4_admin::BindingPolicy {
        match value {
            BindingPolicy::Shared => nfs4_admin::BindingPolicy::Shared,
            _ => nfs4_admin::BindingPolicy::Exclusive,
        }
    }

    fn greatest() -> BindingPolicy {
        BindingPolicy::Shared
    }
}

impl Unit<Vec<Op>, Vec<String>> for Operations {
    fn engine(value: &Vec<String>) -> Vec<Op> {
        // `canonical` has refused other names.
        value
            .iter()
            .filter_map(|name| operation(name).ok())
            .collect()
    }

    fn shown(value: &Vec<Op>) -> Vec<String> {
        let known = Op::ALL.iter().filter(|op| value.contains(op));
        known.map(|op| op.name().to_owned()).collect()
    }

    fn greatest() -> Vec<Op> {
        Op::ALL.to_vec()
    }
}

/// Time after which a request or a callback is slow, by default.
const SLOW: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_the_interface_is_one_of_the_engine() {
        let links: Vec<&str> = LINKS.iter().map(|link| link.name).collect();
        let settings: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(links, settings);
        let default = defaults();
        assert_eq!(config(&default, &Config::default()), base());
    }

    #[test]
    fn a_change_names_what_differs_and_nothing_else() {
        let from = Config::default();
        for link in &LINKS {
            let to = from.clone().with(link.greatest);
            let differs = to != from;
            // Delegations are on, which is all that they can be beside off.
            let to = if differs {
                to
            } else {
                from.clone().with(|to| to.delegations = false)
            };
            assert_eq!(differing(&from, &to), [link.name]);
            let mut one = Change::default();
            (link.change)(&from, &to, &mut one);
            assert_eq!(change(&from, &to), one);
        }
        assert_eq!(change(&from, &from), Change::default());
    }
}
