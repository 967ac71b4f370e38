//! The protocol's settings as the server starts with them.

use std::net::SocketAddr;

use nfs4_driver::Node;
use nfs4_engine::Config;

use crate::config::Settings;
use crate::fault::Fault;
use crate::settings::{Layers, Live, Source, Store, Wrong};

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
    /// The state directory cannot be used, or settings are out of their ranges.
    pub(crate) fn open(settings: &Settings, listen: SocketAddr) -> Result<Protocol, Fault> {
        let bound = Settings {
            listen,
            ..settings.clone()
        };
        let base = bound.engine();
        let opened = settings.state_dir.as_deref().map(Store::open).transpose();
        let (store, stored) =
            match opened.map_err(|(path, source)| Fault::State { path, source })? {
                Some((store, stored)) => (Some(store), stored),
                None => (None, Default::default()),
            };
        let layers = Layers {
            stored,
            given: settings.protocol.clone(),
        };
        let told = |wrong: Vec<Wrong>| {
            let lines = wrong.iter().map(|one| told(one, &layers, store.as_ref()));
            Fault::Settings(lines.collect())
        };
        let config = layers.config(&base).map_err(told)?;
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
fn told(wrong: &Wrong, layers: &Layers, store: Option<&Store>) -> String {
    let Wrong { name, detail, .. } = wrong;
    match (layers.source(name), store) {
        (Source::Stored, Some(store)) => format!("{}: {name} {detail}", store.path().display()),
        (Source::File, _) => format!("the configuration file: protocol.{name} {detail}"),
        (Source::Line, _) => format!("--{} {detail}", name.replace('_', "-")),
        (Source::Stored | Source::Default, _) => format!("{name} {detail}"),
    }
}
