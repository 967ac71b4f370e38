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

#![forbid(unsafe_code)]

mod buffers;
mod mem;

pub use buffers::{Buffer, BufferPool};
pub use mem::{MemFs, MemFsConfig};
