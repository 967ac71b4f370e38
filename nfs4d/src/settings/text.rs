//! Settings as text.

use nfs4_admin::{SettingKind, SettingsPatch};

use super::table::{canonical, range, setting};
use super::wrong;

/// Sets one setting of `patch` to what a text says.
///
/// # Errors
/// What is expected instead.
pub(crate) fn read(name: &str, text: &str, patch: &mut SettingsPatch) -> Result<(), String> {
    let expected = wrong::expected(name);
    patch.set(name, text).map_err(|_| expected.clone())?;
    if let Some(number) = number(name, text)
        && let Some((min, max)) = range(name)
        && !(min..=max).contains(&number)
    {
        return Err(expected);
    }
    canonical(patch)
}

fn number(name: &str, text: &str) -> Option<u64> {
    match setting(name)?.kind {
        SettingKind::Number => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use nfs4_admin::SETTINGS;
    use nfs4_engine::Config;

    use super::super::table::{config, defaults, of_engine};
    use super::*;

    #[test]
    fn every_number_has_the_range_of_the_engine() {
        for setting in SETTINGS {
            let range = range(setting.name);
            if setting.kind != SettingKind::Number {
                assert_eq!(range, None, "{}", setting.name);
                continue;
            }
            let (min, max) = range.unwrap_or_else(|| panic!("{} has no range", setting.name));
            for (number, fits) in [
                (Some(min), true),
                (Some(max), true),
                (min.checked_sub(1), false),
                (Some(max + 1), false),
            ] {
                let Some(number) = number else { continue };
                let mut patch = SettingsPatch::default();
                let text = number.to_string();
                let is_read = read(setting.name, &text, &mut patch);
                assert_eq!(is_read.is_ok(), fits, "{} {number}", setting.name);
                patch.max_cached_reply.get_or_insert(512);
                let config = config(&patch.applied_to(defaults()), &Config::default());
                let faults = config.validate().err().unwrap_or_default();
                let own = |fault: &&str| of_engine(fault) == Some(setting.name);
                let wrong = faults
                    .0
                    .iter()
                    .map(|fault| fault.setting)
                    .any(|name| own(&name));
                assert_eq!(!wrong, fits, "{} {number}", setting.name);
            }
        }
    }

    #[test]
    fn operations_are_written_in_one_way() {
        let mut patch = SettingsPatch::default();
        read("blocked_operations", "openattr,CREATE,OpenAttr", &mut patch).unwrap();
        let names = patch.blocked_operations.clone().unwrap();
        assert_eq!(names, ["CREATE", "OPENATTR"]);
        let why = read("blocked_operations", "OPENATR", &mut patch).unwrap_err();
        assert!(why.contains("OPENATTR"), "{why}");
    }
}
