//! System calls that rustix does not have: the one file of this module with unsafe code.

#![expect(unsafe_code, reason = "these calls have no safe interface")]

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::FileExt as _;
use std::ptr;
use std::time::Duration;

use nfs4_engine::DelegationKind;
use nfs4_engine::fs::LockKind;
use rustix::io::{Errno, Result};
use rustix::process::{Pid, getpid};

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

/// `struct f_owner_ex`.
#[repr(C)]
struct Owner {
    kind: i32,
    pid: libc::pid_t,
}

/// The part of `siginfo_t` that a signal of a descriptor has.
#[repr(C)]
struct DescriptorSignal {
    signo: i32,
    errno: i32,
    code: i32,
    band: libc::c_long,
    fd: i32,
}

/// The signals that wait for one thread, which the kernel lists in a file. It stays open: that descriptors run out
/// does not hide them.
#[derive(Debug)]
pub(super) struct OwnSignals(File);

/// A signal that this thread has waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Another process waits for the lease of this descriptor.
    Break(RawFd),
    /// Another one, such as [`wake`].
    Other,
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

/// Locks bytes for an open file description, or unlocks them; it does not wait. `span` is the first byte and
/// the length, of which 0 is to the end.
///
/// # Errors
/// EAGAIN or EACCES if another owner has a lock that conflicts; EBADF if the descriptor is not open for this
/// kind; ENOLCK.
pub(super) fn set_lock(
    file: BorrowedFd<'_>,
    span: (i64, i64),
    kind: Option<LockKind>,
) -> Result<()> {
    let lock = record(span, kind);
    // SAFETY: the kernel reads `lock`, which outlives the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    check(result.into()).map(drop)
}

/// The lock of another owner that conflicts with one of this kind, if there is one.
///
/// # Errors
/// EINVAL before Linux 3.15.
pub(super) fn get_lock(
    file: BorrowedFd<'_>,
    span: (i64, i64),
    kind: LockKind,
) -> Result<Option<((i64, i64), LockKind)>> {
    let mut lock = record(span, Some(kind));
    // SAFETY: the kernel reads and writes `lock`, which outlives the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    check(result.into())?;
    let found = libc::c_int::from(lock.l_type);
    let kind = match found {
        libc::F_RDLCK => LockKind::Read,
        libc::F_WRLCK => LockKind::Write,
        _ => return Ok(None),
    };
    Ok(Some(((lock.l_start, lock.l_len), kind)))
}

fn record((start, len): (i64, i64), kind: Option<LockKind>) -> libc::flock {
    let kind = match kind {
        Some(LockKind::Read) => libc::F_RDLCK,
        Some(LockKind::Write) => libc::F_WRLCK,
        None => libc::F_UNLCK,
    };
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: len,
        // No process: an open file description.
        l_pid: 0,
    }
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

/// Takes a lease of the file, or gives it up. For reading, the file must be open nowhere for writing; for
/// writing, nowhere else at all, in this process neither.
///
/// # Errors
/// EAGAIN if it is, EACCES if the file is another user's and this process may not lease it, EINVAL if its
/// file system has no leases.
pub(super) fn set_lease(file: BorrowedFd<'_>, kind: Option<DelegationKind>) -> Result<()> {
    let kind = match kind {
        Some(DelegationKind::Read) => libc::F_RDLCK,
        Some(DelegationKind::Write) => libc::F_WRLCK,
        None => libc::F_UNLCK,
    };
    // SAFETY: the argument is a number.
    let result =
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::c_int::from(kind)) };
    check(result.into()).map(drop)
}

/// The lease of the file; while another process waits for it, what that process leaves of it.
pub(super) fn lease(file: BorrowedFd<'_>) -> Option<DelegationKind> {
    // SAFETY: there is no argument.
    let kind = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLEASE) };
    if kind == libc::F_RDLCK {
        Some(DelegationKind::Read)
    } else if kind == libc::F_WRLCK {
        Some(DelegationKind::Write)
    } else {
        None
    }
}

/// Has signals of the descriptor sent to this thread of this process, as [`wait`] takes them.
pub(super) fn signal_to(file: BorrowedFd<'_>, thread: Pid) -> Result<()> {
    let owner = Owner {
        kind: OWNER_THREAD,
        pid: thread.as_raw_nonzero().get(),
    };
    // SAFETY: `owner` outlives the call and has the layout of the kernel's.
    let owned = unsafe { libc::fcntl(file.as_raw_fd(), SET_OWNER, &raw const owner) };
    check(owned.into())?;
    // SAFETY: the argument is a number.
    let set = unsafe { libc::fcntl(file.as_raw_fd(), SET_SIGNAL, break_signal()) };
    check(set.into()).map(drop)
}

