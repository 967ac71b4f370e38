//! READ and WRITE.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Authority, Credential, FileKind, FsError, FsHandle, FsOp, FsReply, Payload, Protection,
    Stability,
};
use rustix::fs::{AtFlags, Mode, SeekFrom, Statx, fchmod, fstat, seek};
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev2};

use super::error::fs_error;
use super::file::{Access, File};
use super::identity::{as_user, switches};
use super::node::Node;
use super::permission::protection;
use super::pool::Lane;
use super::read_buffers::{Buffers, LARGE};
use super::shared::Shared;
use super::stat::stat;
use super::wait::{Attempt, Stop, Wait};
use crate::buffers::Buffer;

/// Where bytes of a file are read or written, and by what right.
pub(super) struct Place<'a> {
    pub(super) fh: &'a FsHandle,
    pub(super) offset: u64,
    pub(super) authority: Authority,
}

impl Shared {
    /// Reads into `payload`, after what it has already.
    pub(super) fn read(
        &self,
        cred: &Credential,
        place: &Place<'_>,
        count: u32,
        payload: &mut Payload,
        wait: Wait,
    ) -> Attempt<FsReply> {
        let node = self.ready(place.fh, wait)?;
        self.file(&node)?;
        let fd = self.descriptor_of(cred, &node, place.authority, Access::Read, wait)?;
        let flags = if wait == Wait::Yes || node.fs_type.is_volatile {
            ReadWriteFlags::empty()
        } else {
            ReadWriteFlags::NOWAIT
        };
        let wanted = (count as usize).saturating_sub(payload.len());
        let from = place.offset.saturating_add(payload.len() as u64);
        let waits = fill(&self.buffers, &fd, from, wanted, flags, payload)?;
        // After the bytes, so that the end is not where it was before they were read.
        let size = if place.authority == Authority::Open && self.is_simple(&node) {
            // Half the price of all attributes.
            seek(&fd, SeekFrom::End(0)).map_err(fs_error)?
        } else {
            let stat = stat(fd.as_fd(), AtFlags::empty())?;
            self.permits(cred, &node, &stat, place.authority, Access::Read, wait)?;
            stat.stx_size
        };
        let end = place.offset.saturating_add(payload.len() as u64);
        let is_end = end >= size;
        let is_short = payload.len() < count as usize;
        if waits && is_short && !is_end {
            return Err(Stop::Waits);
        }
        Ok(FsReply::Data {
            data: std::mem::take(payload),
            eof: is_end || is_short,
        })
    }

    pub(super) fn write(
        &self,
        cred: &Credential,
        place: &Place<'_>,
        data: &Bytes,
        stability: Stability,
        wait: Wait,
    ) -> Attempt<FsReply> {
        // What is lost from here on may be of these bytes.
        let losses = self.losses.get();
        let node = self.ready(place.fh, wait)?;
        self.file(&node)?;
        let end = place.offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > MAX_OFFSET) {
            return Err(FsError::TooLarge.into());
        }
        let file = self.descriptors.file(&node);
        let flags = write_flags(&node, file, stability, wait).ok_or(Stop::Waits)?;
        if stability == Stability::Unstable {
            // Before a descriptor is looked for: from now on it is not closed.
            file.durability.note_unstable();
        }
        let fd = self.descriptor_of(cred, &node, place.authority, Access::Write, wait)?;
        // A file that is open exists, and the superuser takes no rights away.
        let needs_look = place.authority == Authority::Credential || !file.is_held();
        let lends = if needs_look || !cred.is_root() {
            let stat = stat(fd.as_fd(), AtFlags::empty())?;
            self.permits(cred, &node, &stat, place.authority, Access::Write, wait)?;
            lends(cred, &protection(&node, &stat))
        } else {
            false
        };
        if data.is_empty() {
            let count = 0;
            return Ok(written(count, stability, losses));
        }
        if lends && wait == Wait::No {
            return Err(Stop::Waits);
        }
        let put = || match lends {
            true => put_as_user(cred, &fd, place.offset, data, flags),
            false => put(&fd, place.offset, data, flags),
        };
        let result = if stability == Stability::Unstable {
            put()
        } else {
            file.durability.write_durably(&self.losses, put)
        };
        let count = match result {
            Ok(count) => count,
            Err(error) if flags.contains(ReadWriteFlags::NOWAIT) && waits(error) => {
                if error == Errno::OPNOTSUPP {
                    file.note_no_telling();
                }
                return Err(Stop::Waits);
            }
            Err(error) => return Err(fs_error(error).into()),
        };
        node.change.count();
        if count < data.len() && wait == Wait::No {
            return Err(Stop::Waits);
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(written(count, stability, losses))
    }

