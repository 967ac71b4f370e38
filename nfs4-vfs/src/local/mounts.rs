//! File systems that are mounted below the root, where they are shown.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, RwLock};

use nfs4_engine::fs::FsError;
use rustix::fs::{Mode, OFlags, StatFs, Statx, StatxAttributes, fstatfs, openat, syncfs};

use super::error::{Result, fs_error};
use super::fs_type::FsType;
use super::root::Root;
use super::stat::{birth, device};
use super::system::{self, KernelHandle};
use crate::sync::{read, write};

/// A file system that is mounted below the root. It is held: it cannot be unmounted meanwhile.
#[derive(Debug)]
pub(super) struct Mount {
    /// Its name among the file systems of the export, the same after a restart: [`is_name_of_mount`].
    pub(super) fs: u64,
    /// Fileid of the directory that its root covers.
    pub(super) mounted_on: u64,
    /// Inode of its root.
    root: u64,
    /// The kernel's number of the mount.
    id: u64,
    dev: u64,
    pub(super) fs_type: FsType,
    /// Its root, opened to read.
    readable: OwnedFd,
}

/// Where a file system is mounted.
pub(super) struct Point {
    /// The file system of the directory with that name, as [`Mount::fs`]; 0 for the root's.
    pub(super) within: u64,
    /// The kernel's handle of that directory, if it has one.
    pub(super) dir: Option<KernelHandle>,
    /// Fileid of the directory that is covered.
    pub(super) covered: u64,
}

/// The mounts that were met.
#[derive(Default)]
pub(super) struct Mounts {
    met: RwLock<Vec<Arc<Mount>>>,
}

impl Mount {
    /// Opens an object of it by its handle.
    pub(super) fn open_by_handle(&self, handle: &KernelHandle) -> rustix::io::Result<OwnedFd> {
        system::open_by_handle(self.readable.as_fd(), handle)
    }

    /// Makes all that was written to it durable.
    ///
    /// # Errors
    /// Those of the device.
    pub(super) fn sync_all(&self) -> rustix::io::Result<()> {
        syncfs(&self.readable)
    }

    /// Whether this is its root.
    pub(super) fn is_root(&self, stat: &Statx) -> bool {
        (stat.stx_ino, device(stat)) == (self.root, self.dev)
    }
}

impl Mounts {
    /// The mount that an object was reached through, if it was met.
    pub(super) fn of(&self, stat: &Statx) -> Option<Arc<Mount>> {
        let met = read(&self.met);
        met.iter()
            .find(|mount| mount.id == stat.stx_mnt_id)
            .cloned()
    }

    /// The mount of a file system, if it was met.
    pub(super) fn named(&self, fs: u64) -> Option<Arc<Mount>> {
        let met = read(&self.met);
        // The one that was mounted last.
        met.iter().rev().find(|mount| mount.fs == fs).cloned()
    }

    /// Notes a mount whose root was found at this place.
    ///
    /// # Errors
    /// NotFound if it is not the root of a mount, or too many are mounted.
    pub(super) fn meet(&self, root: &OwnedFd, stat: &Statx, at: &Point) -> Result<Arc<Mount>> {
        if !stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return Err(FsError::NotFound);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let readable = openat(root, c".", flags | OFlags::DIRECTORY, Mode::empty());
        let readable = readable.map_err(fs_error)?;
        let space = fstatfs(root).map_err(fs_error)?;
        let fs = name_of(root, stat, &space, at);
        let mut met = write(&self.met);
        // Mounted again elsewhere, or in place of one that is gone.
        met.retain(|mount| mount.id != stat.stx_mnt_id);
        if met.len() >= MAX_MOUNTS {
            return Err(FsError::NotFound);
        }
        // The same file system that is mounted there again is no other one.
        let others = || met.iter().filter(|mount| mount.dev != device(stat));
        let taken = |fs: u64| others().any(|mount| mount.fs == fs);
        let fs = (fs..=u64::MAX).find(|fs| !taken(*fs)).unwrap_or(fs);
        let mount = Arc::new(Mount {
            fs,
            mounted_on: at.covered,
            root: stat.stx_ino,
            id: stat.stx_mnt_id,
            dev: device(stat),
            fs_type: FsType::of(&space),
            readable,
        });
        met.push(Arc::clone(&mount));
        Ok(mount)
    }
}

/// What names a mounted file system after a restart too, in whatever order mounts are met then. The roots of two
/// may be alike: of copies of one image, or of file systems that were made within a second. They cover
/// different directories, or directories of different file systems: those may be copies, too, and cover different
/// ones.
fn name_of(root: &OwnedFd, stat: &Statx, space: &StatFs, at: &Point) -> u64 {
    let mut words = vec![
        stat.stx_ino,
        birth(stat),
        space.f_type as u64,
        at.covered,
        at.within,
    ];
    // Subvolumes of one file system have directories with the same inode.
    for handle in [system::name_to_handle(root.as_fd()).ok(), at.dir] {
        let bytes = handle.iter().flat_map(KernelHandle::as_bytes);
        words.extend(bytes.map(|byte| u64::from(*byte)));
    }
    // FNV-1a; it need not be secret.
    let hash = words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash | MOUNT
}

/// Whether this names a mount that was met; else it is 0, or the device of a part of the root's mount.
pub(super) fn is_name_of_mount(fs: u64) -> bool {
    fs & MOUNT != 0
}

/// The points below `root` where file systems are mounted, as paths relative to it.
///
/// # Errors
/// Io if `/proc` cannot be read.
pub(super) fn points_below(root: &Root) -> Result<Vec<Vec<Vec<u8>>>> {
    let top = root.path_of(root.as_fd()).map_err(fs_error)?;
    let text = std::fs::read("/proc/self/mountinfo").map_err(|_| FsError::Io)?;
    let mut points = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some(point) = line.split(|byte| *byte == b' ').nth(4) else {
            continue;
        };
        let point = unescaped(point);
        let rest = if top == b"/" {
            Some(&point[..])
        } else {
            point.strip_prefix(&top[..])
        };
        let Some(rest) = rest.and_then(|rest| rest.strip_prefix(b"/")) else {
            continue;
        };
        let parts = rest.split(|byte| *byte == b'/').map(<[u8]>::to_vec);
        points.push(parts.filter(|part| !part.is_empty()).collect());
    }
    Ok(points)
}

/// A path in which blanks, line ends and backslashes are octal numbers.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let octal = tail.first_chunk::<3>().and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        match octal {
            Some(number) if *byte == b'\\' => {
                plain.push(number);
                rest = &tail[3..];
            }
            _ => plain.push(*byte),
        }
    }
    plain
}

/// What the names of mounts have and no device has: the number of its driver has 12 bits.
const MOUNT: u64 = 1 << 63;
/// Maximum number of mounts that are shown.
const MAX_MOUNTS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_mountinfo_is_read() {
        assert_eq!(unescaped(br"/a\040b\134\12"), br"/a b\\12");
        assert_eq!(unescaped(br"\"), br"\");
    }
}
