//! A node from its exports and settings.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use nfs4_engine::fs::{Backend, FileSystem};
use nfs4_engine::{Boot, Config, ConfigFaults, Engine, Export, StartError};

use crate::clock::{Clock, SystemClock};
use crate::file_system::FileSystemBackend;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::node::Node;
use crate::policy::DialPolicy;
#[cfg(feature = "record")]
use crate::recording::Recording;
use crate::spawn::Spawn;
use crate::stable::StableStore;
use crate::workers::Workers;

/// Makes a [`Node`]: what it exports, and every setting that differs from its default.
#[must_use = "it makes nothing until it is built"]
#[derive(Default)]
pub struct NodeBuilder {
    exports: Vec<Planned>,
    config: Config,
    limits: Option<Limits>,
    boot: Option<Boot>,
    identity: Option<Identity>,
    clock: Option<Arc<dyn Clock>>,
    dial_policy: Option<Arc<dyn DialPolicy>>,
    spawner: Option<Arc<dyn Spawn>>,
    stable: Option<Arc<dyn StableStore>>,
    #[cfg(feature = "record")]
    recording: Option<Recording>,
}

/// An export whose backend may still need the spawner.
enum Planned {
    Ready(Export),
    Waiting(Box<dyn FnOnce(Arc<dyn Spawn>) -> Export + Send>),
}

