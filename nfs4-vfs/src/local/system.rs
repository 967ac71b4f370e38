//! System calls that rustix does not have: the one file of this module with unsafe code.

#![expect(unsafe_code, reason = "these calls have no safe interface")]

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use rustix::io::{Errno, Result};

/// The kernel's name for an object of a file system, as of `name_to_handle_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KernelHandle {
    kind: u8,
    len: u8,
    // Zero beyond `len`.
    bytes: [u8; KernelHandle::MAX],
}

/// `struct file_handle` with room for its bytes.
#[repr(C)]
struct FileHandle {
    handle_bytes: u32,
    handle_type: i32,
    f_handle: [u8; KernelHandle::MAX],
}

/// `struct mount_attr`.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

impl KernelHandle {
    /// Maximum number of bytes; ext4 has 8, tmpfs 12, btrfs 20.
    pub(super) const MAX: usize = 40;

    /// The handle of this type and with these bytes.
    pub(super) fn new(kind: u8, bytes: &[u8]) -> Option<KernelHandle> {
        let mut handle = KernelHandle {
            kind,
            len: u8::try_from(bytes.len()).ok()?,
            bytes: [0; KernelHandle::MAX],
        };
        handle.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(handle)
    }

    /// The type that the file system gave it.
    pub(super) fn kind(&self) -> u8 {
        self.kind
    }

    /// Its bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The kernel's handle of an object.
///
/// # Errors
/// EOPNOTSUPP if the file system has none, EOVERFLOW if it is longer than [`KernelHandle::MAX`].
pub(super) fn name_to_handle(object: BorrowedFd<'_>) -> Result<KernelHandle> {
    let mut handle = FileHandle {
        handle_bytes: KernelHandle::MAX as u32,
        handle_type: 0,
        f_handle: [0; KernelHandle::MAX],
    };
    let mut mount: i32 = 0;
    // SAFETY: the path is an empty string with its NUL; `handle` has room for the number of bytes
    // that it states, and both it and `mount` outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            object.as_raw_fd(),
            c"".as_ptr(),
            &raw mut handle,
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    check(result)?;
    let kind = u8::try_from(handle.handle_type).map_err(|_| Errno::OVERFLOW)?;
    let bytes = handle.f_handle.get(..handle.handle_bytes as usize);
    let made = bytes.and_then(|bytes| KernelHandle::new(kind, bytes));
    made.ok_or(Errno::OVERFLOW)
}

/// Opens the object of a handle, with `O_PATH` and without following a symbolic link. `mount` is
/// any object of the mount through which it is opened, but not one with `O_PATH`.
///
/// # Errors
/// ESTALE if it does not exist, EPERM if this process may not.
pub(super) fn open_by_handle(mount: BorrowedFd<'_>, handle: &KernelHandle) -> Result<OwnedFd> {
    let mut raw = FileHandle {
        handle_bytes: u32::from(handle.len),
        handle_type: i32::from(handle.kind),
        f_handle: handle.bytes,
    };
    // SAFETY: `raw` holds as many bytes as it states, and outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw mut raw,
            libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC,
        )
    };
    let fd = RawFd::try_from(check(result)?).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel just made this descriptor, and no other value owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets the mode of the object itself, be it a symbolic link or opened with `O_PATH`.
///
/// # Errors
/// ENOSYS before Linux 6.6; those of `chmod`.
pub(super) fn change_mode(object: BorrowedFd<'_>, mode: u32) -> Result<()> {
    // SAFETY: the path is an empty string with its NUL.
    let result = unsafe {
        libc::syscall(
            FCHMODAT2,
            object.as_raw_fd(),
            c"".as_ptr(),
            mode,
            libc::AT_EMPTY_PATH,
        )
    };
    check(result).map(drop)
}

/// Keeps mounts that are made elsewhere from appearing in this detached mount.
///
/// # Errors
/// ENOSYS before Linux 5.12.
pub(super) fn make_private(mount: BorrowedFd<'_>) -> Result<()> {
    let attributes = MountAttr {
        attr_set: 0,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    // SAFETY: the path is an empty string with its NUL; `attributes` outlives the call and has the
    // stated size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    };
    check(result).map(drop)
}

fn check(result: libc::c_long) -> Result<libc::c_long> {
    if result < 0 {
        let error = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
    }
    Ok(result)
}

/// The number of `fchmodat2`, the same on all architectures but alpha.
const FCHMODAT2: libc::c_long = 452;
