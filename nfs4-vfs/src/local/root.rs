//! The export's root, and how objects below it are reached.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nfs4_engine::fs::FsError;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxFlags, fstatfs, open, openat, openat2,
    statx,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::change::Grain;
use super::config::LocalFsConfig;
use super::error::fs_error;
use super::system::{self, KernelHandle};
use super::{LocalFsError, Result};

/// The export's root directory.
pub(super) struct Root {
    fd: OwnedFd,
    /// The same, opened to read, as the kernel wants it in order to open by handles; none if this
    /// process may not.
    readable: Option<OwnedFd>,
    /// `/proc/self/fd`, through which a descriptor is opened again with other rights.
    descriptors: OwnedFd,
    /// The mount has no others below it, and the kernel does not go above the root.
    pub(super) is_alone: bool,
    /// Whether file systems that are mounted below are shown.
    pub(super) cross_mounts: bool,
    /// Attributes are in memory: to read those of an object that is held never waits.
    pub(super) is_resident: bool,
    pub(super) grain: Grain,
    pub(super) max_name: u32,
    pub(super) max_links: u32,
}

impl Root {
    /// Opens the root of this configuration.
    ///
    /// # Errors
    /// It is not a directory or may not be opened, or `/proc` is not there.
    pub(super) fn open(config: &LocalFsConfig) -> std::result::Result<Root, LocalFsError> {
        let as_root = |error: Errno| LocalFsError::Root(config.root.clone(), error.into());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let named = open(&config.root, flags, Mode::empty()).map_err(as_root)?;
        let alone = (!config.cross_mounts)
            .then(|| alone(named.as_fd()))
            .flatten();
        let is_alone = alone.is_some();
        let fd = alone.unwrap_or(named);
        let space = fstatfs(&fd).map_err(as_root)?;
        #[expect(clippy::cast_sign_loss, reason = "a magic number of 32 bits")]
        let kind = Kind::of(space.f_type as u32);
        let reading = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = openat(&fd, c".", reading, Mode::empty()).ok();
        Ok(Root {
            fd,
            readable,
            descriptors: descriptors()?,
            is_alone,
            cross_mounts: config.cross_mounts,
            is_resident: kind.is_resident,
            grain: grain(kind),
            max_name: u32::try_from(space.f_namelen).unwrap_or(255).clamp(1, 255),
            max_links: kind.max_links,
        })
    }

    /// How single names are resolved: never above the directory, and through no link.
    pub(super) fn resolve(&self) -> ResolveFlags {
        let always =
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        if self.cross_mounts {
            always
        } else {
            always | ResolveFlags::NO_XDEV
        }
    }

    /// The object of a name, held with `O_PATH`; the name has one component.
    pub(super) fn find(
        &self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        flags: ResolveFlags,
    ) -> rustix::io::Result<OwnedFd> {
        let path = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat2(dir, name, path, Mode::empty(), self.resolve() | flags)
    }

    /// Opens an object that is held again, with other rights: those of the caller of the system
    /// call are checked as at any open. Not for a symbolic link, a device, a pipe or a socket.
    pub(super) fn reopen(
        &self,
        object: BorrowedFd<'_>,
        flags: OFlags,
    ) -> rustix::io::Result<OwnedFd> {
        let number = rustix::path::DecInt::from_fd(object);
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
        openat(&self.descriptors, number.as_c_str(), flags, Mode::empty())
    }

    /// The path of an object that is held, as the kernel sees it at one moment.
    pub(super) fn path_of(&self, object: BorrowedFd<'_>) -> rustix::io::Result<Vec<u8>> {
        let number = rustix::path::DecInt::from_fd(object);
        let path = rustix::fs::readlinkat(&self.descriptors, number.as_c_str(), Vec::new())?;
        Ok(path.into_bytes())
    }

    /// What a handle's tag depends on beside the secret.
    pub(super) fn identity(&self) -> Result<Vec<u8>> {
        let stat = stat(self.as_fd(), AtFlags::empty())?;
        let mut identity = stat.stx_ino.to_be_bytes().to_vec();
        identity.extend(stat.stx_btime.tv_sec.to_be_bytes());
        identity.extend(stat.stx_btime.tv_nsec.to_be_bytes());
        if let Ok(handle) = system::name_to_handle(self.as_fd()) {
            identity.push(handle.kind());
            identity.extend(handle.as_bytes());
        }
        Ok(identity)
    }

    /// Whether this process may open objects by the kernel's handles.
    pub(super) fn has_kernel_handles(&self) -> bool {
        system::name_to_handle(self.as_fd())
            .and_then(|handle| self.open_by_handle(&handle))
            .is_ok()
    }

    /// Opens an object of the root's file system by its handle.
    pub(super) fn open_by_handle(&self, handle: &KernelHandle) -> rustix::io::Result<OwnedFd> {
        let mount = self.readable.as_ref().ok_or(Errno::ACCESS)?;
        system::open_by_handle(mount.as_fd(), handle)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The attributes of an object that is held.
pub(super) fn stat(object: BorrowedFd<'_>, flags: AtFlags) -> Result<Statx> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    statx(object, c"", AtFlags::EMPTY_PATH | flags, mask).map_err(fs_error)
}

/// The directory in a mount of its own, without the mounts below it; the superuser may have that.
fn alone(root: BorrowedFd<'_>) -> Option<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(root, c"", flags).ok()?;
    system::make_private(tree.as_fd()).ok()?;
    Some(tree)
}

fn descriptors() -> std::result::Result<OwnedFd, LocalFsError> {
    let failed = |error: Errno| LocalFsError::Proc(error.into());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = openat(CWD, c"/proc/self/fd", flags, Mode::empty()).map_err(failed)?;
    let space = fstatfs(&fd).map_err(failed)?;
    if space.f_type != PROC {
        return Err(LocalFsError::Proc(Errno::NOENT.into()));
    }
    Ok(fd)
}

/// What is known of a type of file system.
#[derive(Clone, Copy)]
struct Kind {
    is_resident: bool,
    has_fine_times: bool,
    max_links: u32,
}

impl Kind {
    fn of(magic: u32) -> Kind {
        let (is_resident, has_fine_times, max_links) = match magic {
            EXT4 => (true, true, 65_000),
            XFS => (true, true, i32::MAX as u32),
            BTRFS => (true, true, 65_535),
            TMPFS => (true, true, u32::MAX),
            F2FS | BCACHEFS | RAMFS => (true, false, 65_535),
            _ => (false, false, 32_000),
        };
        Kind {
            is_resident,
            has_fine_times,
            max_links,
        }
    }
}

/// How fine ctimes are with this kernel.
fn grain(kind: Kind) -> Grain {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|part| part.parse::<u32>().ok());
    let version = (number().unwrap_or(0), number().unwrap_or(0));
    if kind.has_fine_times && version >= MULTIGRAIN {
        Grain::Fine
    } else {
        Grain::Coarse
    }
}

/// The first Linux with multigrain timestamps.
const MULTIGRAIN: (u32, u32) = (6, 13);
const PROC: rustix::fs::FsWord = 0x9fa0;
const EXT4: u32 = 0xef53;
const XFS: u32 = 0x5846_5342;
const BTRFS: u32 = 0x9123_683e;
const TMPFS: u32 = 0x0102_1994;
const F2FS: u32 = 0xf2f5_2010;
const BCACHEFS: u32 = 0xca45_1a4e;
const RAMFS: u32 = 0x8584_58f6;
