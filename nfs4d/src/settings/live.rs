//! The settings of a server that runs.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nfs4_admin::{Settings, SettingsPatch};
use nfs4_driver::{AdminError, Node};
use nfs4_engine::{Admin, Change, Config};

use super::layers::Layers;
use super::store::Store;
use super::table;
use super::wrong::Wrong;
use crate::lock::locked;

/// The settings of a running server, and the way to others.
#[derive(Debug)]
pub(crate) struct Live {
    node: Node,
    /// What never changes is from here.
    base: Config,
    store: Option<Store>,
    /// One change at a time: it writes a file and then asks the engine.
    writer: Mutex<()>,
    /// What is in force, for readers that do not wait for a writer.
    now: Mutex<Arc<InForce>>,
}

#[derive(Debug)]
struct InForce {
    layers: Layers,
    config: Config,
}

/// Settings, and their entity tag. [RFC 9110 §8.8.3]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) settings: Settings,
    /// With its quotes; it is another one for other settings.
    pub(crate) tag: String,
}

/// Why settings stay as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unchanged {
    /// They are not those that the request is meant for.
    #[error("the settings are others by now")]
    Changed,
    /// Some are given by the command line or the configuration file.
    #[error("the command line or the configuration file fixes it")]
    Fixed(Vec<Wrong>),
    /// Some would be out of their range.
    #[error("settings would be out of their range")]
    Wrong(Vec<Wrong>),
    /// They cannot be stored.
    #[error("the settings cannot be stored: {0}")]
    Store(#[source] io::Error),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] AdminError),
}

impl Live {
    /// The settings of a server that runs with `config`, which is what `layers` make of `base`.
    pub(crate) fn new(
        node: Node,
        base: Config,
        (layers, config): (Layers, Config),
        store: Option<Store>,
    ) -> Live {
        let now = Mutex::new(Arc::new(InForce { layers, config }));
        Live {
            node,
            base,
            store,
            writer: Mutex::default(),
            now,
        }
    }

    /// The settings of a server with the defaults, which are not stored.
    #[cfg(test)]
    pub(crate) fn of(node: Node) -> Live {
        let start = (Layers::default(), Config::default());
        Live::new(node, Config::default(), start, None)
    }

    /// What is in force.
    pub(crate) fn shown(&self) -> Shown {
        self.show(&self.in_force())
    }

