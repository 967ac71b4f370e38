//! The request for a lease.

use nfs4_engine::DelegationKind;
use nfs4_engine::fs::{FsError, FsHandle, FsReply, LeaseWatch};
use rustix::fs::AtFlags;

use super::shared::Shared;
use super::wait::{Attempt, Wait};

impl Shared {
    /// Leases a file that a client has open, and tells `watch` when its delegations have to come back.
    pub(super) fn lease(
        &self,
        fh: &FsHandle,
        kind: DelegationKind,
        watch: Option<&LeaseWatch>,
        wait: Wait,
    ) -> Attempt<FsReply> {
        let watch = watch.ok_or(FsError::Busy)?;
        let node = self.holds.get(fh).ok_or(FsError::Busy)?;
        if node.fs_type.is_shared {
            return Err(FsError::Busy.into());
        }
        self.descriptors
            .lease(&self.root, &node, kind, watch, wait)?;
        match self.attrs(&node, AtFlags::empty()) {
            Ok(attrs) => Ok(FsReply::Leased(attrs)),
            Err(error) => {
                drop(self.descriptors.leases.end(fh));
                Err(error.into())
            }
        }
    }
}