/// Keeps the signals of descriptors from ending this process: this thread waits for them by [`wait`]. Other
/// threads and the actions of signals are as they were.
pub(super) fn block_signals() -> Result<()> {
    // SIGIO is what the kernel sends when too many signals wait.
    let set = signals(&[break_signal(), libc::SIGIO]);
    // SAFETY: `set` outlives the call, and the former mask is not asked for.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
    match error {
        0 => Ok(()),
        error => Err(Errno::from_raw_os_error(error)),
    }
}

/// Waits for the signal of a descriptor, or for that long; it was blocked before.
pub(super) fn wait(timeout: Duration) -> Option<Signal> {
    let info = dequeue(break_signal(), timeout)?;
    // Codes of signals that processes send are not positive.
    Some(if info.code > 0 {
        Signal::Break(info.fd)
    } else {
        Signal::Other
    })
}

impl OwnSignals {
    /// Those of this thread.
    ///
    /// # Errors
    /// `/proc` is not there, or there is no descriptor.
    pub(super) fn open() -> std::io::Result<OwnSignals> {
        let status = OwnSignals(File::open("/proc/thread-self/status")?);
        status.bits().ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(status)
    }

    /// Whether the kernel has sent this thread SIGIO, since too many other signals wait, and fetches it. One that
    /// is sent to the process is not for this thread.
    pub(super) fn take_overflow(&self) -> bool {
        let mut set = signals(&[]);
        // SAFETY: `set` is a set of signals, and outlives the calls.
        let is_pending = unsafe {
            libc::sigpending(&raw mut set) == 0
                && libc::sigismember(&raw const set, libc::SIGIO) == 1
        };
        let bit = 1_u64 << (libc::SIGIO - 1);
        let is_own = || self.bits().is_some_and(|bits| bits & bit != 0);
        is_pending && is_own() && dequeue(libc::SIGIO, Duration::ZERO).is_some()
    }

    /// The signals that wait for the thread alone, as bits.
    fn bits(&self) -> Option<u64> {
        // The text has some 1500 bytes; the groups of the process come before the signals, up to 65536 of them, each
        // of 11 bytes.
        let mut text = vec![0; 1 << 20];
        let len = self.0.read_at(&mut text, 0).ok()?;
        let text = String::from_utf8_lossy(text.get(..len)?);
        let own = text.lines().find_map(|line| line.strip_prefix("SigPnd:"))?;
        u64::from_str_radix(own.trim(), 16).ok()
    }
}

/// Waits for a signal that is blocked, or for that long.
fn dequeue(signal: libc::c_int, timeout: Duration) -> Option<DescriptorSignal> {
    let set = signals(&[signal]);
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: all bits zero are a time.
    let mut time: libc::timespec = unsafe { MaybeUninit::zeroed().assume_init() };
    time.tv_sec = timeout.as_secs().try_into().unwrap_or(1);
    time.tv_nsec = timeout.subsec_nanos() as libc::c_long;
    // SAFETY: `set` and the time outlive the call, and `info` has room for what it writes.
    let taken = unsafe { libc::sigtimedwait(&raw const set, info.as_mut_ptr(), &raw const time) };
    // SAFETY: `siginfo_t` is larger, begins so for signals of descriptors, and was zero before the call.
    (taken >= 0).then(|| unsafe { info.as_ptr().cast::<DescriptorSignal>().read() })
}

/// Ends the [`wait`] of a thread of this process, unless too many signals wait already.
pub(super) fn wake(thread: Pid) {
    let process = getpid().as_raw_nonzero().get();
    let thread = thread.as_raw_nonzero().get();
    // SAFETY: the arguments are numbers, and the thread has blocked the signal.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, break_signal()) };
}

/// The signal for [`wait`]: the last but one, as programs that use such signals begin with the first.
fn break_signal() -> libc::c_int {
    libc::SIGRTMAX() - 1
}

fn signals(all: &[libc::c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the first call initializes the set, and the numbers are signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in all {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
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
/// F_SETOWN_EX, F_SETSIG and F_OWNER_TID, the same on all architectures but MIPS and PA-RISC.
const SET_OWNER: libc::c_int = 15;
const SET_SIGNAL: libc::c_int = 10;
const OWNER_THREAD: i32 = 0;
