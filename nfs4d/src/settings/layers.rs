//! Where the value of a setting comes from.

use std::collections::BTreeMap;

use nfs4_admin::{SettingsPatch, SettingsValues};
use nfs4_engine::Config;

use super::table;
use super::wrong::{self, Wrong};

/// What is given at the start, and is not for requests to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// By the configuration file.
    pub file: SettingsPatch,
    /// By the command line, which goes before all others.
    pub line: SettingsPatch,
}

/// Values in layers: of each setting the highest holds. Below them all are the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layers {
    /// What requests have changed.
    pub(crate) stored: SettingsPatch,
    /// What is above that.
    pub(crate) given: Given,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    Stored,
    File,
    Line,
}

impl Given {
    /// What fixes a setting, if something does.
    fn source(&self, name: &str) -> Option<Source> {
        let has = |patch: &SettingsPatch| patch.names().contains(&name);
        match (has(&self.line), has(&self.file)) {
            (true, _) => Some(Source::Line),
            (false, true) => Some(Source::File),
            (false, false) => None,
        }
    }
}

impl Layers {
    /// Where the value of a setting comes from.
    pub(crate) fn source(&self, name: &str) -> Source {
        self.given.source(name).unwrap_or({
            match self.stored.names().contains(&name) {
                true => Source::Stored,
                false => Source::Default,
            }
        })
    }

    /// The values that hold.
    pub(crate) fn values(&self) -> SettingsValues {
        let above = self.stored.clone().overlaid(&self.given.file);
        above
            .overlaid(&self.given.line)
            .applied_to(table::defaults())
    }

    /// The engine's settings: `base` has those that never change.
    ///
    /// # Errors
    /// All settings that are out of their range.
    pub(crate) fn config(&self, base: &Config) -> Result<Config, Vec<Wrong>> {
        let values = self.values();
        let config = table::config(&values, base);
        wrong::check(&config, &values)?;
        Ok(config)
    }

    /// The settings that requests cannot change, and what fixes each.
    pub(crate) fn fixed(&self) -> BTreeMap<String, String> {
        let given = self.given.file.names().into_iter();
        let given = given.chain(self.given.line.names());
        let by = |name| match self.given.source(name) {
            Some(Source::Line) => "command_line",
            _ => "configuration_file",
        };
        given
            .map(|name| (name.to_owned(), by(name).to_owned()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::read;
    use super::*;

    fn patch(name: &str, text: &str) -> SettingsPatch {
        let mut patch = SettingsPatch::default();
        read(name, text, &mut patch).unwrap();
        patch
    }

    #[test]
    fn the_highest_layer_holds() {
        let mut layers = Layers::default();
        let lease = |layers: &Layers| (layers.values().lease_time, layers.source("lease_time"));
        assert_eq!(lease(&layers), (90, Source::Default));
        layers.stored = patch("lease_time", "1");
        assert_eq!(lease(&layers), (1, Source::Stored));
        assert!(layers.fixed().is_empty());
        layers.given.file = patch("lease_time", "2");
        assert_eq!(lease(&layers), (2, Source::File));
        assert_eq!(layers.fixed()["lease_time"], "configuration_file");
        layers.given.line = patch("lease_time", "3");
        assert_eq!(lease(&layers), (3, Source::Line));
        assert_eq!(layers.fixed()["lease_time"], "command_line");
        assert_eq!(layers.fixed().len(), 1);
    }

    #[test]
    fn layers_are_held_against_the_ranges_together() {
        let mut layers = Layers {
            stored: patch("v4_min_minor_version", "2"),
            ..Layers::default()
        };
        assert!(layers.config(&Config::default()).is_ok());
        layers.given.file = patch("v4_max_minor_version", "1");
        let wrong = layers.config(&Config::default()).unwrap_err();
        let told = "is 1, but must be from 2 to 2, since v4_min_minor_version is 2";
        assert_eq!(wrong[0].name, "v4_max_minor_version");
        assert_eq!((wrong.len(), wrong[0].detail.as_str()), (1, told));
    }

    #[test]
    fn a_number_that_the_engine_cannot_hold_is_told_as_it_was_given() {
        let layers = Layers {
            stored: SettingsPatch {
                max_clients: Some(1 << 40),
                ..SettingsPatch::default()
            },
            ..Layers::default()
        };
        let wrong = layers.config(&Config::default()).unwrap_err();
        let told = "is 1099511627776, but must be from 1 to 65536";
        assert_eq!(wrong[0].detail, told);
    }
}
