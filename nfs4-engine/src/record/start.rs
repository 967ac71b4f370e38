//! The start of an engine.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use nfs4_proto::xdr::{Reader, Writer, XdrError};

use super::stand_in::StandIn;
use super::value::{Value, structs};
use crate::boot::Boot;
use crate::config::Config;
use crate::exports::Export;
use crate::time::Now;

/// What an engine was started with: the arguments of [`Engine::new`](crate::Engine::new).
///
/// The file systems of one that was read from a log have root and capabilities, and answer
/// nothing.
#[derive(Clone)]
pub struct Start {
    /// What distinguishes it from other starts.
    pub boot: Boot,
    /// The settings.
    pub config: Config,
    /// The file systems.
    pub exports: Vec<Export>,
    /// The time.
    pub now: Now,
}

structs! {
    Start { boot, config, exports, now }
}

impl Value for Export {
    fn put(&self, w: &mut Writer) {
        let Export {
            path,
            backend,
            read_only,
            squash,
        } = self;
        path.put(w);
        backend.root().put(w);
        backend.capabilities().put(w);
        backend.is_private().put(w);
        read_only.put(w);
        squash.put(w);
    }

    fn take(r: &mut Reader<'_>) -> Result<Export, XdrError> {
        let path = String::take(r)?;
        let root = Value::take(r)?;
        let capabilities = Value::take(r)?;
        let is_private = Value::take(r)?;
        Ok(Export {
            path,
            backend: Arc::new(StandIn {
                root,
                capabilities,
                is_private,
            }),
            read_only: Value::take(r)?,
            squash: Value::take(r)?,
        })
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.exports.iter().map(|export| &export.path);
        f.debug_struct("Start")
            .field("now", &self.now)
            .field("boot", &self.boot)
            .field("config", &self.config)
            .field("exports", &paths.collect::<Vec<_>>())
            .finish()
    }
}