/// Why a node cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The engine does not start with these exports and settings.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Limits are out of their range.
    #[error(transparent)]
    Limits(#[from] ConfigFaults),
    /// The operating system has no randomness, or refuses a thread.
    #[error("the operating system refuses: {0}")]
    System(#[from] io::Error),
    /// The records of clients cannot be read.
    #[error("stable storage cannot be read: {0}")]
    Stable(#[source] io::Error),
}

/// Why a transport's builder makes no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address cannot be listened at.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
    /// The exports or settings are refused.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Node {
    /// Makes a node of exports and settings, with what else a start needs.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }
}

impl NodeBuilder {
    /// A builder without exports, with the default settings.
    pub fn new() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// Exports a file system at a path: "/" if it is the only one, else a path such as "/srv/data".
    /// Unless it is [private](FileSystem::is_private), its files are not delegated.
    pub fn export(mut self, path: impl Into<String>, fs: impl FileSystem) -> NodeBuilder {
        let path = path.into();
        self.exports.push(Planned::Waiting(Box::new(move |spawner| {
            Export::new(path, Arc::new(FileSystemBackend::new(fs, spawner)))
        })));
        self
    }

    /// Exports a [`Backend`] at a path, as [`NodeBuilder::export`] does a file system.
    pub fn export_backend(self, path: impl Into<String>, backend: impl Backend) -> NodeBuilder {
        self.export_with(Export::new(path, Arc::new(backend)))
    }

    /// Exports by the rules of an [`Export`], such as for reading only or with squashing.
    pub fn export_with(mut self, export: Export) -> NodeBuilder {
        self.exports.push(Planned::Ready(export));
        self
    }

    /// The settings of the protocol.
    pub fn config(mut self, config: Config) -> NodeBuilder {
        self.config = config;
        self
    }

    /// The limits of connections and memory; by default those of [`Limits::for_max_io`].
    pub fn limits(mut self, limits: Limits) -> NodeBuilder {
        self.limits = Some(limits);
        self
    }

    /// The name of the server; by default it is that of the machine and of the address that the
    /// server listens on.
    pub fn identity(mut self, identity: Identity) -> NodeBuilder {
        self.identity = Some(identity);
        self
    }

    /// What distinguishes this start, if it is not made from the identity, the clock and the
    /// operating system's randomness.
    pub fn boot(mut self, boot: Boot) -> NodeBuilder {
        self.boot = Some(boot);
        self
    }

    /// The clock; by default the operating system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> NodeBuilder {
        self.clock = Some(clock);
        self
    }

    /// Which addresses the server may connect to for callbacks of NFSv4.0; by default
    /// [`SameHost`](crate::SameHost).
    pub fn dial_policy(mut self, policy: Arc<dyn DialPolicy>) -> NodeBuilder {
        self.dial_policy = Some(policy);
        self
    }

    /// Where the futures of file systems are polled; by default on the transport's runtime, or on
    /// [`Workers`] where there is none.
    pub fn spawner(mut self, spawner: impl Spawn) -> NodeBuilder {
        self.spawner = Some(Arc::new(spawner));
        self
    }

    /// Where the records of clients outlast the server, so that they can reclaim their state from the next
    /// one; by default nowhere. The next one must have the same [`identity`](NodeBuilder::identity).
    pub fn stable(mut self, store: impl StableStore) -> NodeBuilder {
        self.stable = Some(Arc::new(store));
        self
    }

    /// Where everything is written that enters the engine, with what comes of it: see
    /// [`Node::recorded`].
    #[cfg(feature = "record")]
    pub fn record(mut self, recording: Recording) -> NodeBuilder {
        self.recording = Some(recording);
        self
    }

    /// The identity and the spawner, unless others were given. For the transports that are
    /// versioned with this crate, and hidden as it may change.
    #[doc(hidden)]
    pub fn unless_given<S: Spawn>(
        mut self,
        place: &dyn fmt::Display,
        spawner: impl FnOnce() -> Option<S>,
    ) -> NodeBuilder {
        let identity = self.identity.take();
        self.identity = identity.or_else(|| Some(Identity::of_machine(place)));
        if self.spawner.is_none() && self.waits() {
            self.spawner = spawner().map(|spawner| Arc::new(spawner) as _);
        }
        self
    }

    /// Whether an export needs a spawner.
    fn waits(&self) -> bool {
        self.exports
            .iter()
            .any(|export| matches!(export, Planned::Waiting(_)))
    }

    /// Makes the node. Without an identity it is a server of its own: clients take it for another
    /// one after a restart.
    ///
    /// # Errors
    /// An export, a setting or a limit is refused, or the operating system has no randomness or
    /// refuses a thread, or stable storage cannot be read.
    pub fn build(self) -> Result<Node, BuildError> {
        let waits = self.waits();
        let spawner = match self.spawner {
            Some(spawner) => Some(spawner),
            None if waits => Some(Arc::new(Workers::new(WORKERS)?) as _),
            None => None,
        };
        let exports = self.exports.into_iter().filter_map(|export| match export {
            Planned::Ready(export) => Some(export),
            // There is a spawner if one is needed.
            Planned::Waiting(make) => spawner.clone().map(make),
        });
        let exports = exports.collect();
        let boot = match (self.boot, self.identity) {
            (Some(boot), _) => boot,
            (None, Some(identity)) => identity.boot()?,
            (None, None) => {
                Identity::named(getrandom::u64().map_err(io::Error::from)?.to_string()).boot()?
            }
        };
        let boot = match &self.stable {
            Some(store) => {
                let records = store.recover().map_err(BuildError::Stable)?;
                boot.with(|boot| boot.recovered = Some(records))
            }
            None => boot,
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let limits = self.limits;
        let limits = limits.unwrap_or_else(|| Limits::for_max_io(self.config.max_io));
        let engine = Engine::new(boot, self.config, exports, clock.now())?;
        #[cfg(feature = "record")]
        let node = match self.recording {
            Some(recording) => Node::recorded(engine, limits, clock, recording)?,
            None => Node::with_clock(engine, limits, clock)?,
        };
        #[cfg(not(feature = "record"))]
        let node = Node::with_clock(engine, limits, clock)?;
        if let Some(policy) = self.dial_policy {
            node.set_dial_policy(policy);
        }
        if let Some(store) = self.stable {
            node.set_stable_store(store);
        }
        Ok(node)
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("exports", &self.exports.len())
            .field("config", &self.config)
            .field("limits", &self.limits)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Number of threads for file systems where there is neither a runtime nor a pool.
const WORKERS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// The settings of [`NodeBuilder`] as methods of a transport's builder: a struct with the field
/// `node`. For the transports that are versioned with this crate, and hidden as it may change.
#[doc(hidden)]
#[macro_export]
macro_rules! node_settings {
    () => {
        $crate::node_settings! { @
            /// Exports a file system at a path: "/" if it is the only one, else a path such as
            /// "/srv/data".
            export(path: impl Into<String>, fs: impl $crate::engine::fs::FileSystem);
            /// Exports a [`Backend`](driver::engine::fs::Backend), such as `MemFs`, at a path.
            export_backend(path: impl Into<String>, backend: impl $crate::engine::fs::Backend);
            /// Exports by the rules of an [`Export`](driver::engine::Export), such as for reading
            /// only or with squashing.
            export_with(export: $crate::engine::Export);
            /// The settings of the protocol.
            config(config: $crate::engine::Config);
            /// The limits of connections and memory.
            limits(limits: $crate::Limits);
            /// The name of the server; by default it is that of the machine and of the address
            /// that the server listens on.
            identity(identity: $crate::Identity);
            /// What distinguishes this start, if it is not made from the identity, the clock and
            /// the operating system's randomness.
            boot(boot: $crate::engine::Boot);
            /// The clock; by default the operating system's.
            clock(clock: std::sync::Arc<dyn $crate::Clock>);
            /// Which addresses the server may connect to for callbacks of NFSv4.0; by default
            /// that of the client.
            dial_policy(policy: std::sync::Arc<dyn $crate::DialPolicy>);
            /// Where the futures of file systems are polled, such as
            /// [`Workers`](driver::Workers) for those that block.
            spawner(spawner: impl $crate::Spawn);
            /// Where the records of clients outlast the server, so that they can reclaim their state
            /// from the next one, which must have the same identity.
            stable(store: impl $crate::StableStore);
            /// Records what enters the engine, and what comes of it: see
            /// [`Node::recorded`](driver::Node::recorded).
            #[cfg(feature = "record")]
            record(recording: $crate::Recording);
        }
    };
    (@ $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*);)*) => {
        $(
            $(#[$doc])*
            pub fn $name(mut self, $($arg: $type),*) -> Self {
                self.node = self.node.$name($($arg),*);
                self
            }
        )*
    };
}