    /// The lane of a request that waits for a thread. The kernel executes writes of one file one after the
    /// other: each on a thread of its own, they would wait for its lock. Those that are durable wait for
    /// the device, without the lock.
    pub(super) fn lane(&self, op: &FsOp) -> Option<Lane> {
        match op {
            FsOp::Write {
                fh,
                stability: Stability::Unstable,
                ..
            } => Some(Lane::Writes(self.kept(fh)?.id)),
            _ => None,
        }
    }

    /// The descriptor of a request. One is opened only for a user that may use it: that may recall delegations, and
    /// touch the file's mode.
    fn descriptor_of(
        &self,
        cred: &Credential,
        node: &Node,
        authority: Authority,
        access: Access,
        wait: Wait,
    ) -> Attempt<Arc<OwnedFd>> {
        if let Some(kept) = self.descriptors.kept(node, access) {
            return Ok(kept);
        }
        if authority == Authority::Credential {
            let stat = stat(node.as_fd(), AtFlags::empty())?;
            self.permits(cred, node, &stat, authority, access, wait)?;
        }
        self.descriptor(node, access, wait)
    }

    /// A descriptor of a file: one that is open, or else a new one, if the thread may wait for it.
    pub(super) fn descriptor(
        &self,
        node: &Node,
        access: Access,
        wait: Wait,
    ) -> Attempt<Arc<OwnedFd>> {
        // That of a leased file may be about to be exchanged.
        let is_leased = || self.descriptors.file(node).leased().is_some();
        if wait == Wait::Yes || node.fs_type.is_volatile && !is_leased() {
            return self.descriptors.attempt(&self.root, node, access, wait);
        }
        self.descriptors.kept(node, access).ok_or(Stop::Waits)
    }

    /// Whether a request with the authority of an open needs to know no more of the object than its size,
    /// which is in memory: it exists as long as it is open.
    fn is_simple(&self, node: &Node) -> bool {
        node.fs_type.is_resident && self.descriptors.file(node).is_held()
    }

    /// Checks that the object exists, and that the user has this right to it.
    fn permits(
        &self,
        cred: &Credential,
        node: &Node,
        stat: &Statx,
        authority: Authority,
        access: Access,
        wait: Wait,
    ) -> Attempt<()> {
        if stat.stx_nlink == 0 && !self.holds(node) {
            return Err(FsError::Stale.into());
        }
        if authority == Authority::Open {
            return Ok(());
        }
        let protection = match wait {
            Wait::Yes => self.effective(cred, node, stat)?,
            Wait::No => {
                let known = self.effective_at_once(cred, node, stat);
                known.ok_or(Stop::Waits)?
            }
        };
        let allowed = match access {
            Access::Read => protection.may_read(cred, authority),
            Access::Write => protection.may_write(cred, authority),
        };
        Ok(allowed?)
    }
}

/// Reads up to `len` bytes from `offset`, until the end of the file or an error. Returns whether it
/// stopped because the rest is not in memory, or may be not.
fn fill(
    buffers: &Buffers,
    fd: &OwnedFd,
    mut offset: u64,
    mut len: usize,
    flags: ReadWriteFlags,
    payload: &mut Payload,
) -> Attempt<bool> {
    let nowait = flags.contains(ReadWriteFlags::NOWAIT);
    while len > 0 && offset <= MAX_OFFSET {
        let asked = len.min(AT_ONCE).min((MAX_OFFSET - offset) as usize);
        let mut taken = [const { None::<Buffer> }; AT_ONCE / LARGE];
        let mut slices = std::array::from_fn(|_| IoSliceMut::new(&mut []));
        let mut left = asked;
        let mut used = 0;
        for (place, slice) in taken
            .iter_mut()
            .zip::<&mut [_; AT_ONCE / LARGE]>(&mut slices)
        {
            if left == 0 {
                break;
            }
            let buffer = place.insert(buffers.take(left));
            let part = left.min(buffer.len());
            if let Some(part) = buffer.get_mut(..part) {
                *slice = IoSliceMut::new(part);
            }
            left -= part;
            used += 1;
        }
        let count = match preadv2(
            fd,
            slices.get_mut(..used).unwrap_or_default(),
            offset,
            flags,
        ) {
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(error) if nowait && waits(error) => return Ok(true),
            Err(error) => return Err(fs_error(error).into()),
        };
        let mut rest = count;
        for buffer in taken.into_iter().flatten() {
            let part = rest.min(buffer.len());
            payload.push(buffer.freeze(part));
            rest -= part;
        }
        (offset, len) = (offset + count as u64, len - count);
        if count == 0 || (nowait && count < asked) {
            return Ok(nowait);
        }
    }
    Ok(false)
}

