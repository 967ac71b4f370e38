//! Requests that are answered at once: all that they need is in memory.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use nfs4_engine::fs::{
    AccessMask, Credential, FsHandle, FsOp, FsReply, FsRequest, FsResult, Rights, Want,
};
use rustix::fs::{AtFlags, ResolveFlags, Statx};
use rustix::io::Errno;

use super::data::Place;
use super::names::{check_name, of_lookup};
use super::node::Node;
use super::shared::Shared;
use super::stat::stat;
use super::wait::{Wait, at_once};

impl Shared {
    /// The answer to a request if no device is needed for it; else the request is as it was.
    pub(super) fn at_once(&self, request: &mut FsRequest) -> Option<FsResult> {
        let cred = &request.cred;
        match &mut request.op {
            FsOp::GetAttrs { fh, want } => self.get_attrs_at_once(fh, *want),
            FsOp::Access { fh, mask } => self.access_at_once(cred, fh, *mask),
            FsOp::Lookup { dir, name, want } => self.lookup_at_once(cred, dir, name, *want),
            FsOp::Read {
                fh,
                offset,
                count,
                authority,
                payload,
            } => {
                let place = Place {
                    fh,
                    offset: *offset,
                    authority: *authority,
                };
                at_once(self.read(cred, &place, *count, payload, Wait::No))
            }
            FsOp::Write {
                fh,
                offset,
                data,
                stability,
                authority,
            } => {
                let place = Place {
                    fh,
                    offset: *offset,
                    authority: *authority,
                };
                at_once(self.write(cred, &place, data, *stability, Wait::No))
            }
            FsOp::Commit { fh, .. } => at_once(self.commit(fh, Wait::No)),
            FsOp::Lock { fh, lock } => at_once(self.lock_bytes(fh, lock, Wait::No)),
            FsOp::TestLock { fh, lock } => at_once(self.test_bytes(fh, lock, Wait::No)),
            _ => None,
        }
    }

    /// The object of a handle, if that and its attributes are in memory.
    fn resident(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        self.kept(fh).filter(|node| node.fs_type.is_resident)
    }

    fn get_attrs_at_once(&self, fh: &FsHandle, want: Want) -> Option<FsResult> {
        let node = self.resident(fh)?;
        let attrs = self.attrs(&node, AtFlags::STATX_DONT_SYNC);
        Some(attrs.and_then(|attrs| {
            Ok(FsReply::Attrs {
                attrs,
                stat: self.space(&node, want)?,
            })
        }))
    }

    fn access_at_once(
        &self,
        cred: &Credential,
        fh: &FsHandle,
        mask: AccessMask,
    ) -> Option<FsResult> {
        let (node, stat) = self.live_at_once(fh)?;
        let effective = self.effective_at_once(cred, &node, &stat)?;
        Some(Ok(FsReply::Access {
            granted: effective.granted(cred, mask),
            kind: node.kind,
        }))
    }

    fn lookup_at_once(
        &self,
        cred: &Credential,
        dir: &FsHandle,
        name: &[u8],
        want: Want,
    ) -> Option<FsResult> {
        let (dir, stat) = self.live_at_once(dir)?;
        let allowed = self.effective_at_once(cred, dir.searched().ok()?, &stat)?;
        if let Err(error) = allowed.require(cred, Rights::EXECUTE).and(check_name(name)) {
            return Some(Err(error));
        }
        if !self.has_settled_handles() {
            return None;
        }
        match self.root.find(dir.as_fd(), name, ResolveFlags::CACHED) {
            Ok(fd) => match self.adopt_known(fd)? {
                Ok(found) => Some(self.found(&found, want)),
                Err(error) => Some(Err(error)),
            },
            Err(Errno::AGAIN) => None,
            Err(error) => Some(Err(of_lookup(error))),
        }
    }

    /// An object with a name or an open; None to ask again where that may take long.
    fn live_at_once(&self, fh: &FsHandle) -> Option<(Arc<Node>, Statx)> {
        let node = self.resident(fh)?;
        let stat = stat(node.as_fd(), AtFlags::STATX_DONT_SYNC).ok()?;
        (stat.stx_nlink != 0).then_some((node, stat))
    }
}
