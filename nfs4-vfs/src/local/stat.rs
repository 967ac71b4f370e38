//! What the kernel says of an object.

use std::os::fd::{AsFd, BorrowedFd};

use nfs4_engine::Wall;
use nfs4_engine::fs::{FileKind, FsError};
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, statx};

use super::error::{Result, fs_error};

/// The attributes of an object that is held.
pub(super) fn stat(object: BorrowedFd<'_>, flags: AtFlags) -> Result<Statx> {
    statx(object, c"", AtFlags::EMPTY_PATH | flags, wanted()).map_err(fs_error)
}

/// The attributes of what has this name in a directory, without a descriptor.
pub(super) fn stat_name(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Statx> {
    statx(dir, name, AtFlags::SYMLINK_NOFOLLOW, wanted()).map_err(fs_error)
}

/// Whether an object that is held still has a name, as far as can be seen without waiting.
pub(super) fn has_name(object: &impl AsFd) -> bool {
    let flags = AtFlags::STATX_DONT_SYNC;
    stat(object.as_fd(), flags).is_ok_and(|stat| stat.stx_nlink > 0)
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID
}

/// The type of an object.
pub(super) fn kind(stat: &Statx) -> Result<FileKind> {
    Ok(match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice => FileKind::CharDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Unknown => return Err(FsError::Io),
    })
}

/// The device of the object's file system.
pub(super) fn device(stat: &Statx) -> u64 {
    u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor)
}

/// Its time of birth in nanoseconds, 0 if there is none.
pub(super) fn birth(stat: &Statx) -> u64 {
    nanos(&stat.stx_btime)
}

/// The time in nanoseconds since 1970, 0 before.
pub(super) fn nanos(time: &StatxTimestamp) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec.into())
}

/// The time as clients see it.
pub(super) fn wall(time: &StatxTimestamp) -> Wall {
    Wall {
        seconds: time.tv_sec,
        nanos: time.tv_nsec.min(999_999_999),
    }
}
