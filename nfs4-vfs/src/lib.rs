//! Ready-made file systems for the nfs4 engine.

#![forbid(unsafe_code)]

mod mem;

pub use mem::{MemFs, MemFsConfig};
