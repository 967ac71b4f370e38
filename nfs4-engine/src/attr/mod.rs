//! Conversion between a file system's attributes and NFS attributes. [RFC 8881 §5]

mod encode;
mod locations;
mod open_arguments;
mod set;
mod supported;
mod template;

pub(crate) use encode::{
    Object, Source, View, decimal, encode, encode_failed, overwrite_change_and_size,
};
pub(crate) use locations::fs_locations;
pub(crate) use set::decode_settable;
pub(crate) use supported::{OF_DATA, WRITE_ONLY, exclusive_create, returned, supported, want};
pub(crate) use template::{MaskOf, Template, Templates};
