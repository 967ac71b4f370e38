//! The export's root, and how objects below it are reached.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nfs4_engine::fs::FsError;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, chmodat, fstatfs, linkat, open, openat,
    openat2, syncfs,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::config::LocalFsConfig;
use super::error::{LocalFsError, Result, fs_error};
use super::fs_type::FsType;
use super::stat::stat;
use super::system::{self, KernelHandle};

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
    /// The kernel's number of its mount.
    pub(super) mount: u64,
    pub(super) fs_type: FsType,
    pub(super) max_name: u32,
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
        let stat = stat(fd.as_fd(), AtFlags::empty());
        let stat = stat.map_err(|error| LocalFsError::Attributes(config.root.clone(), error))?;
        let reading = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = openat(&fd, c".", reading, Mode::empty()).ok();
        Ok(Root {
            fd,
            readable,
            descriptors: descriptors()?,
            is_alone,
            cross_mounts: config.cross_mounts,
            mount: stat.stx_mnt_id,
            fs_type: FsType::of(&space),
            max_name: u32::try_from(space.f_namelen).unwrap_or(255).clamp(1, 255),
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
        dir: impl AsFd,
        name: &[u8],
        flags: ResolveFlags,
    ) -> rustix::io::Result<OwnedFd> {
        let path = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat2(dir, name, path, Mode::empty(), self.resolve() | flags)
    }

    /// The parent of a directory that is not the root, held with `O_PATH`.
    ///
    /// # Errors
    /// Stale if the parent is not beneath the root any more, AccessDenied if that cannot be proven.
    pub(super) fn parent(&self, dir: BorrowedFd<'_>) -> Result<OwnedFd> {
        let path = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let upwards = self.resolve() - ResolveFlags::BENEATH;
        let parent = openat2(dir, c"..", path, Mode::empty(), upwards);
        let parent = parent.map_err(|error| match fs_error(error) {
            // What the kernel answers above the root of the mount.
            FsError::NotFound | FsError::CrossDevice => FsError::Stale,
            error => error,
        })?;
        if !self.is_alone {
            self.prove_beneath(parent.as_fd())?;
        }
        Ok(parent)
    }

    /// Proves that an object is the root or beneath it at some moment during the call: the kernel
    /// makes a path of one moment, however directories are renamed meanwhile.
    fn prove_beneath(&self, object: BorrowedFd<'_>) -> Result<()> {
        for _ in 0..PROOFS {
            let root = self.path_of(self.as_fd()).map_err(unproven)?;
            let path = self.path_of(object).map_err(unproven)?;
            if self.path_of(self.as_fd()).map_err(unproven)? != root {
                // The root, or a directory above it, is being renamed.
                continue;
            }
            let rest = path.strip_prefix(&root[..]);
            let is_beneath =
                root == b"/" || rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
            return if is_beneath {
                Ok(())
            } else {
                Err(FsError::Stale)
            };
        }
        Err(FsError::Busy)
    }

    /// Sets the mode of an object that is held and is no symbolic link.
    pub(super) fn change_mode(&self, object: BorrowedFd<'_>, mode: u32) -> rustix::io::Result<()> {
        let number = rustix::path::DecInt::from_fd(object);
        let mode = Mode::from_raw_mode(mode);
        chmodat(&self.descriptors, number.as_c_str(), mode, AtFlags::empty())
    }

    /// Gives an object that is held another name.
    pub(super) fn link(
        &self,
        object: BorrowedFd<'_>,
        dir: BorrowedFd<'_>,
        name: &[u8],
    ) -> rustix::io::Result<()> {
        let number = rustix::path::DecInt::from_fd(object);
        let follow = AtFlags::SYMLINK_FOLLOW;
        linkat(&self.descriptors, number.as_c_str(), dir, name, follow)
    }

    /// Holds an open file with `O_PATH` too.
    pub(super) fn hold(&self, file: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
        self.reopen(file, OFlags::PATH)
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

    /// Makes all that was written to the root's file system durable.
    ///
    /// # Errors
    /// EACCES if this process may not.
    pub(super) fn sync_all(&self) -> rustix::io::Result<()> {
        syncfs(self.readable.as_ref().ok_or(Errno::ACCESS)?)
    }

    /// The path of an object that is held, as the kernel sees it at one moment.
    pub(super) fn path_of(&self, object: BorrowedFd<'_>) -> rustix::io::Result<Vec<u8>> {
        let number = rustix::path::DecInt::from_fd(object);
        let path = rustix::fs::readlinkat(&self.descriptors, number.as_c_str(), Vec::new())?;
        Ok(path.into_bytes())
    }

    /// Its attributes.
    pub(super) fn stat(&self) -> Result<Statx> {
        stat(self.as_fd(), AtFlags::empty())
    }

    /// What a handle's tag depends on beside the secret.
    pub(super) fn identity(&self) -> Result<Vec<u8>> {
        let stat = self.stat()?;
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

/// The directory in a mount of its own, without the mounts below it; the superuser may have that.
fn alone(root: BorrowedFd<'_>) -> Option<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(root, c"", flags).ok()?;
    system::make_private(tree.as_fd()).ok()?;
    Some(tree)
}

/// A path that is too long is no proof.
fn unproven(error: Errno) -> FsError {
    match error {
        Errno::NAMETOOLONG => FsError::AccessDenied,
        error => fs_error(error),
    }
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

/// Number of attempts to see the root and another object at one moment.
const PROOFS: u32 = 8;
const PROC: rustix::fs::FsWord = 0x9fa0;
