//! The start of an engine.

use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt;

use nfs4_proto::xdr::{Reader, Writer, XdrError};

use super::stand_in::StandIn;
use super::value::Value;
use crate::boot::Boot;
use crate::config::Config;
use crate::export::Export;
use crate::fs::{Backend, Guarded};
use crate::time::Now;

/// What an engine was started with: the arguments of [`Engine::new`](crate::Engine::new).
///
/// The file systems have root and capabilities, and answer nothing.
#[derive(Clone)]
#[non_exhaustive]
pub struct Start {
    /// What distinguishes it from other starts.
    pub boot: Boot,
    /// The settings.
    pub config: Config,
    /// The exports.
    pub exports: Vec<Export>,
    /// The time.
    pub now: Now,
    /// The file systems themselves, as far as there are still uses of them, so that they are known again.
    pub(super) file_systems: Vec<Weak<dyn Backend>>,
}

impl Start {
    /// The start of an engine with these arguments.
    pub fn new(boot: Boot, config: Config, exports: &[Export], now: Now) -> Start {
        let file_systems = exports.iter();
        let file_systems = file_systems.map(|export| Arc::downgrade(&export.backend));
        Start {
            boot,
            config,
            exports: exports.iter().zip(0..).map(stand_in).collect(),
            now,
            file_systems: file_systems.collect(),
        }
    }
}

/// An export whose file system only has what the engine asks at its start, and a number in the log.
pub(super) fn stand_in((export, number): (&Export, u32)) -> Export {
    let backend = &export.backend;
    let stand_in = StandIn {
        root: backend.root(),
        capabilities: backend.capabilities(),
        guarded: Guarded::of(&**backend),
        number,
    };
    Export {
        backend: Arc::new(stand_in),
        ..export.clone()
    }
}

impl Value for Start {
    fn put(&self, w: &mut Writer) {
        let Start {
            boot,
            config,
            exports,
            now,
            file_systems: _,
        } = self;
        boot.put(w);
        config.put(w);
        exports.put(w);
        now.put(w);
    }

    fn take(r: &mut Reader<'_>) -> Result<Start, XdrError> {
        let (boot, config) = (Value::take(r)?, Value::take(r)?);
        let exports = Vec::<Export>::take(r)?;
        let file_systems = exports.iter();
        let file_systems = file_systems.map(|export| Arc::downgrade(&export.backend));
        Ok(Start {
            boot,
            config,
            now: Value::take(r)?,
            file_systems: file_systems.collect(),
            exports,
        })
    }
}

impl Value for Export {
    fn put(&self, w: &mut Writer) {
        let Export {
            path,
            backend,
            number,
            read_only,
            squash,
            anonymous,
            access,
            minor_versions,
            flavors,
        } = self;
        path.put(w);
        backend.recorded_as().put(w);
        backend.root().put(w);
        backend.capabilities().put(w);
        Guarded::of(&**backend).put(w);
        number.put(w);
        read_only.put(w);
        squash.put(w);
        let (uid, gid) = anonymous;
        uid.put(w);
        gid.put(w);
        access.put(w);
        minor_versions.start().put(w);
        minor_versions.end().put(w);
        flavors.put(w);
    }

    fn take(r: &mut Reader<'_>) -> Result<Export, XdrError> {
        let path = String::take(r)?;
        let recorded: Option<u32> = Value::take(r)?;
        let stand_in = StandIn {
            number: recorded.unwrap_or_default(),
            root: Value::take(r)?,
            capabilities: Value::take(r)?,
            guarded: Value::take(r)?,
        };
        Ok(Export {
            path,
            backend: Arc::new(stand_in),
            number: Value::take(r)?,
            read_only: Value::take(r)?,
            squash: Value::take(r)?,
            anonymous: (Value::take(r)?, Value::take(r)?),
            access: Value::take(r)?,
            minor_versions: Value::take(r)?..=Value::take(r)?,
            flavors: Value::take(r)?,
        })
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("now", &self.now)
            .field("boot", &self.boot)
            .field("config", &self.config)
            .field("exports", &self.exports)
            .finish()
    }
}
