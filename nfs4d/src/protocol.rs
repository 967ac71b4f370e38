//! The protocol's settings as the server starts with them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use nfs4_driver::Node;
use nfs4_engine::Config;

use crate::config::Settings;
use crate::fault::Fault;
use crate::settings::{Layers, Live, Source, Store, Wrong};
use crate::stable::State;

/// The engine's settings, and where they come from.
pub(crate) struct Protocol {
    /// What never changes.
    base: Config,
    layers: Layers,
    store: Option<Store>,
    /// What the engine is started with.
    pub(crate) config: Config,
}

impl Protocol {
    /// What is given and what is stored, for a server that listens at `listen`.
    ///
    /// # Errors
    /// Stored settings cannot be read, or settings are out of their ranges.
    pub(crate) fn open(
        settings: &Settings,
        listen: SocketAddr,
        state: Option<Arc<State>>,
    ) -> Result<Protocol, Fault> {
        let bound = Settings {
            listen,
            ..settings.clone()
        };
        let base = bound.engine();
        let (mut store, stored) = match state.map(Store::open).transpose()? {
            Some((store, stored)) => (Some(store), stored),
            None => (None, Default::default()),
        };
        let layers = Layers {
            stored,
            given: settings.protocol.clone(),
        };
        let told = |wrong: Vec<Wrong>| {
            let lines = wrong
                .iter()
                .map(|one| told(one, &layers, store.as_ref().map(Store::path)));
            Fault::Settings(lines.collect())
        };
        let config = layers.config(&base).map_err(told)?;
        if let Some(store) = &mut store {
            store.import(&layers.stored)?;
        }
        Ok(Protocol {
            base,
            layers,
            store,
            config,
        })
    }

    /// The same of a server that runs.
    pub(crate) fn live(self, node: Node) -> Live {
        Live::new(node, self.base, (self.layers, self.config), self.store)
    }
}

/// A wrong setting, as the place says it that it comes from.
fn told(wrong: &Wrong, layers: &Layers, store: Option<&Path>) -> String {
    let Wrong { name, detail, .. } = wrong;
    let other = wrong.because_of().map(|other| layers.source(other));
    match (layers.source(name), store) {
        (Source::Stored, Some(store)) => format!("{}: {name} {detail}", store.display()),
        (source, Some(store)) if other == Some(Source::Stored) => {
            let detail = format!("{detail} in {}", store.display());
            of(source, name, &detail)
        }
        (source, _) => of(source, name, detail),
    }
}

fn of(source: Source, name: &str, detail: &str) -> String {
    match source {
        Source::File => format!("the configuration file: protocol.{name} {detail}"),
        Source::Line => format!("--{} {detail}", name.replace('_', "-")),
        Source::Stored | Source::Default => format!("{name} {detail}"),
    }
}

#[cfg(test)]
mod tests {
    use nfs4_admin::SettingsPatch;

    use super::*;

    #[test]
    fn a_stored_setting_that_stands_against_a_given_one_is_found() {
        let mut layers = Layers {
            stored: SettingsPatch {
                v4_min_minor_version: Some(2),
                ..SettingsPatch::default()
            },
            ..Layers::default()
        };
        layers.given.file = SettingsPatch {
            v4_max_minor_version: Some(1),
            ..SettingsPatch::default()
        };
        let wrong = layers.config(&Config::default()).unwrap_err();
        assert_eq!(
            told(&wrong[0], &layers, Some(Path::new("/state/settings.json"))),
            "the configuration file: protocol.v4_max_minor_version is 1, but must be from 2 to 2, since \
             v4_min_minor_version is 2 in /state/settings.json"
        );
    }
}
