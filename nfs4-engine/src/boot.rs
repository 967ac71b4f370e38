//! What distinguishes a start of the server from any other.

use alloc::vec::Vec;
use core::fmt;

use nfs4_proto::nfs4::consts::NFS4_OPAQUE_LIMIT;

use crate::stable::ClientRecord;

/// What makes this run of the server different from any other; read once.
#[derive(Clone)]
#[non_exhaustive]
pub struct Boot {
    /// Different at every start, never zero: it is in every id that the engine mints, so that an id
    /// of an earlier run is recognised. It should grow from start to start: the change attribute of the
    /// directories above the exports begins with it.
    pub epoch: u32,
    /// Random bytes that no client knows: the key of the maps whose keys clients choose, and of the
    /// filehandles of the directories above the exports. A server that has the same at every start keeps
    /// those filehandles valid. [RFC 8881 §4.2.2]
    pub entropy: [u8; 16],
    /// Different at every start that may have lost unstable writes, by more than a file system counts
    /// losses in one run: they are added to it as a number. [RFC 8881 §18.32]
    pub write_verifier: [u8; 8],
    /// `so_major_id`, 1 to 1024 bytes, the same at every start: with equal ids on two addresses,
    /// clients trunk. [RFC 8881 §2.10.4]
    pub server_major: Vec<u8>,
    /// `so_minor_id`.
    pub server_minor: u64,
    /// `eir_server_scope`, 1 to 1024 bytes, the same at every start. [RFC 8881 §2.10.4]
    pub server_scope: Vec<u8>,
    /// The records in stable storage; none without stable storage: then no client can reclaim. With records
    /// there is a grace period in which these clients reclaim their state. [RFC 8881 §8.4.2.1]
    pub recovered: Option<Vec<ClientRecord>>,
}

/// Why a [`Boot`] is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootFault {
    /// The epoch is zero, which marks ids that no server has issued.
    #[error("epoch is 0")]
    Epoch,
    /// A name of the server is empty, by which clients would take it for any other such, or longer
    /// than it may be. [RFC 8881 §3.3.7, server_owner4]
    #[error("{name} has {len} bytes, but must have from 1 to {NFS4_OPAQUE_LIMIT}")]
    Identity {
        /// Which one.
        name: &'static str,
        /// How long it is, in bytes.
        len: usize,
    },
}

/// Without the entropy, which no client may know.
impl fmt::Debug for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Boot")
            .field("epoch", &self.epoch)
            .field("write_verifier", &self.write_verifier)
            .field(
                "server_major",
                &format_args!("{}", self.server_major.escape_ascii()),
            )
            .field("server_minor", &self.server_minor)
            .field(
                "server_scope",
                &format_args!("{}", self.server_scope.escape_ascii()),
            )
            .field("recovered", &self.recovered.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl Boot {
    /// A start of the server with these names: `server` is `so_major_id` and `eir_server_scope`, and
    /// `so_minor_id` is zero. Unstable writes count as lost with every start: the write verifier is
    /// made of the epoch.
    pub fn new(epoch: u32, entropy: [u8; 16], server: impl Into<Vec<u8>>) -> Boot {
        let server = server.into();
        Boot {
            epoch,
            entropy,
            write_verifier: (u64::from(epoch) << 32).to_be_bytes(),
            server_major: server.clone(),
            server_minor: 0,
            server_scope: server,
            recovered: None,
        }
    }

    /// These values, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Boot)) -> Boot {
        set(&mut self);
        self
    }

    /// The write verifier of a file system that may have lost unstable writes this often.
    pub(crate) fn verifier_after(&self, losses: u64) -> [u8; 8] {
        let first = u64::from_be_bytes(self.write_verifier);
        first.wrapping_add(losses).to_be_bytes()
    }

    /// All that is wrong with it.
    pub(crate) fn faults(&self) -> Vec<BootFault> {
        let epoch = (self.epoch == 0).then_some(BootFault::Epoch);
        let names = [
            ("server_major", self.server_major.len()),
            ("server_scope", self.server_scope.len()),
        ];
        let wrong = names
            .into_iter()
            .filter(|(_, len)| !(1..=NFS4_OPAQUE_LIMIT).contains(len));
        let identities = wrong.map(|(name, len)| BootFault::Identity { name, len });
        epoch.into_iter().chain(identities).collect()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn the_entropy_is_not_shown() {
        let shown = format!("{:?}", Boot::new(1, [0xab; 16], "files"));
        assert!(shown.contains("files") && !shown.contains("171"), "{shown}");
    }
}