    /// Changes settings and stores them, all or none of them. `wanted` says whether the request is
    /// meant for settings with this tag.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(crate) fn change(
        &self,
        patch: &SettingsPatch,
        wanted: impl FnOnce(&str) -> bool,
    ) -> Result<Shown, Unchanged> {
        self.store(wanted, |layers| {
            let fixed = layers.fixed();
            let fixed = patch.names().into_iter().filter_map(|name| {
                let by = fixed.get(name)?;
                Some(Wrong::fixed(name, by))
            });
            let fixed: Vec<Wrong> = fixed.collect();
            if !fixed.is_empty() {
                return Err(Unchanged::Fixed(fixed));
            }
            Ok(layers.stored.clone().overlaid(patch))
        })
    }

    /// Which of these settings would be out of their range beside those in force.
    pub(crate) fn faults(&self, patch: &SettingsPatch) -> Vec<Wrong> {
        let mut layers = self.in_force().layers.clone();
        layers.stored = layers.stored.overlaid(patch);
        layers.config(&self.base).err().unwrap_or_default()
    }

    /// Forgets all that was stored.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(crate) fn reset(&self, wanted: impl FnOnce(&str) -> bool) -> Result<Shown, Unchanged> {
        self.store(wanted, |_| Ok(SettingsPatch::default()))
    }

    /// Takes over what a configuration file gives by now; returns the names of the settings that
    /// have other values.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(crate) fn reload(&self, file: SettingsPatch) -> Result<Vec<&'static str>, Unchanged> {
        let _writer = locked(&self.writer);
        let before = self.in_force();
        let mut layers = before.layers.clone();
        layers.given.file = file;
        let config = layers.config(&self.base).map_err(Unchanged::Wrong)?;
        self.apply(&before, &config)?;
        let changed = table::differing(&before.config, &config);
        *locked(&self.now) = Arc::new(InForce { layers, config });
        Ok(changed)
    }

    /// Lets connections drain for this long at least: the server is about to stop, for which it
    /// drains them all.
    ///
    /// # Errors
    /// The engine refuses.
    pub(crate) fn allow_draining(&self, stop: Duration) -> Result<(), AdminError> {
        let _writer = locked(&self.writer);
        if self.in_force().config.drain_deadline >= stop {
            return Ok(());
        }
        let change = Change::default().with(|change| change.drain_deadline = Some(stop));
        self.node.admin(Admin::Configure(Box::new(change)))
    }

    /// Stores what `next` makes of the layers, and puts it into force.
    fn store(
        &self,
        wanted: impl FnOnce(&str) -> bool,
        next: impl FnOnce(&Layers) -> Result<SettingsPatch, Unchanged>,
    ) -> Result<Shown, Unchanged> {
        let _writer = locked(&self.writer);
        let before = self.in_force();
        if !wanted(&self.show(&before).tag) {
            return Err(Unchanged::Changed);
        }
        let layers = Layers {
            stored: next(&before.layers)?,
            given: before.layers.given.clone(),
        };
        let config = layers.config(&self.base).map_err(Unchanged::Wrong)?;
        // A server that no request reaches any more stores nothing.
        self.node.connections().map_err(AdminError::from)?;
        // First: after a crash between the two the settings are as they were asked for, and an
        // engine need not be asked to go back.
        if let Err(why) = self.write(&layers.stored) {
            self.restore(&before.layers.stored);
            return Err(Unchanged::Store(why));
        }
        if let Err(why) = self.apply(&before, &config) {
            self.restore(&before.layers.stored);
            return Err(why.into());
        }
        let now = Arc::new(InForce { layers, config });
        *locked(&self.now) = Arc::clone(&now);
        Ok(self.show(&now))
    }

    fn apply(&self, before: &InForce, config: &Config) -> Result<(), AdminError> {
        let change = table::change(&before.config, config);
        if change == Change::default() {
            return Ok(());
        }
        self.node.admin(Admin::Configure(Box::new(change)))
    }

    fn write(&self, stored: &SettingsPatch) -> io::Result<()> {
        match &self.store {
            Some(store) => store.write(stored),
            None => Ok(()),
        }
    }

    /// Writes what was stored before, in case that the file has something else by now.
    fn restore(&self, stored: &SettingsPatch) {
        let Some(store) = &self.store else { return };
        if store.holds(stored) {
            return;
        }
        if let Err(why) = store.write(stored) {
            let path = store.path().display();
            tracing::error!(%path, %why, "the stored settings are not those in force");
        }
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&locked(&self.now))
    }

    fn show(&self, now: &InForce) -> Shown {
        let settings = Settings {
            values: now.layers.values(),
            fixed: now.layers.fixed(),
            persistent: self.store.is_some(),
        };
        let mut hasher = DefaultHasher::new();
        // Maps are sorted, so the same settings give the same text.
        hasher.write(
            serde_json::to_string(&settings)
                .unwrap_or_default()
                .as_bytes(),
        );
        let tag = format!("\"{:016x}\"", hasher.finish());
        Shown { settings, tag }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use nfs4_driver::Identity;
    use nfs4_driver::Limits;
    use nfs4_engine::{Engine, Export, Now};
    use nfs4_vfs::{MemFs, MemFsConfig};

    use super::*;
    use crate::stable::State;

    fn node() -> Node {
        let boot = Identity::of_machine("127.0.0.1:1").boot().unwrap();
        let files = Arc::new(MemFs::new(MemFsConfig::new(1, 1 << 20)));
        let exports = vec![Export::new("/", files)];
        let engine = Engine::new(boot, Config::default(), exports, Now::default()).unwrap();
        Node::new(engine, Limits::default()).unwrap()
    }

    fn lease(seconds: u64) -> SettingsPatch {
        SettingsPatch {
            lease_time: Some(seconds),
            ..SettingsPatch::default()
        }
    }

    #[test]
    fn what_is_shown_is_what_the_engine_has() {
        let node = node();
        let live = Live::of(node.clone());
        let patch = SettingsPatch {
            max_clients: Some(5),
            drain_time: Some(2),
            ..lease(20)
        };
        let shown = live.change(&patch, |_| true).unwrap();
        assert_eq!(
            shown.settings.values,
            table::values(&node.config().unwrap())
        );
        assert_eq!(shown, live.shown());
        let stop = Duration::from_secs(7);
        live.allow_draining(stop).unwrap();
        assert_eq!(node.config().unwrap().drain_deadline, stop);
        assert_eq!(live.shown(), shown, "it is for the stop alone");
    }

    #[test]
    fn an_engine_that_has_failed_stores_nothing() {
        let directory = std::env::temp_dir().join(format!("nfs4d-live-{}", std::process::id()));
        let state = Arc::new(State::open(&directory).unwrap());
        let (store, _) = Store::open(Arc::clone(&state)).unwrap();
        let node = node();
        let live = Live {
            store: Some(store),
            ..Live::of(node.clone())
        };
        live.change(&lease(20), |_| true).unwrap();
        let (before, stored) = (live.shown(), state.settings().unwrap());
        let failed = catch_unwind(AssertUnwindSafe(|| node.look(|_| panic!("a fault"))));
        assert!(failed.is_err());
        let refused = live.change(&lease(30), |_| true).unwrap_err();
        let dead = AdminError::EngineDead(nfs4_driver::EngineDead);
        assert!(matches!(refused, Unchanged::Engine(why) if why == dead));
        let after = (live.shown(), state.settings().unwrap());
        assert_eq!(after, (before, stored));
        fs::remove_dir_all(directory).unwrap();
    }
}
