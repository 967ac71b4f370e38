//! Ready-made file systems for the nfs4 engine.
//!
//! ```
//! use nfs4_engine::fs::Backend;
//! use nfs4_vfs::{MemFs, MemFsConfig};
//!
//! // The number of this run of the server, and a gigabyte.
//! let config = MemFsConfig::new(1, 1 << 30).with(|files| files.root_mode = 0o1777);
//! let fs = MemFs::new(config);
//! assert!(fs.capabilities().hard_links);
//! ```

#![deny(unsafe_code)]

mod buffers;
#[cfg(any(test, feature = "conformance"))]
#[cfg_attr(test, macro_use)]
#[expect(clippy::unwrap_used, reason = "a case that cannot go on ends")]
pub mod conformance;
#[cfg(all(feature = "local", target_os = "linux"))]
mod local;
mod mem;
mod sync;

pub use buffers::{Buffer, BufferPool};
#[cfg(all(feature = "local", target_os = "linux"))]
pub use local::{LocalFs, LocalFsConfig, LocalFsError};
pub use mem::{MemFs, MemFsConfig};