/// Writes bytes, and returns how many: all but those after an error.
fn put(
    fd: &OwnedFd,
    mut offset: u64,
    data: &[u8],
    flags: ReadWriteFlags,
) -> rustix::io::Result<usize> {
    let mut rest = data;
    while !rest.is_empty() {
        match pwritev2(fd, &[IoSlice::new(rest)], offset, flags) {
            Ok(0) => break,
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            // The client hears the error when it writes the rest.
            Err(error) if rest.len() == data.len() => return Err(error),
            Err(_) => break,
        }
    }
    match data.len() - rest.len() {
        0 => Err(Errno::IO),
        count => Ok(count),
    }
}

/// The flags of a write, or none if it may have to wait and must not.
fn write_flags(
    node: &Node,
    file: &File,
    stability: Stability,
    wait: Wait,
) -> Option<ReadWriteFlags> {
    if node.fs_type.is_volatile {
        return Some(ReadWriteFlags::empty());
    }
    match (stability, wait) {
        (Stability::Unstable, Wait::Yes) => Some(ReadWriteFlags::empty()),
        (Stability::Data, Wait::Yes) => Some(ReadWriteFlags::DSYNC),
        (Stability::File, Wait::Yes) => Some(ReadWriteFlags::SYNC),
        (Stability::Unstable, Wait::No) if file.tells_waiting_writes() => {
            Some(ReadWriteFlags::NOWAIT)
        }
        (Stability::Unstable | Stability::Data | Stability::File, Wait::No) => None,
    }
}

/// Whether a file lends rights, by setuid or setgid, that it loses when this user writes it.
fn lends(cred: &Credential, protection: &Protection) -> bool {
    protection.after_write(cred) != protection.mode
}

/// Writes bytes of a file that lends rights. For the user, the kernel takes them away at once with the
/// write, and undoes no change of the mode that comes meanwhile; for the process it does not.
fn put_as_user(
    cred: &Credential,
    fd: &OwnedFd,
    offset: u64,
    data: &[u8],
    flags: ReadWriteFlags,
) -> rustix::io::Result<usize> {
    if !switches() {
        take_lent_rights(cred, fd)?;
    }
    let written = as_user(cred, || put(fd, offset, data, flags));
    written.unwrap_or(Err(Errno::ACCESS))
}

/// Takes setuid and setgid away where the process cannot be the user.
fn take_lent_rights(cred: &Credential, fd: &OwnedFd) -> rustix::io::Result<()> {
    let now = fstat(fd)?;
    let protection = Protection {
        kind: FileKind::Regular,
        mode: now.st_mode & Protection::MODE_BITS,
        uid: now.st_uid,
        gid: now.st_gid,
    };
    let mode = Mode::from_raw_mode(protection.after_write(cred));
    match fchmod(fd, mode) {
        // A server that may not change the file's mode has no rights by which the kernel keeps it.
        Err(Errno::PERM) => Ok(()),
        done => done,
    }
}

/// Whether a call that must not wait failed because it would have to, or because it cannot know.
fn waits(error: Errno) -> bool {
    error == Errno::AGAIN || error == Errno::OPNOTSUPP
}

fn written(count: u32, stability: Stability, losses: u64) -> FsReply {
    FsReply::Written {
        count,
        stability,
        losses,
    }
}

/// The offset after the last byte that a file may have.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// Maximum number of bytes of one system call.
const AT_ONCE: usize = 1 << 20;

#[cfg(test)]
mod tests;
