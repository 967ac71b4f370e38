//! What is known of types of file systems.

use rustix::fs::StatFs;

use super::change::Grain;

/// Properties of a file system by its type.
#[derive(Clone, Copy, Debug)]
pub(super) struct FsType {
    /// Attributes are in memory: to read those of an object that is held never waits.
    pub(super) is_resident: bool,
    /// Nothing in it outlives the machine.
    pub(super) is_volatile: bool,
    pub(super) grain: Grain,
    pub(super) max_links: u32,
}

impl FsType {
    /// The properties of the file system that this describes.
    pub(super) fn of(space: &StatFs) -> FsType {
        #[expect(clippy::cast_sign_loss, reason = "a magic number of 32 bits")]
        let magic = space.f_type as u32;
        let (has_fine_times, max_links) = match magic {
            EXT4 => (true, 65_000),
            XFS => (true, i32::MAX as u32),
            BTRFS => (true, 65_535),
            TMPFS => (true, u32::MAX),
            F2FS | BCACHEFS | RAMFS => (false, 65_535),
            _ => (false, 32_000),
        };
        let local = [EXT4, XFS, BTRFS, TMPFS, F2FS, BCACHEFS, RAMFS];
        FsType {
            is_resident: local.contains(&magic),
            is_volatile: [TMPFS, RAMFS].contains(&magic),
            grain: if has_fine_times && linux() >= MULTIGRAIN {
                Grain::Fine
            } else {
                Grain::Coarse
            },
            max_links,
        }
    }
}

/// The version of the kernel.
fn linux() -> (u32, u32) {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|part| part.parse().ok());
    (number().unwrap_or(0), number().unwrap_or(0))
}

/// The first Linux with multigrain timestamps.
const MULTIGRAIN: (u32, u32) = (6, 13);
const EXT4: u32 = 0xef53;
const XFS: u32 = 0x5846_5342;
const BTRFS: u32 = 0x9123_683e;
const TMPFS: u32 = 0x0102_1994;
const F2FS: u32 = 0xf2f5_2010;
const BCACHEFS: u32 = 0xca45_1a4e;
const RAMFS: u32 = 0x8584_58f6;
