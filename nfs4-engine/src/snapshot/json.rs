//! How the fields of views are serialised that are more than their type says.

use nfs4_proto::nfs4::basic::SessionId;
use serde::{Serialize, Serializer};

use crate::direction::Direction;
use crate::ids::{ConnId, Hex};
use crate::time::Wall;

/// 16 hexadecimal digits.
pub(super) fn client<S: Serializer>(id: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&Hex(&id.to_be_bytes()))
}

/// 16 hexadecimal digits, or null.
pub(super) fn optional_client<S: Serializer>(id: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => client(id, to),
        None => to.serialize_none(),
    }
}

/// 32 hexadecimal digits.
pub(super) fn session<S: Serializer>(id: &SessionId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&Hex(&id.0))
}

pub(super) fn version<S: Serializer>(minor: &u32, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("4.{minor}"))
}

pub(super) fn owner<S: Serializer>(owner: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&super::owner_text(owner))
}

/// As RFC 3339 has it.
impl Serialize for Wall {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for ConnId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(self.get())
    }
}

impl Serialize for Direction {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.label())
    }
}
